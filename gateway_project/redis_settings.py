"""Which Redis, if any."""

from urllib.parse import quote

from gateway_project.env import Environment

_SELECTING = ("REDIS_HOSTS", "REDIS_PASSWORD", "REDIS_USERNAME")


def redis_urls(env: Environment) -> tuple[str, ...]:
    """The servers to try in order: REDIS_URL (one or several, separated by commas), else REDIS_HOSTS.

    Empty: no Redis is configured.
    """
    urls = env.urls("REDIS_URL", schemes=("redis", "rediss", "unix"))
    hosts = env.words("REDIS_HOSTS", "localhost")
    port = env.port("REDIS_PORT", 6379)
    user, password = env.text("REDIS_USERNAME"), env.secret("REDIS_PASSWORD")
    index = env.integer("REDIS_DB_START_INDEX", 0, maximum=10_000)
    if urls:
        return urls
    if not any(env.values.get(name, "").strip() or env.values.get(f"{name}_FILE") for name in _SELECTING):
        return ()
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user or password else ""
    return tuple(f"redis://{login}{_with_port(host, port)}/{index}" for host in hosts)


def _with_port(host: str, port: int) -> str:
    """host, host:port, [IPv6] and [IPv6]:port are understood."""
    has_port = host.rpartition("]")[2].startswith(":") if host.startswith("[") else ":" in host
    return host if has_port else f"{host}:{port}"
