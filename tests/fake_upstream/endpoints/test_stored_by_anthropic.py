"""Tests of Anthropic's models, files and batches, as the official SDK sees them."""

import anthropic
import pytest
from anthropic import Anthropic

from tests.fake_upstream.endpoints.test_messages import ASKED


def test_it_has_models(claude: Anthropic) -> None:
    listed = claude.models.list(limit=2)
    assert [model.id for model in listed][-1] == "claude-sonnet-5"
    assert claude.models.retrieve("claude-opus-4-8").display_name == "Claude-Opus-4-8"
    with pytest.raises(anthropic.NotFoundError):
        claude.models.retrieve("does-not-exist")


def test_it_keeps_files(claude: Anthropic) -> None:
    made = claude.files.upload(file=("a.txt", b"abc"))
    assert [file.id for file in claude.files.list()] == [made.id]
    assert claude.files.download(made.id).read() == b"abc"
    claude.files.delete(made.id)
    with pytest.raises(anthropic.NotFoundError):
        claude.files.retrieve_metadata(made.id)


def test_a_batch_ends_when_somebody_looks(claude: Anthropic) -> None:
    made = claude.messages.batches.create(requests=[{"custom_id": "one", "params": ASKED}])
    assert made.processing_status == "in_progress"
    ended = claude.messages.batches.retrieve(made.id)
    assert (ended.processing_status, ended.request_counts.succeeded) == ("ended", 1)
    assert ended.results_url == f"https://api.anthropic.com/v1/messages/batches/{made.id}/results"
    assert [batch.id for batch in claude.messages.batches.list()] == [made.id]
    claude.messages.batches.delete(made.id)


def test_a_batch_can_be_cancelled(claude: Anthropic) -> None:
    made = claude.messages.batches.create(requests=[{"custom_id": "one", "params": ASKED}])
    assert claude.messages.batches.cancel(made.id).processing_status == "canceling"
