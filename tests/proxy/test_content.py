"""Tests of reading a request body within its bounds."""

from typing import Any

import pytest

from gateway_project.shared.problems import BodyTooLarge
from proxy.content import ClientGone, ReadContent, declared_length


def receiving(*messages: dict[str, Any]) -> Any:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return receive


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("messages", "body"),
    [
        ([part(b"abc")], b"abc"),
        ([part(b"")], b""),
        ([{"type": "http.request"}], b""),
        ([part(b"ab", True), part(b"", True), part(b"c")], b"abc"),
    ],
)
async def test_it_reads_all_parts(messages: list[dict[str, Any]], body: bytes) -> None:
    assert await ReadContent(receiving(*messages), 0, 3)() == body


@pytest.mark.parametrize("messages", [[part(b"abcd")], [part(b"ab", True), part(b"cd", True)]])
async def test_it_stops_at_the_limit(messages: list[dict[str, Any]]) -> None:
    with pytest.raises(BodyTooLarge):
        await ReadContent(receiving(*messages), 0, 3)()


async def test_it_believes_a_length_that_is_too_large() -> None:
    with pytest.raises(BodyTooLarge):
        await ReadContent(receiving(), 4, 3)()


@pytest.mark.parametrize("before", [[], [part(b"a", True)]])
async def test_it_says_when_the_client_has_gone(before: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientGone):
        await ReadContent(receiving(*before, {"type": "http.disconnect"}), 0, 3)()


@pytest.mark.parametrize(("value", "length"), [(b"12", 12), (b"", 0), (b"-1", 0), (b"1.5", 0), (b"x", 0)])
def test_a_length_is_digits(value: bytes, length: int) -> None:
    assert declared_length(value) == length
