"""Which requests may share an answer: a digest of the tenant and of everything that can change what is answered. Pure.

Whatever is not known to be harmless counts. Two spellings share an answer only where JSON itself makes them equal
(order of members, white space, escapes); numbers count as they are written, since 1, 1.0 and 1e0 are not the same to
every server.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from keys.records import KeyRecord
from proxy import headers
from proxy.flow import IncomingRequest
from proxy.snapshot import Snapshot
from routes.records import RouteRecord

# Changes whenever the meaning of a key or the form of what is stored under it does.
VERSION = b"1"
# They say how an answer is delivered or whom it is for, not what it says. Only at the top of the body.
_HARMLESS_MEMBERS = ("stream", "stream_options", "user", "safety_identifier", "prompt_cache_key", "metadata")
# An answer that is kept by the provider, or continues what it keeps, belongs to one request.
_STATEFUL_MEMBERS = ("store", "previous_response_id", "conversation", "background")
# Of those that go to the provider. What is not listed here counts.
_HARMLESS_HEADERS = frozenset(
    {
        "accept", "accept-encoding", "cache-control", "content-type", "dnt", "idempotency-key", "origin", "pragma",
        "priority", "referer", "user-agent",
    }
)  # fmt: skip
_HARMLESS_PREFIXES = ("x-stainless-", "sec-")
# Numbers are kept one by one as they are written, at twenty times their length: ten times as many would hold the event
# loop for seconds.
MOST_BODY_BYTES = 4 * 1024 * 1024


def tenant_of(key: KeyRecord) -> str:
    """Who may share answers: today each key is on its own. Keys of one project will share theirs."""
    return f"key:{key.id}"


def is_stateful(document: Mapping[str, Any]) -> bool:
    """Whether the answer is more than its text: nobody else may get it, and nobody else's will do."""
    return any(document.get(name) not in (None, False) for name in _STATEFUL_MEMBERS)


def scope_of(key: KeyRecord, route: RouteRecord, snapshot: Snapshot) -> bytes:
    """What of the configuration an answer depends on: the same for all requests of a key to a route.

    Steps and settings count, so that an answer is never older than the change that would have made it another one, or
    refused it.
    """
    steps = [[step.provider, step.model, dict(step.params), dict(step.request_params)] for step in route.steps]
    providers = {step.provider for step in route.steps}
    settings = [
        [setting.id, setting.provider, setting.base_url, dict(setting.parameters), sorted(setting.allowed_models)]
        for setting_id in sorted(key.setting_ids)
        if (setting := snapshot.settings.get(setting_id)) is not None and setting.provider in providers
    ]
    parts = (tenant_of(key), route.id, route.cache.epoch if route.cache else 0, route.operation, steps, settings)
    # Exact for numbers too: a step's member may be a large integer, which orjson would refuse.
    return _digest([VERSION, json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()])


def cache_key(scope: bytes, request: IncomingRequest, content: bytes) -> str | None:
    """The key of a request whose body is a JSON object, as it stands after policies; None when it cannot have one."""
    body = canonical(content)
    if body is None:
        return None
    return _digest([scope, request.query.encode("latin-1"), *_telling_headers(request), body]).hex()


def canonical(content: bytes) -> bytes | None:
    """The body's members that count, sorted, numbers as they are written.

    None for what is no JSON object, is very large, is nested too deeply, or has a member twice: servers differ in which
    one they take.
    """
    if len(content) > MOST_BODY_BYTES:
        return None
    try:
        document = _DECODER.decode(content.decode())
        if not isinstance(document, dict):
            return None
        for name in _HARMLESS_MEMBERS:
            document.pop(name, None)
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except (ValueError, RecursionError, TypeError):  # orjson's errors are TypeErrors
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(
    # A fragment is written as it was read.
    parse_int=orjson.Fragment,
    parse_float=orjson.Fragment,
    parse_constant=_no_constant,
    object_pairs_hook=_object,
)


def _telling_headers(request: IncomingRequest) -> Iterable[bytes]:
    """Names and values that reach the provider and may change its answer; the order of one name's values counts."""
    sent = headers.to_upstream(request.headers, (), remove_user_agent=True)
    told = [
        (name, value)
        for name, value in sent
        if name not in _HARMLESS_HEADERS and not name.startswith(_HARMLESS_PREFIXES)
    ]
    told.sort(key=lambda header: header[0])
    return [part.encode("utf-8", "surrogatepass") for header in told for part in header]


def _digest(parts: Iterable[bytes]) -> bytes:
    """Each part with its length before it, so that no two lists of parts look alike."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()
