"""Servers to talk to, and ways to talk to them, for the tests of the connection to Redis."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway_project.shared.redis_pipeline import RedisPipeline

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


async def ask(url: str, *command: str, read_timeout_s: float = 5, write_timeout_s: float = 5) -> Any:
    """The reply to one command, over a connection of its own."""
    pipeline = RedisPipeline(url, read_timeout_s=read_timeout_s, write_timeout_s=write_timeout_s)
    try:
        return await pipeline.send(command)
    finally:
        await pipeline.close()


@asynccontextmanager
async def served(handler: Handler, **options: Any) -> AsyncIterator[int]:
    """A server on TCP that does as the handler says; its port."""
    async with handled(handler) as on_client:
        server = await asyncio.start_server(on_client, "127.0.0.1", 0, **options)
        yield server.sockets[0].getsockname()[1]
        server.close()


@asynccontextmanager
async def handled(handler: Handler) -> AsyncIterator[Handler]:
    """The handler with an end: afterwards nothing of it is left running or open."""
    tasks: list[asyncio.Task[None]] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())  # type: ignore[arg-type]
        with suppress(asyncio.CancelledError, ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.transport.abort()

    yield run
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks)
    await asyncio.sleep(0)


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Between a client and the Redis on a port, until the client leaves."""
    to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
        target.close()

    try:
        await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))
    finally:
        to_writer.transport.abort()


def make_certificate(folder: Path) -> Path:
    """A file with a key and a certificate for the loopback address, its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
