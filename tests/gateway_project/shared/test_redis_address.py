import ssl

import pytest

from gateway_project.shared.redis_address import RedisAddress, parse_addresses


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost", RedisAddress("localhost", 6379)),
        ("redis://10.0.0.1:6380/3", RedisAddress("10.0.0.1", 6380, database=3)),
        ("redis://[::1]:6380?db=2", RedisAddress("::1", 6380, database=2)),
        ("redis://:p%2C%40ss@h/0", RedisAddress("h", 6379, password="p,@ss")),
        ("redis://me:secret@h", RedisAddress("h", 6379, username="me", password="secret")),
        (
            "unix:///run/redis/redis.sock?db=4",
            RedisAddress("localhost", 6379, path="/run/redis/redis.sock", database=4),
        ),
    ],
)
def test_it_reads_a_url(url: str, expected: RedisAddress) -> None:
    assert parse_addresses(url) == [expected]


def test_it_reads_several_in_their_order() -> None:
    assert [str(address) for address in parse_addresses("redis://a:1/0, redis://b:2/0")] == ["a:1", "b:2"]


@pytest.mark.parametrize("url", ["", "http://h", "h:6379", "redis://h/one", "redis://h:port"])
def test_it_refuses_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"Redis|[Pp]ort"):
        parse_addresses(url)


def test_it_verifies_certificates_unless_told_otherwise() -> None:
    strict, lax = parse_addresses("rediss://h,rediss://h?ssl_cert_reqs=none")
    assert strict.tls is not None
    assert lax.tls is not None
    assert (strict.tls.verify_mode, strict.tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (lax.tls.verify_mode, lax.tls.check_hostname) == (ssl.CERT_NONE, False)


def test_it_shows_no_password() -> None:
    (address,) = parse_addresses("rediss://me:canary@h/1")
    assert "canary" not in f"{address} {address!r}"


def test_it_logs_in_selects_and_asks_for_a_sign_of_life() -> None:
    (address,) = parse_addresses("redis://me:secret@h/2")
    assert [command.split(b"\r\n")[2] for command in address.handshake()] == [b"AUTH", b"SELECT", b"PING"]
