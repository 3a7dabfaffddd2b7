"""Tests of models and moderations with the official SDK."""

import openai
import pytest
from openai import OpenAI


def test_it_lists_models(client: OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"gpt-4o-mini", "gpt-4o-mini-2024-07-18", "text-embedding-3-small"} <= names


def test_it_knows_every_model_but_one(client: OpenAI) -> None:
    assert client.models.retrieve("anything").id == "anything"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("does-not-exist")
    assert client.models.delete("ft:gpt-4o-mini:us::1").deleted


def test_it_judges_each_text(client: OpenAI) -> None:
    answer = client.moderations.create(input=["all is well", "plain violence"])
    assert [result.flagged for result in answer.results] == [False, True]
    assert answer.results[1].categories.violence
