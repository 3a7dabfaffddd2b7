import asyncio
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis
import uvloop

from gateway_project.shared.counters import CountersUnavailable
from gateway_project.shared.redis_pipeline import FAILURES_UNTIL_OPEN, RedisPipeline
from tests.gateway_project.shared.redis_serving import ask, handled, make_certificate, relay, served
from tests.services import RedisServer, free_port


def pipeline_to(url: str) -> RedisPipeline:
    return RedisPipeline(url, read_timeout_s=0.4, write_timeout_s=0.2)


@pytest.fixture
async def pipeline(redis_url: str) -> AsyncIterator[RedisPipeline]:
    made = pipeline_to(redis_url)
    yield made
    await made.close()


class TestLogin:
    async def test_it_logs_in_with_a_password(self, own_redis_server: RedisServer) -> None:
        with redis.Redis(port=own_redis_server.port) as client:
            client.config_set("requirepass", "open, sesame")
            assert await ask(f"redis://:open%2C%20sesame@127.0.0.1:{own_redis_server.port}/1", "PING") == b"PONG"
            client.config_set("requirepass", "")

    async def test_it_logs_in_with_a_name(self, own_redis_server: RedisServer) -> None:
        with redis.Redis(port=own_redis_server.port) as client:
            client.acl_setuser("gate", enabled=True, passwords=["+secret"], commands=["+@all"], keys=["*"])
        assert await ask(f"redis://gate:secret@127.0.0.1:{own_redis_server.port}", "ACL", "WHOAMI") == b"gate"

    async def test_it_says_that_the_password_is_wrong(self, own_redis_server: RedisServer) -> None:
        with pytest.raises(CountersUnavailable, match=r"(?i)auth|password"):
            await ask(f"redis://:wrong@127.0.0.1:{own_redis_server.port}", "PING")

    async def test_it_selects_the_database(self, redis_url: str) -> None:
        with redis.Redis.from_url(redis_url) as client:
            client.set("here", "yes")
        assert await ask(redis_url, "GET", "here") == b"yes"


class TestServers:
    async def test_it_takes_the_first_that_answers(self, redis_server: RedisServer) -> None:
        assert await ask(f"redis://127.0.0.1:{free_port()},redis://127.0.0.1:{redis_server.port}", "PING") == b"PONG"

    async def test_it_speaks_over_a_unix_socket(self, tmp_path: Path, redis_server: RedisServer) -> None:
        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await relay(reader, writer, redis_server.port)

        async with handled(forward) as on_client:
            server = await asyncio.start_unix_server(on_client, tmp_path / "redis.sock")
            assert await ask(f"unix://{tmp_path}/redis.sock?db=1", "PING") == b"PONG"
            server.close()

    async def test_it_speaks_tls_and_verifies_the_server(self, tmp_path: Path, redis_server: RedisServer) -> None:
        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await relay(reader, writer, redis_server.port)

        certificate = make_certificate(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        async with served(forward, ssl=context) as port:
            assert await ask(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}", "PING") == b"PONG"
            with pytest.raises(CountersUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await ask(f"rediss://127.0.0.1:{port}", "PING")


class TestCircuit:
    async def test_it_waits_no_longer_for_a_connection(self) -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)

        async with served(silent) as port:
            began = time.monotonic()
            with pytest.raises(CountersUnavailable):
                await ask(f"redis://127.0.0.1:{port}", "PING", write_timeout_s=0.2)
            assert 0.15 < time.monotonic() - began < 2

    async def test_it_fails_at_once_after_repeated_failures(self) -> None:
        pipeline = pipeline_to(f"redis://127.0.0.1:{free_port()}")
        failed = await asyncio.gather(
            *[pipeline.send(("PING",)) for _ in range(FAILURES_UNTIL_OPEN)], return_exceptions=True
        )
        assert {type(failure) for failure in failed} == {CountersUnavailable}
        with pytest.raises(CountersUnavailable, match="cannot connect to Redis"):
            pipeline.send(("PING",))
        await pipeline.close()

    async def test_it_reconnects_by_itself(self, own_redis_server: RedisServer) -> None:
        pipeline = pipeline_to(own_redis_server.url)
        await pipeline.send(("PING",))
        own_redis_server.kill()
        await asyncio.sleep(0.4)
        with pytest.raises(CountersUnavailable):
            await pipeline.send(("PING",))
        own_redis_server.start()
        await asyncio.sleep(1.1)
        assert await pipeline.send(("PING",)) == b"PONG"
        await pipeline.close()

    async def test_it_survives_a_connection_that_was_closed_while_idle(self, redis_url: str) -> None:
        pipeline = pipeline_to(redis_url)
        number = await pipeline.send(("CLIENT", "ID"))
        with redis.Redis.from_url(redis_url) as client:
            client.client_kill_filter(_id=number)
        await asyncio.sleep(0.05)
        assert await pipeline.send(("PING",)) == b"PONG"
        await pipeline.close()

    async def test_it_connects_again_after_dropping_a_connection(self, pipeline: RedisPipeline) -> None:
        first = await pipeline.send(("CLIENT", "ID"))
        pipeline.drop_connection("it was of no use")
        assert await pipeline.send(("CLIENT", "ID")) != first

    async def test_it_fails_what_is_under_way_when_it_is_closed(self, redis_url: str) -> None:
        pipeline = pipeline_to(redis_url)
        await pipeline.send(("PING",))
        under_way = pipeline.send(("PING",))
        await pipeline.close()
        with pytest.raises(CountersUnavailable):
            await under_way
        with pytest.raises(CountersUnavailable):
            pipeline.send(("PING",))


def test_it_runs_under_uvloop(redis_url: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(ask(redis_url, "PING")) == b"PONG"


def test_it_runs_under_twisted(redis_url: str) -> None:
    script = """
import asyncio, sys
from twisted.internet import asyncioreactor
loop = asyncio.new_event_loop()
asyncioreactor.install(loop)
from twisted.internet import reactor
from gateway_project.shared.redis_pipeline import RedisPipeline

async def main():
    pipeline = RedisPipeline(sys.argv[1], read_timeout_s=5, write_timeout_s=5)
    print(await pipeline.send(("PING",)))
    await pipeline.close()
    reactor.stop()

reactor.callWhenRunning(lambda: setattr(reactor, "kept", loop.create_task(main())))
reactor.run()
"""
    command = [sys.executable, "-c", script, redis_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "b'PONG'\n", done.stderr
