"""Events and reports over REST, as the seed has them."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway_project.shared.problems import BadRequest
from gateway_project.shared.rest import AdminView, json_object, query_list, query_number
from keys.queries import key_exists
from keys.services import KeyNotFound
from reporting.api.problems import BadEnd, BadStart, EndMissing, InvalidReportingRequest, NoFilters, StartMissing
from reporting.api.serializers import (
    EventSerializer,
    KeySpendSerializer,
    ReportRequestSerializer,
    ReportSerializer,
    event_object,
    report_object,
    report_request,
    spend_object,
)
from reporting.event_queries import MAX_POINTS, EventFilter, TooManyPoints, find_events, usage_report
from reporting.models import UsageEvent
from reporting.queries import has_history, spend_by_key

PAGE_EVENTS = 1000
# Events carry bodies: a page ends early rather than fill the memory of both sides.
PAGE_BYTES = 16_000_000


class EventsView(AdminView):
    """Single events."""

    @extend_schema(
        operation_id="get_events",
        parameters=[
            OpenApiParameter("customId", description="Events the client gave this id."),
            OpenApiParameter("userId", description="Events of this end user."),
            OpenApiParameter("keyIds", many=True, description="Events of these keys; repeated, or with commas."),
            OpenApiParameter("start", int, description="From this unix second on; required with keyIds."),
            OpenApiParameter("end", int, description="Up to and including this unix second; required with keyIds."),
            OpenApiParameter("limit", int, description=f"At most this many, {PAGE_EVENTS} at most and by default."),
            OpenApiParameter("offset", int, description="Leave out this many of the newest."),
        ],
        responses=EventSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """The events that meet every condition, newest first; customId, userId or keyIds is required. A page has
        at most 1000 events or 16 MB; `link` says where the next one is."""
        limit = query_number(request, "limit", maximum=PAGE_EVENTS) or PAGE_EVENTS
        offset = query_number(request, "offset")
        found = find_events(_wanted(request))[offset : offset + limit + 1]
        events, more = _page(found.iterator(chunk_size=100), limit)
        headers = {"Link": f'<{_address(request, offset + len(events), limit)}>; rel="next"'} if more else {}
        return Response(events, headers=headers)


class ReportView(AdminView):
    """Events summed."""

    @extend_schema(operation_id="report_events", request=ReportRequestSerializer, responses=ReportSerializer)
    def post(self, request: Request) -> Response:
        """Sums per bucket and, with `filters`, per value; the latencies are the median and the 99th percentile of
        the same events."""
        wanted, increment_s, group_by = report_request(json_object(request))
        try:
            report = usage_report(wanted, increment_s=increment_s, group_by=group_by)
        except TooManyPoints as error:
            detail = f"fields [increment] are invalid: the report would have more than {MAX_POINTS} points"
            raise InvalidReportingRequest(detail, fields=("increment",)) from error
        return Response(report_object(report))


class KeySpendView(AdminView):
    """What one key has spent."""

    @extend_schema(operation_id="get_key_spend", responses=KeySpendSerializer)
    def get(self, request: Request, key_id: str) -> Response:
        """All spend of a key that is in the books, also of one that was deleted."""
        if not key_exists(key_id) and not has_history(key_id):
            raise KeyNotFound(f"there is no key {key_id}")
        return Response(spend_object(key_id, spend_by_key([key_id])[key_id]))


def _page(found: Iterable[UsageEvent], limit: int) -> tuple[list[dict[str, Any]], bool]:
    """Events up to the limit or a page's size, and whether there are more."""
    events: list[dict[str, Any]] = []
    room = PAGE_BYTES
    for event in found:
        if len(events) == limit or room < 0:
            return events, True
        events.append(event_object(event))
        room -= len(event.request_body or "") + len(event.response_body or "")
    return events, False


def _wanted(request: Request) -> EventFilter:
    custom_id = request.query_params.get("customId", "")
    user_id = request.query_params.get("userId", "")
    key_ids = query_list(request, "keyIds")
    if not (custom_id or user_id or key_ids):
        raise NoFilters("customId, userId and keyIds are empty. one of them is required for retrieving events.")
    start_at = _time(request, "start", BadStart)
    end_at = _time(request, "end", BadEnd)
    if key_ids and start_at is None:
        raise StartMissing("start query param is not provided")
    if key_ids and end_at is None:
        raise EndMissing("end query param is not provided")
    return EventFilter(
        key_ids=key_ids,
        custom_ids=[custom_id] if custom_id else [],
        user_ids=[user_id] if user_id else [],
        start_at=start_at,
        end_at=None if end_at is None else end_at + 1,
    )


def _time(request: Request, name: str, error: type[BadRequest]) -> int | None:
    text = request.query_params.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise error(f"{name} query param must be int64: unix seconds")
    return int(text)


def _address(request: Request, offset: int, limit: int) -> str:
    """Relative, since what the gateway is called from outside is not known here."""
    query = [(name, value) for name, values in request.query_params.lists() for value in values]
    kept = [(name, value) for name, value in query if name not in ("limit", "offset")]
    return f"{request.path}?{urlencode([*kept, ('limit', limit), ('offset', offset)])}"
