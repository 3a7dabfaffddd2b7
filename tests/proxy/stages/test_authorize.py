"""Tests of which paths a key may use."""

import pytest

from gateway_project.shared.problems import PermissionDenied
from keys.records import PathRule
from proxy.stages.authorize import authorize
from tests.proxy.builders import incoming
from tests.proxy_gateway import key

CHAT = "/api/providers/openai/v1/chat/completions"


def test_a_key_without_rules_may_use_every_path() -> None:
    authorize(incoming("/whatever"), key())


def test_a_key_with_rules_may_use_only_those() -> None:
    limited = key(allowed_paths=(PathRule("POST", CHAT), PathRule("GET", "/api/providers/openai/v1/files/:id")))
    authorize(incoming(), limited)
    authorize(incoming("/files/f1", method="GET"), limited)
    for tail, method in (
        ("/chat/completions", "GET"),
        ("/files", "GET"),
        ("/files/f1", "DELETE"),
        ("/embeddings", "POST"),
    ):
        with pytest.raises(PermissionDenied) as caught:
            authorize(incoming(tail, method=method), limited)
        assert caught.value.code == "path_not_allowed"
        assert f"{method} /api/providers/openai/v1{tail}" in caught.value.detail
