"""What the request path needs to know of a key: immutable, no Django."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathRule:
    """An allowed path: exact, a template (`/threads/:thread_id`) or a prefix ending in `*`; method in upper case."""

    method: str
    path: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as the proxy sees it. None means "no limit"; times are unix seconds, money nano-dollars."""

    id: str
    name: str
    tags: tuple[str, ...] = ()
    setting_ids: tuple[str, ...] = ()
    cost_limit_nano: int | None = None
    cost_window_limit_nano: int | None = None
    cost_window_unit: str | None = None
    request_limit: int | None = None
    request_window_unit: str | None = None
    counter_epoch: int = 0
    expires_at: int | None = None
    allowed_paths: tuple[PathRule, ...] = ()
    should_log_request: bool = False
    should_log_response: bool = False
    rotation_enabled: bool = False
    allow_unmetered: bool = False
    policy_id: str | None = None
    revoked: bool = False
    revoked_reason: str = ""

    @property
    def has_cost_limit(self) -> bool:
        return self.cost_limit_nano is not None or self.cost_window_limit_nano is not None


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """What changed since a version.

    version: the newest; snapshot_version: the newest that touches the snapshot (settings, prices, …).
    digests: key digests to drop; None means the journal no longer reaches back so far: drop all.
    """

    version: int
    snapshot_version: int
    digests: tuple[str, ...] | None = ()
