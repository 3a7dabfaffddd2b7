"""One stored answer: what may become one, and its bytes in a store."""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import orjson

from proxy import sse

_TAG_BYTES = 16


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An answer with status 200, complete, as the provider sent it.

    stream: body is a run of server-sent events. stored_at: unix seconds. provider and model: who answered.
    """

    operation: str
    stream: bool
    body: bytes
    stored_at: int
    provider: str = ""
    model: str = ""


_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Entry)


def pack(secret: bytes, key: str, entry: Entry) -> bytes:
    """The entry as bytes that tell when they were changed, lie under another key, or come from somebody else."""
    packed = _encoder.encode(entry)
    return _tag(secret, key, packed) + packed


def unpack(secret: bytes, key: str, stored: bytes) -> Entry:
    """The entry. Raises ValueError when it is not what was stored under this key."""
    tag, packed = stored[:_TAG_BYTES], stored[_TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(secret, key, packed)):
        raise ValueError("the stored answer is damaged")
    return _decoder.decode(packed)


def _tag(secret: bytes, key: str, packed: bytes) -> bytes:
    digest = hashlib.blake2b(key=secret[:64], digest_size=_TAG_BYTES, person=b"answers")
    digest.update(b"%d:%b" % (len(key), key.encode()))
    digest.update(packed)
    return digest.digest()


def is_complete(operation: str, body: bytes, *, stream: bool) -> bool:
    """Whether an answer is whole and tells no error: only such ones may be given to others."""
    if stream:
        return _is_complete_stream(operation, list(payloads_of(body)), body)
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(answer, dict) or answer.get("error"):
        return False
    if operation == "responses":
        return answer.get("status") == "completed"
    if operation == "embeddings":
        return bool(answer.get("data"))
    choices = answer.get("choices")
    return isinstance(choices, list) and bool(choices) and all(_has_ended(choice) for choice in choices)


def payloads_of(body: bytes) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream's events."""
    for event in sse.events(body):
        payload = sse.payload_of(sse.data_of(event))
        if payload is not None:
            yield dict(payload)


def _is_complete_stream(operation: str, payloads: list[dict[str, Any]], body: bytes) -> bool:
    if not payloads or any(payload.get("error") or payload.get("type") == "error" for payload in payloads):
        return False
    if operation == "responses":
        return payloads[-1].get("type") == "response.completed"
    if operation not in ("chat", "text_completion") or not _ends_with_done(body):
        return False
    begun: set[Any] = set()
    ended: set[Any] = set()
    for payload in payloads:
        choices = payload.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if not isinstance(choice, dict):
                return False
            begun.add(choice.get("index", 0))
            if _has_ended(choice):
                ended.add(choice.get("index", 0))
    return bool(begun) and begun == ended


def _ends_with_done(body: bytes) -> bool:
    """Only what an event is counts: a text may say anything."""
    last = b""
    for event in sse.events(body):
        last = sse.data_of(event) or last
    return last == b"[DONE]"


def _has_ended(choice: Any) -> bool:
    return isinstance(choice, Mapping) and choice.get("finish_reason") not in (None, "", "error")
