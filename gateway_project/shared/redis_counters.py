"""Counters in Redis, shared by all proxy processes: one Lua script, one round trip, for each operation.

The scripts lie in `lua/`; `lua/subject.lua` says how a subject is stored. When Redis cannot be reached every
operation raises CountersUnavailable within the timeouts, and at once after repeated failures. A Redis that comes
back empty knows no subject, so the first request of each asks for its balance. What is reserved then is in no
balance: every process puts back what it holds before it sends anything else, and no rebuild begins before all had
the time to do so.
"""

import asyncio
import hashlib
import logging
import re
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway_project.shared.counters import (
    Admission,
    Admitted,
    Balance,
    BalanceNeeded,
    CounterId,
    CountersUnavailable,
    Limit,
    RebuildTicket,
    Refused,
)
from gateway_project.shared.redis_connection import Reply
from gateway_project.shared.redis_pipeline import RedisPipeline

SETTLED_KNOWN_S = 300
TOMBSTONE_S = 86_400
RENEWED_AT_ONCE = 1000
_LUA = Path(__file__).with_name("lua")
# The server is up and of no use: another one, or the same a little later, may be.
_WRONG_SERVER = ("LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOAUTH")
_log = logging.getLogger(__name__)

Argument = str | bytes | int


class _Script(NamedTuple):
    source: str
    digest: str


def _script(name: str) -> _Script:
    source = "\n".join((_LUA / f"{part}.lua").read_text() for part in ("subject", name))
    return _Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


_ADMIT, _SETTLE, _RENEW = _script("admit"), _script("settle"), _script("renew")
_BEGIN, _FINISH = _script("begin_rebuild"), _script("finish_rebuild")
_RESTORE = _script("restore")
_UPTIME = re.compile(r"uptime_in_seconds:(\d+)")


class RedisCounters:
    """A CounterStore. url: one server or several, separated by commas, tried in order; timeouts in seconds.

    regroup_s: until a server has been up for so long, no rebuild begins: it may have come back empty, and other
    processes may not have put back yet what they hold. Longer than the pauses between attempts to reconnect.
    """

    def __init__(
        self, url: str, *, read_timeout_s: float = 1.0, write_timeout_s: float = 0.5, regroup_s: float = 0.0
    ) -> None:
        self._redis = RedisPipeline(
            url, read_timeout_s=read_timeout_s, write_timeout_s=write_timeout_s, on_connect=self._regroup
        )
        self._lease_s = 60
        self._regroup_s = regroup_s
        self._regrouped_at = 0.0
        self._held: dict[str, tuple[str, list[Argument]]] = {}

    async def admit(self, subject: str, reservation_id: str, limits: Sequence[Limit], lease_s: int) -> Admission:
        self._lease_s = lease_s
        slots = " ".join([f"{limit.counter.kind}/{limit.counter.unit}" for limit in limits])
        return await self._reserve(subject, reservation_id, limits, slots)

    async def extend(self, subject: str, reservation_id: str, limits: Sequence[Limit]) -> Admission:
        return await self._reserve(subject, reservation_id, limits, "")

    async def _reserve(self, subject: str, reservation_id: str, limits: Sequence[Limit], slots: str) -> Admission:
        arguments: list[Argument] = [reservation_id, self._lease_s * 1000, slots]
        for (kind, unit, start_at, epoch), _, maximum, amount in limits:
            arguments += (f"{kind}/{unit}", f"{start_at}:{epoch}", maximum, amount)
        try:
            reply = await self._run(_ADMIT, [_key(subject)], arguments)
        except asyncio.CancelledError:
            if slots:  # who only asked for more still settles
                self._release(subject, reservation_id)
            raise
        verdict = reply[0]
        if verdict == 0:
            self._hold(subject, reservation_id, arguments)
            return Admitted(tuple([(int(reply[i]), int(reply[i + 1])) for i in range(1, len(reply), 2)]))
        if verdict < 0:
            return BalanceNeeded()
        return Refused(limits[verdict - 1], int(reply[1]), int(reply[2]))

    def _release(self, subject: str, reservation_id: str) -> None:
        """Nobody waits for this reservation any more, and nobody will settle it: give it back, if it came about.

        It goes out behind the admission, on the same connection.
        """
        keys = [_key(subject), _settled_key(subject, reservation_id)]
        try:
            future = self._redis.send(_evalsha(_SETTLE, keys, [reservation_id, SETTLED_KNOWN_S, "1"]))
        except CountersUnavailable as error:
            _log.info("a reservation is left to the end of its lease: %s", error)
        else:
            future.add_done_callback(asyncio.Future.exception)

    def _hold(self, subject: str, reservation_id: str, arguments: list[Argument]) -> None:
        """Remember a reservation, or what was added to it, for a Redis that forgets."""
        slots, windows, amounts = arguments[3::4], arguments[4::4], arguments[6::4]
        holds = [part for hold in zip(slots, windows, amounts, strict=True) for part in hold]
        self._held.setdefault(reservation_id, (subject, []))[1].extend(holds)

    def _regroup(self) -> None:
        """On a new connection: put back what this process holds, and see whether others may still have to."""
        asked = self._redis.send(("INFO", "server"))
        asked.add_done_callback(self._note_uptime)
        restored = [self._redis.send(("SCRIPT", "LOAD", _RESTORE.source))] if self._held else []
        for reservation_id, (subject, holds) in self._held.items():
            keys = [_key(subject), _settled_key(subject, reservation_id)]
            restored.append(self._redis.send(_evalsha(_RESTORE, keys, [reservation_id, self._lease_s * 1000, *holds])))
        for each in restored:
            each.add_done_callback(_log_failure)

    def _note_uptime(self, asked: asyncio.Future[Reply]) -> None:
        """A server that does not tell is taken for an old one."""
        failed = asked.cancelled() or asked.exception() is not None or not isinstance(asked.result(), bytes)
        told = None if failed else _UPTIME.search(asked.result().decode())
        if told:
            self._regrouped_at = asked.get_loop().time() + self._regroup_s - int(told[1])

    async def settle(self, subject: str, reservation_id: str, amounts: Mapping[CounterId, int]) -> bool:
        self._held.pop(reservation_id, None)
        arguments: list[Argument] = [reservation_id, SETTLED_KNOWN_S, ""]
        for (kind, unit, start_at, epoch), amount in amounts.items():
            arguments += (f"{kind}/{unit}", f"{start_at}:{epoch}", amount)
        keys = [_key(subject), _settled_key(subject, reservation_id)]
        return bool(await self._run(_SETTLE, keys, arguments))

    async def renew(self, leases: Sequence[tuple[str, str]], lease_s: int) -> None:
        by_subject = defaultdict(list)
        for subject, reservation_id in leases:
            by_subject[subject].append(reservation_id)
        calls = [
            self._run(_RENEW, [_key(subject)], [lease_s * 1000, *ids[first : first + RENEWED_AT_ONCE]])
            for subject, ids in by_subject.items()
            for first in range(0, len(ids), RENEWED_AT_ONCE)
        ]
        await asyncio.gather(*calls)

    async def begin_rebuild(self, subject: str) -> RebuildTicket:
        token, *live = await self._run(_BEGIN, [_key(subject)], [uuid.uuid4().hex])
        if (wait_s := self._regrouped_at - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(wait_s)
            token, *live = await self._run(_BEGIN, [_key(subject)], [uuid.uuid4().hex])
        return RebuildTicket(token.decode(), tuple(reservation_id.decode() for reservation_id in live))

    async def finish_rebuild(self, subject: str, ticket: RebuildTicket, balance: Balance) -> bool:
        arguments: list[Argument] = [ticket.token, TOMBSTONE_S, len(balance.used)]
        for (kind, unit, start_at, epoch), used in balance.used.items():
            arguments += (f"{kind}/{unit}", f"{start_at}:{epoch}", used)
        keys = [_key(subject), _settled_key(subject, "")]
        return bool(await self._run(_FINISH, keys, [*arguments, *balance.settled]))

    async def close(self) -> None:
        await self._redis.close()

    async def _run(self, script: _Script, keys: list[str], arguments: Sequence[Argument]) -> Reply:
        reply = await self._redis.send(_evalsha(script, keys, arguments))
        if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT"):
            # A new or flushed server; EVAL also loads it.
            reply = await self._redis.send(("EVAL", script.source, len(keys), *keys, *arguments))
        if isinstance(reply, Exception):
            reason = f"Redis refused a command: {reply}"
            if reason.partition(": ")[2].startswith(_WRONG_SERVER):
                self._redis.drop_connection(reason)
            raise CountersUnavailable(reason) from reply
        return reply


def _log_failure(sent: asyncio.Future[Reply]) -> None:
    trouble = sent.exception() or (sent.result() if isinstance(sent.result(), Exception) else None)
    if trouble is not None:
        _log.warning("what was reserved could not be put back into Redis: %s", trouble)


def _evalsha(script: _Script, keys: list[str], arguments: Sequence[Argument]) -> tuple[Argument, ...]:
    return ("EVALSHA", script.digest, len(keys), *keys, *arguments)


def _key(subject: str) -> str:
    """The braces keep all of a subject on one node of a cluster."""
    return f"gatehouse:{{{subject}}}"


def _settled_key(subject: str, reservation_id: str) -> str:
    return f"gatehouse:{{{subject}}}:{reservation_id}"
