"""Tests of the way back to the client."""

from proxy.reply import Reply
from tests.proxy.builders import Sent


async def test_a_whole_answer_has_its_length_and_the_headers_of_every_answer() -> None:
    sent = Sent()
    reply = Reply(sent, [(b"x-request-id", b"1")])
    assert not reply.started
    reply.add_headers([(b"x-more", b"2")])
    await reply.whole(201, [(b"content-type", b"text/plain")], b"hello")
    assert (sent.status, sent.body, sent.complete, reply.started) == (201, b"hello", True, True)
    assert sent.headers == {
        b"content-type": b"text/plain", b"x-request-id": b"1", b"x-more": b"2", b"content-length": b"5",
    }  # fmt: skip


async def test_an_answer_in_pieces_has_none() -> None:
    sent = Sent()
    reply = Reply(sent, [(b"x-request-id", b"1")])
    await reply.start(200, [(b"a", b"b")])
    await reply.chunk(b"1")
    assert not sent.complete
    await reply.end(b"2")
    assert (sent.headers, sent.body, sent.complete) == ({b"a": b"b", b"x-request-id": b"1"}, b"12", True)
