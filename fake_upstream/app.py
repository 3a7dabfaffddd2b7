"""From a request to the way its answer is delivered."""

import re

import orjson

from fake_upstream import anthropic, azure, bedrock, errors, faults
from fake_upstream.call import Call, Options, State
from fake_upstream.control import PREFIX, Control
from fake_upstream.directives import Directives, parse, split_model
from fake_upstream.endpoints.models import UNKNOWN_MODEL
from fake_upstream.endpoints.router import ASKS_A_MODEL, answer
from fake_upstream.messages import Answer, Delivery, Reply, Request
from fake_upstream.multipart import parse_form
from fake_upstream.recorder import Recorder, RequestRecord

_BEARER = re.compile(r"^bearer +", re.IGNORECASE)
# Where providers of this dialect have it: /v1, /openai/v1, /v1/openai, /v1beta/openai, …
_VERSION = re.compile(r"/v1(?:beta(?=/openai/))?(?:/openai)?(?=/)")


class FakeUpstream:
    """The provider without its sockets."""

    def __init__(self, options: Options) -> None:
        self.recorder = Recorder(enabled=options.record)
        self._state = State(options)
        self._control = Control(self._state, self.recorder)

    def answer(self, request: Request) -> tuple[Delivery, RequestRecord | None]:
        """The delivery, and the record that it fills; control requests have none."""
        if request.path.startswith(PREFIX):
            return Delivery(self._control.answer(request)), None
        record = self.recorder.received(request)
        on_azure = azure.is_azure(request)
        call = Call(request, azure.path_of(request.path) if on_azure else path_of(request.path), self._state)
        problem = _read_body(call) or self._read_directives(call)
        return (Delivery(problem) if problem else self._deliver(call)), record

    def _deliver(self, call: Call) -> Delivery:
        silent = faults.never_answers(call)
        if silent is not None:
            return silent
        return faults.delivery(call, faults.spoil(call, self._answer(call)))

    def _answer(self, call: Call) -> Answer:
        if bedrock.is_bedrock(call.request):
            refused = bedrock.problem(call) or faults.refusal(call)
            return bedrock.answer(call) if refused is None else bedrock.refused(refused)
        on_azure = azure.is_azure(call.request)
        required = self._state.options.require_key
        if required and (given := (azure.key_of if on_azure else _key_of)(call.request)) != required:
            refused = errors.unauthorized(given)
            return anthropic.spoken(refused) if anthropic.is_anthropic(call.request) else refused
        if anthropic.is_anthropic(call.request):
            refused = faults.refusal(call) or _model_problem(call)
            return anthropic.spoken(refused or anthropic.answer(call) or answer(call))
        if not on_azure:
            return faults.refusal(call) or _model_problem(call) or answer(call)
        refused = azure.problem(call) or faults.refusal(call) or _model_problem(call)
        return refused or azure.filtered(answer(call))

    def _read_directives(self, call: Call) -> Reply | None:
        """Merge them, the strongest last; 400 when one is unknown."""
        if azure.is_azure(call.request):
            call.model = azure.model_of(azure.deployment_of(call.request) or call.model)
        elif bedrock.is_bedrock(call.request):
            call.model = bedrock.model_of(call.request)
        try:
            call.model, found = split_model(call.model)
            header = call.request.header(b"x-fake-fault")
            if header:
                found = {**found, **parse(header)}
        except ValueError as error:
            return errors.bad_request(str(error), param="x-fake-fault")
        scripted: Directives = self._state.script.take(call.path) if self._state.script.queue else {}
        call.directives = {**found, **scripted} if scripted else found
        return None


def path_of(path: str) -> str:
    """The path after the version: `/api/openai/v1/models` is `/models`, and so is `/models`."""
    version = _VERSION.search(path)
    return path[version.end() :] if version else path


def _read_body(call: Call) -> Reply | None:
    """Parse JSON or a form, and find the model; 400 for JSON that is none."""
    body = call.request.body
    if not body:
        return None
    kind = call.request.header(b"content-type")
    if "json" in kind or (not kind and body.lstrip()[:1] == b"{"):
        try:
            call.body = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return errors.bad_request(f"We could not parse the JSON body of your request: {error}")
    else:
        call.form = parse_form(kind, body)
    model = call.member("model", "")
    call.model = model if isinstance(model, str) else ""
    return None


def _model_problem(call: Call) -> Reply | None:
    if call.model == UNKNOWN_MODEL:
        return errors.unknown_model(call.model)
    if not call.model and call.request.method == "POST" and call.path in ASKS_A_MODEL:
        return errors.bad_request("you must provide a model parameter")
    return None


def _key_of(request: Request) -> str:
    bearer = _BEARER.sub("", request.header(b"authorization"))
    return bearer or request.header(b"api-key") or request.header(b"x-api-key")
