"""Circuit breakers: who keeps failing is left alone for a while. One per setting and model, in this process only."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

WINDOW_S = 30
FEWEST_SAMPLES = 5
FAILURE_RATE = 0.5
OPEN_S = 10.0
# A probe that never ends (its process is stopped in the middle) must not keep a circuit from being tried again.
PROBE_S = 600.0
KEPT = 10_000
logger = structlog.get_logger("proxy.breaker")

State = Literal["closed", "open", "half_open"]
Name = tuple[str, str]


@dataclass(slots=True)
class _Circuit:
    """seconds: [second, samples, failures], oldest first. opened_at: None while closed. probing_since: of the probe."""

    seconds: deque[list[int]] = field(default_factory=deque)
    opened_at: float | None = None
    probing_since: float | None = None

    def add(self, now: float, *, failed: bool) -> None:
        second = int(now)
        if not self.seconds or self.seconds[-1][0] != second:
            self.seconds.append([second, 0, 0])
        self.seconds[-1][1] += 1
        self.seconds[-1][2] += failed

    def rate(self, now: float) -> tuple[int, int]:
        """(samples, failures) of the window."""
        while self.seconds and self.seconds[0][0] <= now - WINDOW_S:
            self.seconds.popleft()
        return sum(each[1] for each in self.seconds), sum(each[2] for each in self.seconds)

    def state(self, now: float) -> State:
        if self.opened_at is None:
            return "closed"
        return "open" if now - self.opened_at < OPEN_S else "half_open"


class Breakers:
    """All circuits. A name is (setting id, model). clock: seconds that never jump.

    Whoever may enter tells afterwards how it went: with note(), always.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._circuits: dict[Name, _Circuit] = {}

    def may_enter(self, name: Name) -> bool:
        """Whether to ask now. Of a circuit that is half open one may, and others wait for how it went."""
        circuit = self._circuits.get(name)
        if circuit is None or circuit.opened_at is None:
            return True
        now = self._clock()
        probed = circuit.probing_since is not None and now - circuit.probing_since < PROBE_S
        if circuit.state(now) == "open" or probed:
            return False
        circuit.probing_since = now
        return True

    def opened_at(self, name: Name) -> float:
        """When the circuit opened last; by it the one that has rested longest is found."""
        circuit = self._circuits.get(name)
        return 0.0 if circuit is None or circuit.opened_at is None else circuit.opened_at

    def note(self, name: Name, *, ok: bool | None) -> None:
        """How an attempt went. None: it says nothing about the provider (a rate limit, a client that left)."""
        circuit = self._circuits.get(name)
        if circuit is None and (ok is None or (circuit := self._new(name)) is None):
            return
        circuit_was_open = circuit.opened_at is not None
        circuit.probing_since = None
        if ok is None:
            return
        now = self._clock()
        circuit.add(now, failed=not ok)
        if circuit_was_open:
            self._note_open(name, circuit, now, ok=ok)
        elif not ok:
            samples, failures = circuit.rate(now)
            if samples >= FEWEST_SAMPLES and failures >= samples * FAILURE_RATE:
                circuit.opened_at = now
                logger.warning("breaker_opened", setting_id=name[0], model=name[1], samples=samples, failures=failures)

    def states(self) -> list[dict[str, Any]]:
        """The circuits that are not closed."""
        now = self._clock()
        found = []
        for (setting_id, model), circuit in self._circuits.items():
            if circuit.opened_at is not None:
                samples, failures = circuit.rate(now)
                found.append(
                    {
                        "setting_id": setting_id,
                        "model": model,
                        "state": circuit.state(now),
                        "opened_s_ago": round(now - circuit.opened_at, 1),
                        "samples": samples,
                        "failures": failures,
                    }
                )
        return found

    def _note_open(self, name: Name, circuit: _Circuit, now: float, *, ok: bool) -> None:
        """Of an open circuit only its probe and whoever was asking already can tell."""
        if ok:
            self._circuits.pop(name, None)
            logger.info("breaker_closed", setting_id=name[0], model=name[1])
        else:
            circuit.opened_at = now

    def _new(self, name: Name) -> _Circuit | None:
        """Models may be the clients' words, so what they fill is bounded."""
        if len(self._circuits) >= KEPT:
            self._circuits = {each: circuit for each, circuit in self._circuits.items() if circuit.opened_at}
            if len(self._circuits) >= KEPT:
                return None
        return self._circuits.setdefault(name, _Circuit())
