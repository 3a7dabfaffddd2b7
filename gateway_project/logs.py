"""Log lines: readable on a terminal, one JSON object per line elsewhere; never a secret in either."""

import functools
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from django.http import HttpRequest
from structlog.typing import Processor

REDACTED = "[redacted]"
_SECRET_NAMES = re.compile(
    r"authorization|cookie|password|passwd|secret|api[-_]?key|x-goog-api-key|pepper|credential", re.IGNORECASE
)
# Gateway keys, the providers' recognisable keys, and whatever follows an authentication scheme.
_SECRET_TEXT = re.compile(
    r"\b(?:sk|gh|rk|pk|xai|gsk)[-_][A-Za-z0-9_-]{8,}|\bAKIA[A-Z0-9]{12,}|(?i:\b(bearer|basic)\s+)[^\s\"',;]+"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)
_QUIET = {
    "uvicorn.error": logging.ERROR,  # It warns of each refused upgrade; its start and stop lines repeat ours.
    "daphne": logging.ERROR,
    "celery": logging.WARNING,
    "kombu": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "httpx": logging.WARNING,
    "botocore": logging.WARNING,
    "asyncio": logging.WARNING,
    "django.server": logging.ERROR,
    "django.security.DisallowedHost": logging.CRITICAL,  # A traceback for each request, which anybody can send.
}


def configure_logging(*, mode: str, privacy: str, role: str) -> None:
    """Set up structlog and the standard library's loggers for this process; both come out alike, on stdout.

    mode: "production" means JSON, "dev" readable lines if stdout is a terminal. privacy is bound to no line: who
    logs prompt text asks for "verbose" itself (settings.GATEWAY_PRIVACY), and here only the notice is written.
    """
    as_json = mode == "production" or not sys.stdout.isatty()
    first = _first_processors(role)
    _configure_structlog(first, as_json)
    _configure_standard_library(first, as_json)
    if privacy == "verbose":
        structlog.get_logger("gateway_project.logs").warning("prompt text will be logged (-p verbose)")


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remove secrets by the names of fields and by their look in texts; of Django's requests keep no query."""
    for name, value in event.items():
        event[name] = _redacted(name, value)
    return event


def _redacted(name: str, value: Any) -> Any:
    if value and _is_secret(name):
        return REDACTED
    if isinstance(value, HttpRequest):
        value = f"{value.method} {value.path}"
    if isinstance(value, str):
        return _SECRET_TEXT.sub(_replacement, value)
    if isinstance(value, dict):
        return {key: _redacted(str(key), part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", part) for part in value]
    return value


def _replacement(match: re.Match[str]) -> str:
    return f"{match[1]} {REDACTED}" if match[1] else REDACTED


@functools.lru_cache(maxsize=4096)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def _first_processors(role: str) -> list[Processor]:
    def add_role(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["role"] = role
        return event

    return [
        add_role,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderers(as_json: bool) -> list[Processor]:
    if as_json:
        return [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(serializer=_to_json)]
    return [
        structlog.processors.format_exc_info,
        redact,
        structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), pad_event_to=0),
    ]


def _configure_structlog(first: list[Processor], as_json: bool) -> None:
    structlog.configure(
        processors=[*first, *_renderers(as_json)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )


def _configure_standard_library(first: list[Processor], as_json: bool) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *first,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(as_json)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def _to_json(event: Any, **_options: Any) -> str:
    return orjson.dumps(event, default=str).decode()
