"""Tests of what most adapters have in common."""

import pytest

from providers.adapters.base import Operation, PlainTransport, UpstreamRequest
from providers.records import ProviderRecord

SETTING = ProviderRecord(id="s", provider="p", base_url="https://host/prefix/v1")


@pytest.mark.parametrize(
    ("tail", "query", "url"),
    [
        ("/models/a%2Fb", "", "https://host/prefix/v1/models/a%2Fb"),
        ("/files", "a=b&c=%20+&&=", "https://host/prefix/v1/files?a=b&c=%20+&&="),
    ],
)
def test_path_and_query_go_as_the_client_sent_them(tail: str, query: str, url: str) -> None:
    assert PlainTransport().url(SETTING, tail, query) == url


def test_a_request_goes_out_as_it_is() -> None:
    request = UpstreamRequest("POST", "https://host", (("a", "b"),), b"{}")
    operation = Operation("chat", "estimated")
    assert PlainTransport().prepare(SETTING, operation, request) is request
    assert PlainTransport().decoder(operation) is None
