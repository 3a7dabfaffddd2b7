"""Writes a finished request into the spool: from then on it is in the books, whatever dies."""

import shutil
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway_project.shared import clock
from providers.adapters.base import LateUsage
from providers.records import TokenUsage
from proxy.attempts import usage_of_all
from proxy.config import ProxyConfig
from proxy.flow import Body
from proxy.visit import Visit
from reporting.records import UsageEventRecord
from reporting.spool import SpoolWriter

# With less than this left, requests in flight may still be recorded and new ones are refused.
ROOM_BYTES = 32 * 1024 * 1024
_MAX_TEXT = 255
_MAX_PATH = 2048
_MAX_METADATA = 4096
_RARER_USAGE = (
    "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "audio_input_tokens", "image_input_tokens",
    "reasoning_tokens", "audio_output_tokens", "image_output_tokens", "images", "seconds", "characters",
)  # fmt: skip


class Recorder:
    """Turns a visit into an event record and appends it. Raises OSError when the disk does not take it."""

    def __init__(self, config: ProxyConfig, spool: SpoolWriter) -> None:
        self._config = config
        self._spool = spool
        self._encoder = msgspec.json.Encoder()
        self.has_room = True

    def probe(self) -> None:
        """Look whether the disk has room; called from time to time, and often once it has none."""
        self.has_room = shutil.disk_usage(self._config.spool_root).free >= ROOM_BYTES

    def record(self, visit: Visit, *, cost_nano: int, price_status: str) -> UsageEventRecord:
        """Append the visit's event. Raises OSError when the disk does not take it."""
        event = self._event(visit, cost_nano, price_status)
        self._append(event)
        return event

    def record_late(self, visit: Visit, late: LateUsage, event_id: str, cost_nano: int | None) -> None:
        """Append the event of work whose usage a visit was told. Raises OSError. cost_nano: None for unpriced."""
        request, key, reservation = visit.request, visit.key, visit.reservation
        members: dict[str, Any] = {}
        _add_used(members, late.usage)
        event = UsageEventRecord(
            id=event_id,
            created_at=late.ended_at,
            key_id=key.id,
            method=request.method,
            path=request.path[:_MAX_PATH],
            status=visit.meter.status,
            ending="completed",
            charges=reservation.charges if reservation else (),
            tags=key.tags,
            operation="late_usage",
            provider=visit.call.adapter.provider if visit.call else "",
            setting_id=visit.plan.setting.id if visit.plan else "",
            request_model=late.model[:_MAX_TEXT],
            response_model=late.model[:_MAX_TEXT],
            usage_source="upstream",
            cost_nano=cost_nano or 0,
            price_status="unpriced" if cost_nano is None else "priced",
            policy_id=key.policy_id or "",
            upstream_request_id=late.name[:_MAX_TEXT],
            **members,
        )
        self._append(event)

    def _append(self, event: UsageEventRecord) -> None:
        try:
            self._spool.append(self._encoder.encode(event))
        except OSError:
            self.has_room = False
            raise

    def _event(self, visit: Visit, cost_nano: int, price_status: str) -> UsageEventRecord:
        request, key, meter, reservation = visit.request, visit.key, visit.meter, visit.reservation
        read, now = request.read, clock.perf()
        usage, usage_source = usage_of_all(meter) if meter.tried else (meter.usage, meter.usage_source)
        members = _asked(visit)
        if usage is not None:
            _add_used(members, usage)
        return UsageEventRecord(
            id=request.id,
            created_at=clock.now(),
            key_id=key.id,
            method=request.method,
            path=request.path[:_MAX_PATH],
            status=meter.status,
            ending=meter.ending,
            requests=1 if reservation else 0,
            charges=reservation.charges if reservation else (),
            tags=key.tags,
            setting_id=visit.plan.setting.id if visit.plan else "",
            response_model=meter.response_model[:_MAX_TEXT],
            error_code=meter.error_code[:_MAX_TEXT],
            usage_source=usage_source,
            cost_nano=cost_nano,
            price_status=price_status,
            latency_ms=int((now - request.started) * 1000),
            upstream_latency_ms=_span_ms(meter.upstream_started, meter.upstream_ended),
            time_to_first_chunk_ms=_span_ms(request.started, meter.first_chunk),
            attempts=len(meter.tried) or meter.attempts,
            attempt_details=meter.tried or None,
            custom_id=_text_of(read, b"x-custom-event-id")[:_MAX_TEXT],
            metadata=_text_of(read, b"x-metadata")[:_MAX_METADATA] or None,
            policy_id=key.policy_id or "",
            upstream_request_id=meter.upstream_request_id[:_MAX_TEXT],
            request_body=self._logged(visit.sent_body or visit.body) if key.should_log_request else None,
            response_body=_text(bytes(meter.response_body)) if meter.response_body is not None else None,
            **members,
        )

    def _logged(self, body: Body | None) -> str | None:
        return _text(body.content[: self._config.max_logged_body_bytes]) if body else None


def _text(content: bytes) -> str:
    """Bodies are stored as text; what is no UTF-8 (audio, images) loses those bytes, never the event."""
    return content.decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _text_of(read: Mapping[bytes, bytes], name: bytes) -> str:
    value = read.get(name)
    return value.decode("latin-1").replace("\x00", "") if value else ""


def _asked(visit: Visit) -> dict[str, Any]:
    """What was asked for, as far as the request got."""
    members: dict[str, Any] = {}
    if visit.call is not None:
        members["operation"] = visit.call.operation.name
        members["provider"] = "cached" if visit.meter.usage_source == "cache" else visit.call.adapter.provider
        if visit.call.route is not None:
            members["route_id"] = visit.call.route.id
    if visit.body is not None:
        facts = visit.body.facts
        members["request_model"] = facts.model[:_MAX_TEXT]
        members["stream"] = facts.stream
        if facts.user:
            members["user_id"] = facts.user.replace("\x00", "")[:_MAX_TEXT]
    return members


def _add_used(members: dict[str, Any], usage: TokenUsage) -> None:
    """The kinds of usage that occurred."""
    members["input_tokens"], members["output_tokens"] = usage.input_tokens, usage.output_tokens
    if usage == TokenUsage(usage.input_tokens, output_tokens=usage.output_tokens):
        return  # plain text, the most there is: none of the others has to be looked at
    for name in _RARER_USAGE:
        if value := getattr(usage, name):
            members[name] = value


def _span_ms(start: float | None, end: float | None) -> int | None:
    return None if start is None or end is None else int((end - start) * 1000)
