"""Tests of files with the official SDK."""

from typing import Any

import openai
import pytest
from openai import OpenAI

CONTENT = bytes(range(256)) * 40


def test_it_keeps_a_file_byte_for_byte(client: OpenAI) -> None:
    file: Any = ("notes.bin", CONTENT)
    made = client.files.create(file=file, purpose="assistants")
    assert (made.bytes, made.filename) == (len(CONTENT), "notes.bin")
    assert client.files.content(made.id).content == CONTENT
    assert client.files.retrieve(made.id) == made
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.content(made.id)


def test_it_lists_by_purpose(client: OpenAI) -> None:
    names = {}
    for purpose in ("batch", "fine-tune", "batch"):
        names[client.files.create(file=b"x", purpose=purpose).id] = purpose
    listed = [item.id for item in client.files.list(purpose="batch", limit=1)]
    assert sorted(listed) == sorted(name for name, purpose in names.items() if purpose == "batch")


def test_it_wants_a_purpose(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="purpose"):
        client.files.create(file=b"x", purpose="")  # type: ignore[arg-type]
