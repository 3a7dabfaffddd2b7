"""The control endpoints: what tests read and set over HTTP."""

from dataclasses import asdict, replace
from typing import Any
from urllib.parse import parse_qs

import orjson

from fake_upstream.call import Options, State
from fake_upstream.endpoints.answers import json_reply
from fake_upstream.errors import bad_request
from fake_upstream.messages import Reply, Request
from fake_upstream.recorder import Recorder

PREFIX = "/__control/"


class Control:
    """Reads the recorder; sets faults and options; puts everything back."""

    def __init__(self, state: State, recorder: Recorder) -> None:
        self._state = state
        self._recorder = recorder
        self._options_at_start = replace(state.options)

    def answer(self, request: Request) -> Reply:
        """400 says what was wrong with a control request."""
        name = request.path.removeprefix(PREFIX)
        endpoints = {
            ("GET", "requests"): self._requests,
            ("GET", "connections"): self._connections,
            ("GET", "count"): self._count,
            ("POST", "faults"): self._add_fault,
            ("POST", "options"): self._set_options,
            ("POST", "reset"): self._reset,
        }
        endpoint = endpoints.get((request.method, name))
        if endpoint is None:
            return bad_request(f"No control endpoint {request.method} {name}.", status=404)
        try:
            return json_reply(endpoint(request))
        except (ValueError, TypeError, KeyError) as error:
            return bad_request(f"{type(error).__name__}: {error}")

    def _requests(self, request: Request) -> Any:
        limit = int(parse_qs(request.query).get("limit", ["100"])[-1])
        return [record.shown() for record in list(self._recorder.requests)[-limit:]]

    def _connections(self, _request: Request) -> Any:
        return [asdict(connection) for connection in self._recorder.connections]

    def _count(self, _request: Request) -> Any:
        still_open = sum(1 for connection in self._recorder.connections if connection.closed_at is None)
        counts = {"requests": self._recorder.count, "by_path": dict(self._recorder.by_path)}
        return counts | {"open_connections": still_open}

    def _add_fault(self, request: Request) -> Any:
        body = orjson.loads(request.body)
        self._state.script.add(body["fault"], int(body.get("times", 1)), body.get("path", ""))
        return {"queued": len(self._state.script.queue)}

    def _set_options(self, request: Request) -> Any:
        body = orjson.loads(request.body or b"{}")
        self._apply(replace(self._state.options, **body))
        return asdict(self._state.options)

    def _reset(self, _request: Request) -> Any:
        self._recorder.clear()
        self._state.script.queue.clear()
        self._state.script.failures.clear()
        self._state.objects.clear()
        self._apply(self._options_at_start)
        return {"reset": True}

    def _apply(self, options: Options) -> None:
        self._state.options = replace(options)
        self._recorder.enabled = options.record
