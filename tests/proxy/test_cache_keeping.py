"""Tests of copying answers on their way, and of which copies are kept."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from proxy.cache_entry import Entry
from proxy.cache_keeping import Copied, Keeper
from proxy.flow import Answer
from proxy.headers import AnswerHead
from proxy.relaying import RelayParts
from proxy.visit import Visit
from tests.proxy.builders import visit_of

WHOLE = b'{"choices":[{"index":0,"message":{"content":"fox"},"finish_reason":"stop"}]}'
STREAM = b'data: {"choices":[{"index":0,"delta":{"content":"fox"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
JSON, EVENTS = b"application/json", b"text/event-stream; charset=utf-8"


class Given:
    """An answer in pieces."""

    def __init__(self, *pieces: bytes, content_type: bytes = JSON, encoding: bytes = b"", status: int = 200) -> None:
        self.status = status
        self.head = AnswerHead([], content_type, encoding=encoding)
        self.closed = False
        self._pieces = list(pieces)

    @property
    def finished(self) -> bool:
        return not self._pieces

    async def read(self) -> bytes:
        content, self._pieces = b"".join(self._pieces), []
        return content

    async def chunks(self) -> AsyncIterator[bytes]:
        while self._pieces:
            yield self._pieces.pop(0)

    def reader(self) -> Callable[[], Awaitable[bytes]]:
        async def read() -> bytes:
            return self._pieces.pop(0) if self._pieces else b""

        return read

    def close(self) -> None:
        self.closed = True


class Books:
    def __init__(self) -> None:
        self.closed: list[Visit] = []

    async def close(self, visit: Visit) -> None:
        self.closed.append(visit)


async def read_whole(answer: Answer) -> bytes:
    return await answer.read()


async def read_chunks(answer: Answer) -> bytes:
    return b"".join([chunk async for chunk in answer.chunks()])


async def read_on(answer: Answer) -> bytes:
    read, parts = answer.reader(), []
    while chunk := await read():
        parts.append(chunk)
    return b"".join(parts)


READERS = pytest.mark.parametrize("read", [read_whole, read_chunks, read_on])


async def given(answer: Answer) -> Answer:
    return answer


@READERS
async def test_what_is_read_is_copied_and_passed_on(read: Callable[[Answer], Awaitable[bytes]]) -> None:
    inner = Given(b"ab", b"c", b"def")
    copied = Copied(inner, 6)
    assert await read(copied) == b"abcdef"
    assert (copied.content, copied.finished, copied.status) == (b"abcdef", True, 200)
    copied.close()
    assert inner.closed


@READERS
async def test_what_is_too_long_is_passed_on_all_the_same(read: Callable[[Answer], Awaitable[bytes]]) -> None:
    copied = Copied(Given(b"ab", b"c", b"def"), 5)
    assert await read(copied) == b"abcdef"
    assert copied.content is None


async def kept(answer: Given, *, most_bytes: int = 1000, **meter: object) -> tuple[list[Entry], Keeper]:
    """What is kept of an answer, relayed to its end."""
    found: list[Entry] = []
    keeper, books, visit = Keeper(most_bytes, found.append), Books(), visit_of()
    for name, value in meter.items():
        setattr(visit.meter, name, value)
    parts = keeper.relay_parts(RelayParts(books, None, 0))  # type: ignore[arg-type]
    await read_on(await keeper.asked(given(answer)))
    assert found == []
    await parts.settler.close(visit)
    assert books.closed == [visit]
    await parts.settler.close(visit)
    return found, keeper


async def test_a_whole_answer_is_kept_once_when_its_books_are_closed() -> None:
    [entry], keeper = await kept(Given(WHOLE), response_model="gpt-4o-2024")
    assert (entry.operation, entry.stream, entry.body) == ("chat", False, WHOLE)
    assert (entry.provider, entry.model) == ("openai", "gpt-4o-2024")
    assert entry.stored_at > 1_700_000_000
    assert keeper.answered


async def test_a_whole_stream_is_kept() -> None:
    [entry], _ = await kept(Given(STREAM[:30], STREAM[30:], content_type=EVENTS))
    assert (entry.stream, entry.body) == (True, STREAM)


@pytest.mark.parametrize(
    "answer",
    [Given(STREAM[:-14], content_type=EVENTS), Given(WHOLE[:-2]), Given(b""), Given(STREAM), Given(WHOLE * 20)],
)
async def test_an_answer_that_cannot_be_given_again_is_not_kept(answer: Given) -> None:
    found, keeper = await kept(answer)
    assert found == []
    assert keeper.answered


@pytest.mark.parametrize("answer", [Given(WHOLE, status=201), Given(WHOLE, status=500), Given(WHOLE, encoding=b"gzip")])
async def test_other_statuses_and_compressed_answers_are_not_copied(answer: Given) -> None:
    keeper = Keeper(1000, lambda entry: None)
    assert await keeper.asked(given(answer)) is answer


@pytest.mark.parametrize("ending", ["upstream_failed", "cut", "client_left"])
async def test_only_what_was_completed_is_kept(ending: str) -> None:
    found, keeper = await kept(Given(WHOLE), ending=ending)
    assert found == []
    assert not keeper.answered
