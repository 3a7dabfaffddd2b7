"""The configuration all requests share: frozen, replaced by one assignment."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from providers.records import CustomProviderRecord, PriceRecord, ProviderRecord
from routes.records import RouteRecord


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Settings by id, prices by (provider, model), custom providers by name, routes by path.

    version: the newest change it holds.
    """

    version: int = -1
    settings: Mapping[str, ProviderRecord] = field(default_factory=dict)
    prices: Mapping[tuple[str, str], PriceRecord] = field(default_factory=dict)
    custom_providers: Mapping[str, CustomProviderRecord] = field(default_factory=dict)
    routes: Mapping[str, RouteRecord] = field(default_factory=dict)


class SnapshotHolder:
    """The current snapshot. A failed rebuild keeps the last good one; age_s tells how old it is."""

    def __init__(self) -> None:
        self.current = Snapshot()
        self._confirmed = self._built = time.monotonic()

    def replace(self, snapshot: Snapshot) -> None:
        self.current = snapshot
        self._built = time.monotonic()
        self.confirm()

    def confirm(self) -> None:
        """The database says the current one is still the newest."""
        self._confirmed = time.monotonic()

    @property
    def built_s(self) -> float:
        """How long ago the current one was built."""
        return time.monotonic() - self._built

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._confirmed
