"""Figures of each request to a Datadog agent, in its UDP line format, as the worker stores the events.

Sent once per event, at most: a datagram nobody takes is gone, and nothing waits for it. The books are the truth.
"""

import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from reporting.aggregation import BadRecord, read_record
from reporting.records import UsageEventRecord
from reporting.services import Batch

# What passes an Ethernet network in one piece.
DATAGRAM_BYTES = 1432
_TAG_LENGTH = 100
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_./:-]+")

Send = Callable[[Batch, Sequence[bytes]], None]


class StatsdSender:
    """address: host:port of the agent."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        family, kind, _, _, target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        self._target: Any = target
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)

    def send(self, lines: Iterable[str]) -> None:
        for datagram in datagrams(lines):
            try:
                self._socket.sendto(datagram, self._target)
            except OSError:
                return  # No agent, or a full buffer: figures are not worth waiting for.

    def close(self) -> None:
        self._socket.close()


def reporting_to(sender: StatsdSender, send: Send) -> Send:
    """`send`, followed by the figures of the batch; a batch sent again is not counted again."""
    counted: dict[str, int] = {}

    def send_and_report(batch: Batch, payloads: Sequence[bytes]) -> None:
        send(batch, payloads)
        if batch.start < counted.get(batch.spool, 0):
            return
        counted[batch.spool] = batch.end
        sender.send(line for payload in payloads for line in _lines_of_payload(payload))

    return send_and_report


def lines(record: UsageEventRecord) -> list[str]:
    """One request in the agent's format."""
    tags = ",".join(
        f"{name}:{_tag(value)}"
        for name, value in (
            ("status", str(record.status)),
            ("ending", record.ending),
            ("provider", record.provider),
            ("model", record.response_model or record.request_model),
            ("operation", record.operation),
        )
        if value
    )
    counts = {
        "requests": 1,
        "tokens.input": record.input_tokens + record.cache_read_tokens + record.cache_write_tokens,
        "tokens.output": record.output_tokens,
        "cost_nano_usd": record.cost_nano,
    }
    times = {"latency": record.latency_ms, "time_to_first_chunk": record.time_to_first_chunk_ms}
    return [
        *(f"gatehouse.{name}:{value}|c|#{tags}" for name, value in counts.items() if value),
        *(f"gatehouse.{name}:{value}|ms|#{tags}" for name, value in times.items() if value is not None),
    ]


def datagrams(lines: Iterable[str]) -> Iterator[bytes]:
    """The lines, as many to a datagram as fit."""
    held = b""
    for line in lines:
        encoded = line.encode()
        if held and len(held) + 1 + len(encoded) > DATAGRAM_BYTES:
            yield held
            held = b""
        held = held + b"\n" + encoded if held else encoded
    if held:
        yield held


def _lines_of_payload(payload: bytes) -> list[str]:
    try:
        return lines(read_record(payload))
    except BadRecord:
        return []  # The task that stores the batch puts it aside, and says so.


def _tag(value: str) -> str:
    return _NOT_IN_TAGS.sub("_", value)[:_TAG_LENGTH]
