import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import redis

from gateway_project.shared.counters import CountersUnavailable
from gateway_project.shared.redis_pipeline import RedisPipeline
from tests.gateway_project.shared.redis_serving import ask, served
from tests.services import RedisServer


@pytest.fixture
async def pipeline(redis_url: str) -> AsyncIterator[RedisPipeline]:
    made = RedisPipeline(redis_url, read_timeout_s=5, write_timeout_s=5)
    yield made
    await made.close()


async def test_it_answers_in_the_order_of_the_commands(pipeline: RedisPipeline) -> None:
    replies = await asyncio.gather(*[pipeline.send(("ECHO", str(number))) for number in range(1000)])
    assert replies == [str(number).encode() for number in range(1000)]


async def test_it_sends_what_belongs_together_in_one_write(own_redis_server: RedisServer) -> None:
    pipeline = RedisPipeline(own_redis_server.url, read_timeout_s=5, write_timeout_s=5)
    await pipeline.send(("PING",))
    with redis.Redis(port=own_redis_server.port) as client:
        before = client.info("stats")["total_reads_processed"]
        await asyncio.gather(*[pipeline.send(("PING",)) for _ in range(100)])
        after = client.info("stats")["total_reads_processed"]
    assert after - before == 2  # one for the hundred, one for the second question
    await pipeline.close()


async def test_it_gives_an_error_reply_as_a_value(pipeline: RedisPipeline) -> None:
    assert "wrong number of arguments" in str(await pipeline.send(("GET",)))
    assert await pipeline.send(("PING",)) == b"PONG"


async def test_it_takes_values_of_any_size(pipeline: RedisPipeline) -> None:
    value = "x" * 3_000_000
    assert await pipeline.send(("SET", "large", value)) == b"OK"
    assert await pipeline.send(("GET", "large")) == value.encode()


class TestTimeouts:
    async def test_it_waits_no_longer_for_a_reply(self, own_redis_server: RedisServer) -> None:
        pipeline = RedisPipeline(own_redis_server.url, read_timeout_s=0.4, write_timeout_s=0.2)
        await pipeline.send(("PING",))
        own_redis_server.pause()
        began = time.monotonic()
        with pytest.raises(CountersUnavailable, match=r"did not answer within 0\.4 s"):
            await pipeline.send(("PING",))
        assert 0.35 < time.monotonic() - began < 2
        own_redis_server.resume()
        await pipeline.close()

    async def test_it_waits_no_longer_for_a_server_that_takes_nothing(self) -> None:
        async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"PING\r\n")
            writer.write(b"+PONG\r\n")
            await asyncio.sleep(60)

        async with served(deaf) as port:
            began = time.monotonic()
            with pytest.raises(CountersUnavailable, match="did not take a command"):
                await ask(f"redis://127.0.0.1:{port}", "SET", "large", "x" * 20_000_000, write_timeout_s=0.2)
            assert time.monotonic() - began < 2

    async def test_it_gives_up_on_what_is_no_redis(self) -> None:
        async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await reader.read(-1)

        async with served(other) as port:
            with pytest.raises(CountersUnavailable):
                await ask(f"redis://127.0.0.1:{port}", "PING")
