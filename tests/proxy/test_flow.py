"""Tests of the request as the pipeline sees it."""

from proxy.flow import Meter, read_headers
from tests.proxy.builders import incoming


def test_the_first_of_each_header_counts() -> None:
    headers = [(b"x-metadata", b"1"), (b"x-metadata", b"2"), (b"accept", b"*/*"), (b"authorization", b"Bearer k")]
    assert read_headers(headers) == {b"x-metadata": b"1", b"authorization": b"Bearer k"}
    assert incoming(headers=headers).header(b"x-metadata") == "1"
    assert incoming(headers=headers).header(b"content-type") == ""


def test_two_content_types_are_not_hidden() -> None:
    headers = [(b"content-type", b"application/json"), (b"content-type", b"text/plain")]
    assert incoming(headers=headers).header(b"content-type") == "application/json\ntext/plain"


def test_what_one_request_generates_is_not_anothers() -> None:
    first, second = Meter(), Meter()
    first.generated.append(b"x")
    assert second.generated == []
