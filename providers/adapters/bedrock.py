"""Amazon Bedrock's own API: every path of it, signed anew with what the setting holds."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway_project.shared import clock
from providers.adapters import anthropic_usage, bedrock_usage, members
from providers.adapters.aws_identity import IDENTITY
from providers.adapters.aws_signing import AwsCredentials, Scope, signed
from providers.adapters.base import (
    BodyFacts,
    CutContext,
    ErrorDialect,
    Operation,
    PlainTransport,
    StreamDialect,
    UpstreamRequest,
    UsageReading,
)
from providers.adapters.bedrock_frames import EXCEPTION, cut_chunks, cut_converse, exception_frame, payload_of
from providers.adapters.bedrock_operations import BedrockOperation, facts_of, operation_of
from providers.records import ProviderRecord, TokenUsage

SERVICE = "bedrock"
_CONVERSATION = StreamDialect(always_ends=True, read_frame=payload_of, last_members=frozenset({"metadata", EXCEPTION}))
_CHUNKS = StreamDialect(
    last_types=frozenset({"message_stop"}),
    always_ends=True,
    read_frame=payload_of,
    last_members=frozenset({bedrock_usage.METRICS, EXCEPTION}),
)
_PLAIN = StreamDialect()
# A tuple: a type may be a list, which a set cannot look up.
_CLAUDE_TYPES = ("message", "message_start", "message_delta")
# Members of clients' SDKs that speak of the request to the gateway, not of the one the gateway makes.
_NOT_SENT = re.compile(r"x-amz-|amz-sdk-|x-amzn-(?!bedrock-)")


class BedrockAdapter(PlainTransport):
    """The Bedrock runtime. Bodies and frames pass as they are; usage and text are read from copies."""

    provider = "bedrock"
    path_prefix = "/api/providers/bedrock"
    error_dialect: ErrorDialect = "bedrock"
    prepares = True
    read_members = members.BEDROCK

    def prepare(self, setting: ProviderRecord, operation: Operation, request: UpstreamRequest) -> UpstreamRequest:
        """Signed. Raises Unavailable while the gateway's own AWS identity is not known."""
        del operation
        return sign_for(setting, request)

    def operation(self, method: str, tail: str) -> Operation:
        return operation_of(method, tail)

    def read_body(self, operation: Operation, document: Mapping[str, Any]) -> BodyFacts:
        return facts_of(operation, document)

    def credentials(self, setting: ProviderRecord) -> tuple[tuple[str, str], ...]:
        """None but the signature, which `prepare` makes."""
        del setting
        return ()

    def stream(self, operation: Operation) -> StreamDialect:
        if not isinstance(operation, BedrockOperation) or not operation.streams:
            return _PLAIN
        return _CONVERSATION if operation.api == "converse-stream" else _CHUNKS

    def read_answer(self, operation: Operation, content: bytes) -> UsageReading | None:
        del operation, content
        return None

    def read_usage(self, operation: Operation, payload: Mapping[str, Any]) -> UsageReading:
        if operation.name == "image_generation":
            images = payload.get("images")
            return UsageReading(TokenUsage(images=len(images)) if isinstance(images, list) else None)
        return self.read_event(operation, payload, None)

    def read_event(self, operation: Operation, payload: Mapping[str, Any], before: TokenUsage | None) -> UsageReading:
        metrics = bedrock_usage.metrics_of(payload, before)
        if metrics is not None:
            return UsageReading(metrics)
        if payload.get("type") in _CLAUDE_TYPES:
            return anthropic_usage.told_in(payload, before)
        model = payload.get("model")
        return UsageReading(bedrock_usage.usage_in(payload), model if isinstance(model, str) else "")

    def head_usage(self, headers: Sequence[tuple[bytes, bytes]]) -> TokenUsage | None:
        return bedrock_usage.head_usage_of(headers)

    def text_of(self, operation: Operation, payload: Mapping[str, Any], *, streamed: bool) -> str:
        return bedrock_usage.text_in(payload, streamed=streamed)

    def cut_events(self, operation: Operation, context: CutContext) -> bytes:
        conversation = isinstance(operation, BedrockOperation) and operation.api == "converse-stream"
        return cut_converse(context) if conversation else cut_chunks(context)

    def error_in(self, operation: Operation, payload: Mapping[str, Any]) -> str | None:
        told = payload.get(EXCEPTION)
        return str(told.get("type") or "upstream_error") if isinstance(told, Mapping) else None

    def error_event(self, operation: Operation, error: Mapping[str, Any]) -> bytes:
        return exception_frame("modelStreamErrorException", str(error.get("message", "")))


def sign_for(setting: ProviderRecord, request: UpstreamRequest) -> UpstreamRequest:
    """The request, signed with the setting's credentials or, where it has none, the gateway's own."""
    headers = [header for header in request.headers if not _NOT_SENT.match(header[0])]
    scope = Scope(setting.parameters.get("awsRegion", ""), SERVICE, clock.now())
    return signed(request._replace(headers=headers), _credentials(setting), scope)


def _credentials(setting: ProviderRecord) -> AwsCredentials:
    """Never a part of one identity with a part of another."""
    secrets = setting.secrets
    access, secret = secrets.get("awsAccessKeyId", ""), secrets.get("awsSecretAccessKey", "")
    if not access or not secret:
        return IDENTITY.credentials()
    return AwsCredentials(access, secret, secrets.get("awsSessionToken", ""))
