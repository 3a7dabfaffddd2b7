"""The proxy's settings, frozen, handed over by the composition root: nothing here reads the environment."""

from dataclasses import dataclass, field
from pathlib import Path

from keys.secrets import Pepper


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """Times in seconds, sizes in bytes. cors_allowed_origins: exact origins, or "*" for any.

    default_max_output_tokens: assumed where neither the request nor the model's price row tells a maximum;
    a longer stream grows its lease step by step.
    """

    peppers: tuple[Pepper, ...]
    spool_root: Path
    timeout_s: float = 600.0
    connect_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    max_body_bytes: int = 100 * 1024 * 1024
    max_logged_body_bytes: int = 64 * 1024
    cors_allowed_origins: frozenset[str] = field(default_factory=lambda: frozenset({"*"}))
    remove_user_agent: bool = False
    poll_interval_s: float = 0.25
    key_stale_s: float = 60.0
    key_cache_size: int = 50_000
    negative_cache_size: int = 10_000
    negative_cache_s: float = 30.0
    lease_s: int = 90
    default_max_output_tokens: int = 4096
    spool_fsync: bool = False
    access_log: bool = True
    cache_max_bytes: int = 64 * 1024 * 1024
    cache_max_answer_bytes: int = 1024 * 1024
