"""Ask the provider."""

from gateway_project.shared import clock
from gateway_project.shared.problems import Problem, UpstreamFailed, UpstreamTimedOut
from proxy.flow import Body, Meter, Plan
from proxy.headers import retry_after_s
from proxy.stages.plan import SettingChooser, without_usage_forced
from proxy.upstream import ConnectFailed, Upstream, UpstreamAnswer, UpstreamError, UpstreamTimeout
from proxy.visit import Visit


async def forward(visit: Visit, plan: Plan, body: Body, tools: tuple[Upstream, SettingChooser]) -> UpstreamAnswer:
    """The head of the provider's answer. Raises UpstreamError."""
    upstream, chooser = tools
    meter = visit.meter
    answer = (
        await _send_to_replica(plan, meter, tools) if plan.setting.base_urls else await _send(plan, meter, upstream)
    )
    if answer.status == 429:
        chooser.rotation.rest(plan.setting.id, retry_after_s(answer.head, clock.now()))
    if plan.usage_forced and answer.status in (400, 422):
        try:
            content = await answer.read()
        except BaseException:
            answer.close()
            raise
        if b"stream_options" in content or b"include_usage" in content:
            # This server does not know the member the gateway added: ask again as the client did, and remember.
            answer.close()
            chooser.remember_refusal(plan.setting, body.facts.model)
            plan = without_usage_forced(plan, body)
            return await (
                _send_to_replica(plan, meter, tools) if plan.setting.base_urls else _send(plan, meter, upstream)
            )
    return answer


async def _send_to_replica(plan: Plan, meter: Meter, tools: tuple[Upstream, SettingChooser]) -> UpstreamAnswer:
    """As _send; the request counts as outstanding at its address until the answer is closed."""
    upstream, chooser = tools
    base_url, replicas = plan.setting.base_url, chooser.replicas
    replicas.begin(base_url)
    try:
        answer = await _send(plan, meter, upstream)
    except BaseException as error:
        replicas.end(base_url)
        if isinstance(error, ConnectFailed):
            replicas.failed(base_url)
        raise
    answer.when_closed(lambda: replicas.end(base_url))
    return answer


async def _send(plan: Plan, meter: Meter, upstream: Upstream) -> UpstreamAnswer:
    meter.attempts += 1
    meter.sent = True
    meter.upstream_started = clock.perf()
    try:
        answer = await upstream.send(plan.request, plan.connect_s)
    except ConnectFailed:
        meter.sent = False
        raise
    meter.status = answer.status
    meter.upstream_request_id = answer.head.request_id.decode("latin-1")
    meter.service_tier = answer.head.service_tier
    return answer


def problem_of(error: UpstreamError, provider: str) -> Problem:
    """What a provider's failure means to the client, while nothing has been sent yet."""
    if isinstance(error, UpstreamTimeout):
        return UpstreamTimedOut(f"{provider} did not answer in time.")
    if isinstance(error, ConnectFailed):
        return UpstreamFailed(f"{provider} could not be reached.", code="upstream_unreachable")
    return UpstreamFailed(f"The connection to {provider} broke before the answer was complete.")
