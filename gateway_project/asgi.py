"""Composition root: what the two listeners serve, and everything the proxy is given."""

import sys

from django.conf import settings
from django.core.asgi import get_asgi_application

from gateway_project.front import BodyLimit, Listener, NoLife, deny_websocket
from gateway_project.shared.counters import CounterStore
from gateway_project.shared.memory_counters import MemoryCounters
from gateway_project.shared.redis_counters import RedisCounters
from keys.peppers import current_peppers
from proxy.access_log import AccessLog
from proxy.application import Surroundings, build_proxy
from proxy.cache_store import AnswerStore
from proxy.cache_store_redis import RedisAnswers
from proxy.config import ProxyConfig
from proxy.refresh import DatabaseDoors

# A proxy tries to reach Redis every second.
_REGROUP_S = 3.0


def build_admin_listener(too_large: bytes) -> Listener:
    """Django: the admin site and the admin REST. No WebSockets. too_large: what refuses a longer body."""
    django = BodyLimit(get_asgi_application(), settings.MAX_BODY_BYTES, too_large)
    return Listener({"http": django, "websocket": deny_websocket}, NoLife())


def build_proxy_listener() -> Listener:
    """The proxy, with the doors to the database that only this module gives it."""
    surroundings = Surroundings(DatabaseDoors(settings.SPOOL_DIR), counters(), _access_log(), _answers())
    proxy = build_proxy(proxy_config(), surroundings)
    return Listener({"http": proxy, "websocket": deny_websocket}, proxy)


def proxy_config() -> ProxyConfig:
    """The proxy reads no settings itself."""
    return ProxyConfig(
        peppers=current_peppers(),
        spool_root=settings.SPOOL_DIR,
        timeout_s=settings.PROXY_TIMEOUT_S,
        connect_timeout_s=settings.UPSTREAM_CONNECT_TIMEOUT_S,
        body_timeout_s=settings.SLOW_SENDER_TIMEOUT_S,
        max_body_bytes=settings.MAX_BODY_BYTES,
        max_logged_body_bytes=settings.MAX_STORED_BODY_BYTES,
        cors_allowed_origins=frozenset(settings.CORS_ALLOWED_ORIGINS),
        remove_user_agent=settings.REMOVE_USER_AGENT,
        poll_interval_s=settings.CONFIG_POLL_S,
        key_stale_s=settings.KEY_STALE_S,
        lease_s=settings.RESERVATION_LEASE_S,
        spool_fsync=settings.SPOOL_FSYNC,
        access_log=settings.ACCESS_LOG,
        cache_max_bytes=settings.CACHE_MAX_BYTES,
        cache_max_answer_bytes=settings.CACHE_MAX_ANSWER_BYTES,
    )


def counters() -> CounterStore:
    """In Redis when there is one; in this process else, which then must be the only proxy."""
    if not settings.REDIS_URLS:
        return MemoryCounters()
    return RedisCounters(
        ",".join(settings.REDIS_URLS),
        read_timeout_s=settings.REDIS_READ_TIMEOUT_S,
        write_timeout_s=settings.REDIS_WRITE_TIMEOUT_S,
        regroup_s=_REGROUP_S,
    )


def _answers() -> AnswerStore | None:
    """In Redis when there is one, tagged with the installation's own secret; None: in the proxy's memory."""
    if not settings.REDIS_URLS:
        return None
    return RedisAnswers(settings.REDIS_URL, current_peppers()[0].value, settings.CACHE_REDIS_MAX_BYTES)


def _access_log() -> AccessLog:
    as_json = settings.GATEWAY_LOG_MODE == "production" or not sys.stdout.isatty()
    body_bytes = settings.MAX_STORED_BODY_BYTES if settings.GATEWAY_PRIVACY == "verbose" else 0
    return AccessLog(enabled=settings.ACCESS_LOG, as_json=as_json, body_bytes=body_bytes)
