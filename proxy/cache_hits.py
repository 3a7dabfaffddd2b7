"""Answers with what was kept: a request like any other to limits on requests and to the books, but free."""

from gateway_project.shared import clock
from proxy.cache import MARK, Hit
from proxy.ratelimit_headers import ratelimit_headers
from proxy.relaying import RelayParts
from proxy.replay import PLAIN_TYPE, STREAM_TYPE
from proxy.reply import Reply
from proxy.stages.reserve import reserve_free
from proxy.visit import Visit


async def answer_hit(visit: Visit, hit: Hit, reply: Reply, parts: RelayParts) -> None:
    """Reserve, book, replay. Raises Problem when a limit on requests has no room."""
    meter, entry = visit.meter, hit.entry
    reservation = visit.reservation = await reserve_free(visit.request, visit.key, parts.ledger)
    reply.add_headers(ratelimit_headers(reservation, visit.request.arrived_at))
    stream = visit.body is not None and visit.body.facts.stream
    meter.status, meter.usage_source, meter.response_model = 200, "cache", entry.model
    if stream:
        meter.first_chunk = clock.perf()
    if visit.key.should_log_response:
        meter.response_body = bytearray(hit.content[: parts.logged_bytes])
    await parts.settler.close(visit)
    visit.watch.disarm()
    reply.add_headers(_told(hit))
    if stream:
        await reply.start(200, [STREAM_TYPE])
        await reply.end(hit.content)
    else:
        await reply.whole(200, [PLAIN_TYPE], hit.content)


def _told(hit: Hit) -> list[tuple[bytes, bytes]]:
    """Where the answer comes from, how old it is in seconds, and who gave it then."""
    age_s = max(clock.now() - hit.entry.stored_at, 0)
    told = [(MARK, b"hit"), (b"age", b"%d" % age_s), (b"x-gateway-attempts", b"0")]
    for name, text in ((b"x-gateway-provider", hit.entry.provider), (b"x-gateway-model", hit.entry.model)):
        # The model is what a client or a provider says it is: only what a header may hold.
        if value := bytes(byte for byte in text.encode("ascii", "replace") if 0x20 <= byte < 0x7F):
            told.append((name, value))
    return told
