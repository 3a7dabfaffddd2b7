"""Tests of holding answers: what begins one, what is none, and that nothing of it is lost."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from proxy import held_answer
from proxy.flow import Call
from proxy.headers import Header, answer_head
from proxy.held_answer import AnswerUnusable, HeldAnswer, hold
from proxy.upstream import UpstreamBroken
from tests.proxy.builders import call_of

ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null}}]}\n\n'
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"fox"}}]}\n\n'
TOOL = b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}\n\n'
AUDIO = b'data: {"choices":[{"index":0,"delta":{"audio":{"id":"a"}}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
FILTERS = b'data: {"choices":[],"prompt_filter_results":[{}]}\n\n'
COMMENT = b": OPENROUTER PROCESSING\n\n"
ERROR = b'data: {"error":{"message":"no","code":"overloaded"}}\n\n'
CREATED = b'event: response.created\ndata: {"type":"response.created","response":{}}\n\n'
DELTA = b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"x"}\n\n'
FAILED = b'data: {"type":"response.failed","response":{"error":{"code":"server_error"}}}\n\n'
WHOLE = b'{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}'


class Coming:
    """An answer whose pieces come one by one. An exception is raised, a number is waited for."""

    def __init__(
        self, *pieces: bytes | Exception | float, headers: list[Header] | None = None, status: int = 200
    ) -> None:
        self.status = status
        self.head = answer_head(headers or [(b"content-type", b"text/event-stream")])
        self.pieces = list(pieces)
        self.closed = 0

    @property
    def finished(self) -> bool:
        return not self.pieces

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        while piece := await self._next():
            yield piece

    def reader(self) -> Callable[[], Awaitable[bytes]]:
        return self._next

    async def _next(self) -> bytes:
        while self.pieces and isinstance(self.pieces[0], float):
            await asyncio.sleep(self.pieces[0])
            self.pieces.pop(0)
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        assert isinstance(piece, bytes)
        return piece

    def close(self) -> None:
        self.closed += 1


def whole(content: bytes, *, status: int = 200, encoding: bytes = b"") -> Coming:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    if encoding:
        headers.append((b"content-encoding", encoding))
    return Coming(content[: len(content) // 2], content[len(content) // 2 :], headers=headers, status=status)


async def replayed(held: HeldAnswer) -> bytes:
    read, parts = held.reader(), []
    while piece := await read():
        parts.append(piece)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("preamble", "first"),
    [
        ((ROLE,), WORD),
        ((ROLE,), TOOL),
        ((ROLE,), AUDIO),
        ((COMMENT, FILTERS, ROLE, ROLE), WORD),
        ((ROLE,), STOP),
        ((), DONE),
        ((), b'data: {"unheard":"of"}\n\n'),
        ((), b'data: {"type":["unheard","of"]}\n\n'),
        ((), b'data: {"choices":[{"index":0,"text":"fox"}]}\n\n'),
        ((b"data: ping\n\n",), WORD),
        ((b'data: {"type":["odd"],"choices":[]}\n\n',), WORD),
    ],
)
async def test_a_stream_is_held_until_it_says_something(preamble: tuple[bytes, ...], first: bytes) -> None:
    answer = Coming(*preamble, first, b"later")
    held = await hold(answer, call_of())
    assert answer.pieces == [b"later"]
    assert await replayed(held) == b"".join((*preamble, first, b"later"))


async def test_events_in_any_pieces_are_recognised() -> None:
    content = ROLE + WORD
    answer = Coming(*(content[at : at + 1] for at in range(len(content))), b"later")
    held = await hold(answer, call_of())
    assert answer.pieces == [b"later"]
    assert await replayed(held) == content + b"later"


async def test_the_preamble_of_responses_is_held_too() -> None:
    answer = Coming(CREATED, DELTA, b"later")
    await hold(answer, call_of("/responses"))
    assert answer.pieces == [b"later"]


@pytest.mark.parametrize(
    ("pieces", "tail", "code"),
    [
        ((ROLE, ERROR, WORD), "/chat/completions", "overloaded"),
        ((CREATED, FAILED), "/responses", "server_error"),
        ((ROLE, b'data: {"choices":[{"del\n\n', WORD), "/chat/completions", "upstream_malformed_answer"),
        ((ROLE,), "/chat/completions", "upstream_stream_broken"),
        ((), "/chat/completions", "upstream_stream_broken"),
        ((COMMENT, b"data: {"), "/chat/completions", "upstream_malformed_answer"),
    ],
)
async def test_what_fails_before_it_says_anything_is_no_answer(pieces: tuple[bytes, ...], tail: str, code: str) -> None:
    with pytest.raises(AnswerUnusable) as caught:
        await hold(Coming(*pieces), call_of(tail))
    assert caught.value.code == code


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), UpstreamBroken("x")])
async def test_a_connection_that_breaks_is_no_answer(error: Exception) -> None:
    for answer in (Coming(ROLE, error), Coming(WHOLE[:5], error, headers=[(b"content-type", b"application/json")])):
        with pytest.raises(UpstreamBroken):
            await hold(answer, call_of())


async def test_a_stream_that_says_nothing_for_long_is_passed_on_and_loses_nothing() -> None:
    held = await hold(Coming(ROLE, 0.15, WORD, DONE), call_of(), held_s=0.05)
    assert await replayed(held) == ROLE + WORD + DONE


async def test_a_stream_is_held_to_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_answer, "HELD_STREAM_BYTES", 100)
    answer = Coming(*[COMMENT] * 50)
    held = await hold(answer, call_of())
    assert len(answer.pieces) > 40
    assert await replayed(held) == COMMENT * 50


async def test_a_compressed_stream_comes_out_plain() -> None:
    packed = gzip.compress(ROLE + WORD + DONE)
    headers = [(b"content-type", b"text/event-stream"), (b"content-encoding", b"gzip"), (b"x-other", b"1")]
    held = await hold(Coming(packed[:20], packed[20:], headers=headers), call_of())
    assert (held.head.encoding, held.head.length) == (b"", None)
    assert held.head.to_client == [(b"content-type", b"text/event-stream"), (b"x-other", b"1")]
    assert await replayed(held) == ROLE + WORD + DONE
    with pytest.raises(UpstreamBroken):
        await hold(Coming(b"no gzip", headers=headers), call_of())


@pytest.mark.parametrize("encoding", [b"", b"gzip"])
async def test_a_whole_answer_is_held_to_its_end(encoding: bytes) -> None:
    content = gzip.compress(WHOLE) if encoding else WHOLE
    answer = whole(content, encoding=encoding)
    held = await hold(answer, call_of())
    assert answer.finished
    assert await held.read() == content


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "upstream_empty_answer"),
        (WHOLE[:20], "upstream_malformed_answer"),
        (b"[1]", "upstream_malformed_answer"),
        (b"<html>", "upstream_malformed_answer"),
        (b'{"error":{"message":"no","code":"overloaded"}}', "overloaded"),
    ],
)
async def test_what_says_200_and_is_no_answer_is_none(content: bytes, code: str) -> None:
    with pytest.raises(AnswerUnusable) as caught:
        await hold(whole(content), call_of())
    assert caught.value.code == code


async def test_an_answer_without_usage_or_in_an_unknown_compression_is_one() -> None:
    for answer in (whole(b'{"choices":[]}'), whole(b"\x01\x02", encoding=b"br")):
        await hold(answer, call_of())


@pytest.mark.parametrize("content", [b"", b"not json", b'{"error":{"code":"x"}}'])
async def test_an_error_with_its_status_is_an_answer_whatever_it_says(content: bytes) -> None:
    answer = whole(content, status=503)
    held = await hold(answer, call_of())
    held.close()
    assert (held.status, await held.read(), answer.closed) == (503, content, 1)


async def test_a_large_answer_is_passed_on_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_answer, "HELD_WHOLE_BYTES", 10)
    answer = Coming(b"123456", b"789012", b"later", headers=[(b"content-type", b"application/json")])
    held = await hold(answer, call_of())
    assert answer.pieces == [b"later"]
    assert not held.finished
    assert [piece async for piece in held.chunks()] == [b"123456", b"789012", b"later"]
    assert held.finished


async def test_a_large_error_is_kept_as_far_as_it_was_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_answer, "HELD_WHOLE_BYTES", 10)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"17")]
    held = await hold(Coming(b"123456", b"789012", b"later", headers=headers, status=500), call_of())
    held.close()
    assert (await held.read(), held.head.length) == (b"123456789012", None)


async def test_it_is_finished_when_everything_was_given_out() -> None:
    held = await hold(Coming(WORD), Call(call_of().adapter, call_of().operation, ""))
    assert not held.finished
    await held.reader()()
    assert held.finished
