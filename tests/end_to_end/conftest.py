"""What these tests share: a proxy in a thread, or a whole gateway on services. Every test has keys of its own."""

import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.records import PriceRecord
from tests import services
from tests.end_to_end.acme import acme_doors
from tests.end_to_end.gateways import Whole, whole_gateway
from tests.proxy_gateway import Caller, PlainDoors, RunningProxy, openai_setting, price, proxy_in_thread
from tests.upstream import Upstream, upstream_in_thread
from tests.upstream import running_upstream as upstream_in_process

PRICES = (
    price(model="gpt-4o", max_output_tokens=16_384, max_input_tokens=128_000),
    price(model="gpt-4o-mini", input_pico=100, output_pico=400, max_output_tokens=16_384, max_input_tokens=128_000),
    price(model="gpt-3.5-turbo-instruct", max_output_tokens=4096, max_input_tokens=4096),
    price(model="text-embedding-3-small", input_pico=20_000, output_pico=0, max_input_tokens=8191),
    price(model="dall-e-2", input_pico=None, output_pico=None, image_prices={"1024x1024": 20_000_000_000,
                                                                             "256x256": 16_000_000_000}),
    price(model="gpt-image-1", input_pico=5_000, output_pico=None, image_input_pico=10_000, image_output_pico=40_000),
    price(model="tts-1", input_pico=None, output_pico=None, character_pico=15_000_000),
    price(model="gpt-4o-mini-tts", input_pico=600_000, output_pico=None, audio_output_pico=12_000_000),
    price(model="whisper-1", input_pico=None, output_pico=None, second_pico=100_000_000),
    price(model="gpt-4o-transcribe", input_pico=2_500_000, audio_input_pico=6_000_000, output_pico=10_000_000),
)  # fmt: skip


@pytest.fixture(scope="session")
def running_upstream() -> Iterator[Upstream]:
    with upstream_in_thread() as upstream:
        yield upstream


@pytest.fixture
def upstream(running_upstream: Upstream) -> Upstream:
    """Remembers nothing of the test before."""
    running_upstream.reset()
    return running_upstream


@pytest.fixture
def well_before_midnight() -> None:
    """SDKs wait for up to a minute themselves: the next day must be further away."""
    left_s = 86_400 - time.time() % 86_400
    if left_s < 70:
        time.sleep(left_s + 0.1)


@pytest.fixture(scope="session")
def prices() -> dict[tuple[str, str], PriceRecord]:
    return {("openai", record.model): record for record in PRICES}


@pytest.fixture(scope="session")
def running_gateway(running_upstream: Upstream, prices: dict[tuple[str, str], PriceRecord]) -> Iterator[RunningProxy]:
    doors = PlainDoors(settings={"setting-1": openai_setting(running_upstream.url)}, prices=prices)
    with proxy_in_thread(doors) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def running_acme(running_upstream: Upstream) -> Iterator[RunningProxy]:
    with proxy_in_thread(acme_doors(running_upstream.url), default_max_output_tokens=512) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_gateway: RunningProxy, upstream: Upstream) -> RunningProxy:
    """The proxy, before an upstream that remembers nothing."""
    return running_gateway


@pytest.fixture
def caller(gateway: RunningProxy) -> Caller:
    """A key without limits."""
    return gateway.caller()


@pytest.fixture(scope="session")
def paced_upstream() -> Iterator[Upstream]:
    """A process of its own, so that many callers in the test's process do not slow it; its streams take 80 ms."""
    with upstream_in_process("--pause-ms", "5", "--tokens", "16", "--no-record") as upstream:
        yield upstream


@pytest.fixture(scope="session")
def embedded(
    tmp_path_factory: pytest.TempPathFactory, services_root: Path, paced_upstream: Upstream
) -> Iterator[Whole]:
    """Started from nothing, without a password, on 8001 and 8002 where they are free."""
    services_root.mkdir(parents=True, exist_ok=True)
    try:
        # Another test process of this run may be here at the same time; the ports are for one of them.
        (services_root / "standard-ports").touch(exist_ok=False)
        standard = is_free(8001) and is_free(8002)
    except FileExistsError:
        standard = False
    variables = {"ADMIN_PORT": "8001", "PROXY_PORT": "8002"} if standard else {}
    variables["ALLOWED_HOSTS"] = "gateway.example"
    with whole_gateway(tmp_path_factory.mktemp("var"), paced_upstream, variables=variables) as whole:
        yield whole


@pytest.fixture(scope="session")
def on_services(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: services.PostgresServer, paced_upstream: Upstream
) -> Iterator[Whole]:
    """In production, with verbose logs: two proxies under uvicorn, on PostgreSQL and on a Redis that tests may kill.

    What a dead proxy had reserved is free after 2 s.
    """
    url = postgres_server.new_database()
    redis_server = services.start_redis()
    directory = tmp_path_factory.mktemp("var")
    arguments = ("--workers", "2", "-m", "production", "-p", "verbose")
    variables = {
        "DATABASE_URL": url,
        "RESERVATION_LEASE": "2s",
        "GATEWAY_ENV": "production",
        "GATEWAY_SERVER": "uvicorn",
        "ADMIN_PASS": secrets.token_urlsafe(12),
    }
    try:
        with whole_gateway(directory, paced_upstream, *arguments, redis=redis_server, variables=variables) as whole:
            yield whole
    finally:
        redis_server.stop()
        postgres_server.drop_database(url)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
