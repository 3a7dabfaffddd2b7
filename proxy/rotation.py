"""Whose turn it is among several settings, and which of them rest because their provider said so."""

import time
from collections.abc import Callable, Sequence

from providers.records import ProviderRecord

TURNS_KEPT = 100_000
RESTS_KEPT = 10_000
# A provider that says 429 without saying for how long.
DEFAULT_REST_S = 1.0
LONGEST_REST_S = 3600.0


class Rotation:
    """Settings are chosen as wholes: never one's secret with another's address. now: seconds that never jump."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._turns: dict[str, dict[str, int]] = {}
        self._resting: dict[str, float] = {}

    def rest(self, setting_id: str, seconds: float | None) -> None:
        """The provider refuses this setting for a while; None: it did not say how long."""
        if len(self._resting) >= RESTS_KEPT:
            self._resting.clear()
        rest_s = DEFAULT_REST_S if seconds is None else seconds
        self._resting[setting_id] = self._now() + min(max(rest_s, 0.0), LONGEST_REST_S)

    def is_resting(self, setting_id: str) -> bool:
        until = self._resting.get(setting_id)
        if until is None:
            return False
        if self._now() < until:
            return True
        del self._resting[setting_id]
        return False

    def next(self, key_id: str, able: Sequence[ProviderRecord]) -> ProviderRecord:
        """The setting whose turn it is: of the highest priority, in proportion to the weights, not resting.

        When all rest, the one that is ready first: refusing would be surer to fail than asking.
        """
        ready = [setting for setting in able if not self.is_resting(setting.id)]
        if not ready:
            return min(able, key=lambda setting: self._resting[setting.id])
        top = max(setting.priority for setting in ready)
        group = [setting for setting in ready if setting.priority == top]
        return self._in_turn(key_id, group) if len(group) > 1 else group[0]

    def _in_turn(self, key_id: str, group: Sequence[ProviderRecord]) -> ProviderRecord:
        """Smooth weighted round robin: everybody gains its weight, who has most pays for all."""
        turns = self._turns.get(key_id)
        if turns is None:
            if len(self._turns) >= TURNS_KEPT:
                self._turns.clear()
            turns = self._turns[key_id] = {}
        for setting in group:
            turns[setting.id] = turns.get(setting.id, 0) + setting.weight
        chosen = max(group, key=lambda setting: turns[setting.id])
        turns[chosen.id] -= sum(setting.weight for setting in group)
        return chosen


def preferred(able: Sequence[ProviderRecord]) -> ProviderRecord:
    """Without rotation: the highest priority, then the greatest weight, then the key's own order."""
    return max(able, key=lambda setting: (setting.priority, setting.weight))
