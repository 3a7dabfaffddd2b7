"""Where Redis is and how to log in, read from URLs."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """One server. path: of a unix socket, used instead of host and port. str() shows no password."""

    host: str
    port: int
    path: str = ""
    database: int = 0
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"

    def handshake(self) -> list[bytes]:
        """The commands a new connection starts with, packed; the last one also tells whether the server is alive."""
        commands: list[tuple[str, ...]] = []
        if self.password:
            commands.append(("AUTH", self.username, self.password) if self.username else ("AUTH", self.password))
        if self.database:
            commands.append(("SELECT", str(self.database)))
        commands.append(("PING",))
        return [hiredis.pack_command(command) for command in commands]  # type: ignore[arg-type]  # its stub allows one word only


def parse_addresses(urls: str) -> list[RedisAddress]:
    """Addresses of redis://, rediss:// and unix:// URLs, separated by commas. Raises ValueError."""
    return [_parse(url.strip()) for url in urls.split(",")]


def _parse(url: str) -> RedisAddress:
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(f"a Redis URL starts with redis://, rediss:// or unix://, not {parts.scheme!r}")
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    is_socket = parts.scheme == "unix"
    database = options.get("db", "0") if is_socket else parts.path.strip("/") or options.get("db", "0")
    if not database.isdigit():
        raise ValueError(f"{database!r} is not the number of a Redis database")
    return RedisAddress(
        host=parts.hostname or "localhost",
        port=parts.port or 6379,
        path=unquote(parts.path) if is_socket else "",
        database=int(database),
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=_tls(options) if parts.scheme == "rediss" else None,
    )


def _tls(options: dict[str, str]) -> ssl.SSLContext:
    """Verified by default; ssl_ca_certs names a file of own authorities, ssl_cert_reqs=none trusts any."""
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
