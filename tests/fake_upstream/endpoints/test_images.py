"""Tests of images with the official SDK."""

import base64
from typing import Any

import httpx
import pytest
from openai import OpenAI

from fake_upstream.endpoints.images import PIXEL

PICTURE: Any = ("a.png", PIXEL, "image/png")


def test_it_gives_urls_that_lead_to_a_picture(client: OpenAI) -> None:
    answer = client.images.generate(model="dall-e-2", prompt="a fox", n=2)
    assert answer.data is not None
    urls = [item.url or "" for item in answer.data]
    assert httpx.get(urls[1]).content == PIXEL
    assert len(set(urls)) == 2


def test_it_reports_image_tokens(client: OpenAI) -> None:
    answer = client.images.generate(model="gpt-image-1", prompt="a fox", quality="low")
    assert answer.data is not None
    assert base64.b64decode(answer.data[0].b64_json or "") == PIXEL
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (2, 272)


def test_it_edits_several_pictures(client: OpenAI) -> None:
    answer = client.images.edit(model="gpt-image-1", image=[PICTURE, PICTURE], prompt="more foxes")
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.image_tokens == 388


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # The SDK calls the older models deprecated.
def test_it_varies_a_picture(client: OpenAI) -> None:
    answer = client.images.create_variation(image=PICTURE, model="dall-e-2", n=3, response_format="b64_json")
    assert answer.data is not None
    assert len(answer.data) == 3
