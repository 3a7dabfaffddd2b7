"""Tests of the proxy with Amazon's SDK: the gateway key as access key id, and nothing else changed but the endpoint."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from reporting.records import UsageEventRecord
from tests.provider_settings import setting_at
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, price, proxy_in_thread
from tests.upstream import Upstream

CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{CLAUDE}"
NOVA = "amazon.nova-lite-v1:0"
MakeClient = Callable[[Caller], Any]
TEMPORARY = {
    "awsAccessKeyId": "ASIAFAKETEMPORARY",
    "awsSecretAccessKey": "fake-temporary-secret",
    "awsSessionToken": "fake-session-token",
}
TEXT = "The quick brown fox jumps over the lazy dog and then it rests under a tall"
HI: Any = [{"role": "user", "content": [{"text": "hi"}]}]
# One pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
CLAUDE_BODY = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "hi"}],
}
WEATHER: Any = {
    "toolSpec": {
        "name": "weather",
        "inputSchema": {"json": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
}
PRICES = (
    price(provider="bedrock", model=CLAUDE, cache_read_pico=100, cache_write_pico=1_250, cache_write_1h_pico=2_000,
          max_output_tokens=64_000, max_input_tokens=200_000),
    price(provider="bedrock", model=NOVA, cache_read_pico=100, cache_write_pico=1_250, max_output_tokens=10_000,
          max_input_tokens=300_000,
          tiers={"priority": price(provider="bedrock", model=NOVA, input_pico=2_000, output_pico=4_000)}),
    price(provider="bedrock", model="meta.llama3-8b-instruct-v1:0", max_output_tokens=2_000, max_input_tokens=8_000),
    price(provider="bedrock", model="amazon.titan-embed-text-v2:0", output_pico=0, max_input_tokens=8_192),
)  # fmt: skip


@pytest.fixture(scope="module")
def running_bedrock(running_upstream: Upstream) -> Iterator[RunningProxy]:
    setting = setting_at(running_upstream.url, "bedrock", secrets=TEMPORARY)
    doors = PlainDoors(settings={setting.id: setting}, prices={("bedrock", each.model): each for each in PRICES})
    with proxy_in_thread(doors) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_bedrock: RunningProxy, upstream: Upstream) -> RunningProxy:
    """The proxy, before an upstream that remembers nothing."""
    return running_bedrock


@pytest.fixture
def caller(gateway: RunningProxy) -> Caller:
    return gateway.caller(setting_ids=("setting-bedrock",))


@pytest.fixture
def sdk_of() -> Iterator[MakeClient]:
    """The SDK as its users make it: what it signs with is no secret of anybody's."""
    clients = []

    def make(caller: Caller) -> Any:
        client = boto3.client(
            "bedrock-runtime",
            region_name="eu-west-1",
            endpoint_url=f"{caller.gateway.url}/api/providers/bedrock",
            aws_access_key_id=caller.secret,
            aws_secret_access_key="made up",
            aws_session_token="client's token",
            config=Config(retries={"total_max_attempts": 1}),
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(sdk_of: MakeClient, caller: Caller) -> Any:
    return sdk_of(caller)


def figures(event: UsageEventRecord) -> tuple[object, ...]:
    """What a test says of an event: tokens in and out, nano-dollars, how it ended, who counted."""
    tokens = (event.input_tokens, event.output_tokens)
    return (event.operation, *tokens, event.cost_nano, event.ending, event.status, event.usage_source)


def chunks_of(answer: Any) -> list[Any]:
    return [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]


def test_an_invocation_is_signed_anew_and_its_body_arrives_byte_for_byte(
    caller: Caller, client: Any, upstream: Upstream
) -> None:
    sent = json.dumps(CLAUDE_BODY | {"temperature": 0.50, "é": [1.0, {}]}, indent=1).encode()
    answer = client.invoke_model(modelId=PROFILE, body=sent, trace="ENABLED")
    assert json.loads(answer["body"].read())["content"][0]["text"] == TEXT
    seen = upstream.last()
    assert seen.body == sent
    assert seen.target.split("?")[0] == f"/model/{PROFILE.replace(':', '%3A').replace('/', '%2F')}/invoke"
    assert (seen.header("x-amz-security-token"), seen.header("x-amzn-bedrock-trace")) == (
        "fake-session-token",
        "ENABLED",
    )
    assert "/us-east-1/bedrock/aws4_request" in (seen.header("authorization") or "")
    told = " ".join(f"{name}: {value}" for name, value in seen.headers)
    assert caller.secret not in told
    assert "client's token" not in told
    assert "amz-sdk-" not in told
    event = caller.event()
    assert figures(event) == ("chat", 8, 16, 40, "completed", 200, "upstream")
    assert (event.request_model, event.provider, event.attempts) == (PROFILE, "bedrock", 1)


def test_an_invocation_streams_chunk_by_chunk(caller: Caller, client: Any) -> None:
    answer = client.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(CLAUDE_BODY))
    chunks = chunks_of(answer)
    assert "".join(chunk["delta"].get("text", "") for chunk in chunks if "delta" in chunk) == TEXT
    assert chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 16
    event = caller.event()
    assert figures(event) == ("chat", 8, 16, 40, "completed", 200, "upstream")
    assert event.stream


def test_cached_tokens_of_a_streamed_claude_have_their_own_prices(
    caller: Caller, client: Any, upstream: Upstream
) -> None:
    upstream.fail("cached=1000,cache-write=200,cache-write-1h=50")
    chunks_of(client.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(CLAUDE_BODY)))
    event = caller.event()
    assert (event.cache_read_tokens, event.cache_write_tokens, event.cache_write_1h_tokens) == (1000, 200, 50)
    assert event.cost_nano == 8 + 32 + 100 + 250 + 100


@pytest.mark.parametrize("streamed", [False, True])
def test_the_tier_that_a_header_tells_has_its_own_price(caller: Caller, client: Any, streamed: bool) -> None:
    asked = {"modelId": NOVA, "body": json.dumps({"messages": HI}), "serviceTier": "priority"}
    if streamed:
        chunks_of(client.invoke_model_with_response_stream(**asked))
    else:
        assert client.invoke_model(**asked)["serviceTier"] == "priority"
    event = caller.event()
    assert event.cost_nano == 2 * (8 + 32)


def test_a_conversation_is_answered_and_booked(caller: Caller, client: Any, upstream: Upstream) -> None:
    upstream.fail("cached=100,cache-write=40")
    answer = client.converse(modelId=NOVA, messages=HI, inferenceConfig={"maxTokens": 100})
    assert answer["output"]["message"]["content"] == [{"text": TEXT}]
    assert answer["usage"]["cacheReadInputTokens"] == 100
    event = caller.event()
    assert figures(event)[:3] == ("chat", 8, 16)
    assert event.cost_nano == 8 + 32 + 10 + 50


def test_a_conversation_streams(caller: Caller, client: Any) -> None:
    answer = client.converse_stream(modelId=NOVA, messages=HI)
    events = list(answer["stream"])
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(texts) == TEXT
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 16
    assert figures(caller.event()) == ("chat", 8, 16, 40, "completed", 200, "upstream")


@pytest.mark.parametrize("model", [CLAUDE, NOVA])
def test_tools_and_pictures_pass(caller: Caller, client: Any, upstream: Upstream, model: str) -> None:
    picture = {"image": {"format": "png", "source": {"bytes": PIXEL}}}
    messages = [{"role": "user", "content": [{"text": "what is it"}, picture]}]
    answer = client.converse(modelId=model, messages=messages, toolConfig={"tools": [WEATHER]})
    assert answer["stopReason"] == "tool_use"
    assert answer["output"]["message"]["content"][0]["toolUse"]["input"] == {"city": "fox"}
    sent = upstream.last().json()["messages"][0]["content"][1]["image"]["source"]["bytes"]
    assert base64.b64decode(sent) == PIXEL
    streamed = client.converse_stream(modelId=model, messages=messages, toolConfig={"tools": [WEATHER]})
    deltas = [event["contentBlockDelta"]["delta"] for event in streamed["stream"] if "contentBlockDelta" in event]
    assert json.loads("".join(delta["toolUse"]["input"] for delta in deltas)) == {"city": "fox"}
    assert caller.event(number=2).ending == "completed"


@pytest.mark.parametrize(
    ("model", "body", "tokens"),
    [
        ("meta.llama3-8b-instruct-v1:0", {"prompt": "say it now", "max_gen_len": 100}, (3, 16)),
        ("amazon.titan-text-express-v1", {"inputText": "say it", "textGenerationConfig": {"maxTokenCount": 9}}, (2, 9)),
        ("mistral.mistral-7b-instruct-v0:2", {"prompt": "say it", "max_tokens": 7}, (2, 7)),
        ("cohere.command-text-v14", {"prompt": "say it", "max_tokens": 7}, (2, 7)),
        ("ai21.jamba-1-5-mini-v1:0", {"messages": [{"role": "user", "content": "say it"}], "max_tokens": 7}, (2, 7)),
        (NOVA, {"messages": HI, "inferenceConfig": {"max_new_tokens": 6}}, (8, 6)),
    ],
)
def test_every_family_is_metered_plain_and_streamed(
    caller: Caller, client: Any, model: str, body: Any, tokens: tuple[int, int]
) -> None:
    client.invoke_model(modelId=model, body=json.dumps(body), contentType="application/json")
    plain = caller.event()
    assert ((plain.input_tokens, plain.output_tokens), plain.usage_source) == (tokens, "upstream")
    chunks_of(client.invoke_model_with_response_stream(modelId=model, body=json.dumps(body)))
    streamed = caller.event(number=2)
    assert ((streamed.input_tokens, streamed.output_tokens), streamed.usage_source) == (tokens, "upstream")


def test_embeddings_are_priced_by_what_went_in(caller: Caller, client: Any) -> None:
    client.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=json.dumps({"inputText": "one two three"}))
    assert figures(caller.event()) == ("embeddings", 3, 0, 3, "completed", 200, "upstream")


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("429", (429, "ThrottlingException")),
        ("503", (503, "ServiceUnavailableException")),
        ("bad-status=400", (400, "ValidationException")),
        ("bad-status=403", (403, "AccessDeniedException")),
        ("bad-status=404", (404, "ResourceNotFoundException")),
    ],
)
def test_the_upstreams_errors_are_raised_as_they_are(
    caller: Caller, client: Any, upstream: Upstream, fault: str, raised: tuple[int, str]
) -> None:
    status, name = raised
    for call in (client.converse, client.converse_stream):
        upstream.fail(fault)
        with pytest.raises(getattr(client.exceptions, name)) as caught:
            call(modelId=NOVA, messages=HI)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    event = caller.event(number=2)
    assert (event.status, event.cost_nano) == (status, 0)


def converse(client: Any) -> Any:
    return client.converse(modelId=NOVA, messages=HI, inferenceConfig={"maxTokens": 16})


@pytest.mark.parametrize(
    ("changes", "raised", "code"),
    [
        ({"request_limit": 0, "request_window_unit": "h"}, "ThrottlingException", "rate_limit_reached"),
        ({"revoked": True}, "AccessDeniedException", "key_revoked"),
        ({"setting_ids": ()}, "AccessDeniedException", "no_setting"),
        ({"cost_limit_nano": 1}, "ServiceQuotaExceededException", "cost_limit_reached"),
    ],
)
def test_the_gateways_refusals_are_amazons_exceptions(
    gateway: RunningProxy, sdk_of: MakeClient, changes: dict[str, Any], raised: str, code: str
) -> None:
    caller = gateway.caller(**{"setting_ids": ("setting-bedrock",), **changes})
    client = sdk_of(caller)
    with pytest.raises(getattr(client.exceptions, raised)) as caught:
        converse(client)
    event = caller.event()
    assert (event.error_code, event.ending) == (code, "refused")
    assert caught.value.response["ResponseMetadata"]["RequestId"] == event.id


def test_a_key_nobody_knows_and_a_body_nobody_reads_are_amazons_exceptions(
    gateway: RunningProxy, sdk_of: MakeClient, client: Any
) -> None:
    with pytest.raises(client.exceptions.ValidationException, match="not JSON"):
        client.invoke_model(modelId=CLAUDE, body=b"{")
    stranger = sdk_of(Caller(gateway, gateway.caller().key, "nobody's/key"))
    with pytest.raises(stranger.exceptions.AccessDeniedException, match="not known"):
        converse(stranger)


@pytest.mark.parametrize("secret", ["with/slashes/in it", "a, SignedHeaders=b, Credential=c/d"])
def test_a_gateway_key_may_hold_any_character(gateway: RunningProxy, sdk_of: MakeClient, secret: str) -> None:
    record = gateway.caller(setting_ids=("setting-bedrock",)).key
    gateway.doors.put_key(record, secret)
    assert converse(sdk_of(Caller(gateway, record, secret)))["stopReason"] == "end_turn"


def test_a_wrong_secret_is_amazons_to_refuse(gateway: RunningProxy, sdk_of: MakeClient, upstream: Upstream) -> None:
    setting = setting_at(upstream.url, "bedrock", id="setting-wrong", secrets={
        "awsAccessKeyId": "AKIAFAKEUPSTREAM", "awsSecretAccessKey": "another"})  # fmt: skip
    gateway.doors.settings[setting.id] = setting
    gateway.doors.version += 1
    caller = gateway.caller(setting_ids=(setting.id,))
    with pytest.raises(ClientError) as caught:
        converse(sdk_of(caller))
    assert caught.value.response["Error"]["Code"] in ("InvalidSignatureException", "AccessDeniedException")


@contextmanager
def stream_of(client: Any, api: str) -> Iterator[Any]:
    """The events of an answer, whose connection is closed in the end."""
    if api == "converse":
        events = client.converse_stream(modelId=NOVA, messages=HI)["stream"]
    else:
        events = client.invoke_model_with_response_stream(modelId=CLAUDE, body=json.dumps(CLAUDE_BODY))["body"]
    with closing(events):
        yield events


@pytest.mark.parametrize("api", ["converse", "invoke"])
def test_an_error_within_a_stream_is_raised_and_charged(
    caller: Caller, client: Any, upstream: Upstream, api: str
) -> None:
    upstream.fail("error-event=5")
    with stream_of(client, api) as events, pytest.raises(EventStreamError, match="throttlingException"):
        list(events)
    event = caller.event()
    assert (event.ending, event.error_code, event.output_tokens) == ("upstream_failed", "throttlingException", 5)


@pytest.mark.parametrize("api", ["converse", "invoke"])
@pytest.mark.parametrize("fault", ["cut=5", "cut-clean=5", "malformed=5"])
def test_a_stream_that_breaks_off_ends_with_an_exception(
    caller: Caller, client: Any, upstream: Upstream, api: str, fault: str
) -> None:
    upstream.fail(fault)
    with stream_of(client, api) as events, pytest.raises(EventStreamError, match="modelStreamErrorException"):
        list(events)
    event = caller.event()
    assert (event.ending, event.error_code) == ("upstream_failed", "upstream_stream_broken")
    assert event.cost_nano > 0


@pytest.mark.parametrize("api", ["converse", "invoke"])
def test_a_client_that_leaves_pays_for_what_came(caller: Caller, client: Any, upstream: Upstream, api: str) -> None:
    upstream.fail("tokens=1000,slow=30")
    with stream_of(client, api) as events:
        for _, _event in zip(range(8), events, strict=False):
            pass
    upstream.wait_for_ending("client-left")
    event = caller.event()
    assert (event.ending, event.usage_source) == ("client_left", "counted")
    assert 1 <= event.output_tokens < 1000


def ending_of_conversation(events: list[Any]) -> tuple[object, ...]:
    return (events[-3]["contentBlockStop"]["contentBlockIndex"], events[-2]["messageStop"]["stopReason"],
            events[-1]["metadata"]["usage"]["outputTokens"] > 0)  # fmt: skip


def ending_of_claude(events: list[Any]) -> tuple[object, ...]:
    stop, delta, last = (json.loads(event["chunk"]["bytes"]) for event in events[-3:])
    metrics = last["amazon-bedrock-invocationMetrics"]
    return stop["index"], delta["delta"]["stop_reason"], metrics["outputTokenCount"] > 0


@pytest.mark.parametrize(("api", "ending"), [("converse", ending_of_conversation), ("invoke", ending_of_claude)])
def test_a_stream_is_cut_at_the_cost_limit_as_the_model_would_end_it(
    gateway: RunningProxy,
    sdk_of: MakeClient,
    upstream: Upstream,
    api: str,
    ending: Callable[[list[Any]], tuple[object, ...]],
) -> None:
    # More than any maximum is generated, which only a provider that is broken does.
    caller = gateway.caller(setting_ids=("setting-bedrock",), cost_limit_nano=30_000)
    upstream.fail("huge=1")
    with stream_of(sdk_of(caller), api) as stream:
        events = list(stream)
    assert ending(events) == (0, "max_tokens", True)
    event = caller.event()
    assert (event.ending, event.error_code) == ("cut", "cost_limit_reached")
