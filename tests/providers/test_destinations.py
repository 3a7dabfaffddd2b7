"""Where requests and secrets may go: a table of hostile addresses, and base URLs as an SDK has them."""

import pytest

from providers.destinations import (
    base_url,
    base_url_of,
    base_urls,
    check_host_part,
    check_url,
    destinations_of,
    is_refused_address,
    origin_of,
)
from providers.records import ProviderRecord

HOSTILE = [
    # Link-local and metadata, in every spelling.
    "http://169.254.169.254",
    "http://169.254.169.254:80/latest/meta-data",
    "http://169.254.169.254./",
    "http://169.254.0.1",
    "http://[::ffff:169.254.169.254]",
    "http://[::ffff:a9fe:a9fe]",
    "http://[::169.254.169.254]",
    "http://[64:ff9b::169.254.169.254]",
    "http://[2002:a9fe:a9fe::1]",
    "http://2852039166",
    "http://0xa9fea9fe",
    "http://0xa9.0xfe.0xa9.0xfe",
    "http://0251.0376.0251.0376",
    "http://169.254.43518",
    "http://169.16689662",
    "http://169.254.169.0376",
    "http://[fe80::1]",
    "http://[febf::1]",
    "http://[fe80::1%25eth0]",
    "http://[fd00:ec2::254]",
    "http://[fd20:ce::254]",
    "http://100.100.100.200",
    "http://168.63.129.16",
    "http://192.0.0.192",
    "http://metadata.google.internal",
    "http://METADATA.google.INTERNAL.",
    "http://a.metadata.google.internal",
    "http://metadata",
    "http://metadata.goog/",
    "http://instance-data.ec2.internal",
    "http://0.0.0.0",
    "http://0.0.0.0:8000/v1",
    "http://0",
    "http://[::]",
    "http://[::ffff:0.0.0.0]",
    "http://224.0.0.1",
    "http://255.255.255.255",
    "http://[ff02::1]",
    # Spellings nobody needs.
    "http://127.1",
    "http://2130706433",
    "http://0x7f000001",
    "http://017700000001",
    "http://1.2.3.4.5",
    "http://256.1.1.1",
    "http://１６９.２５４.１６９.２５４",
    "http://ⓔxample.com",
    "http://exa%6dple.com",
    "http://a..b",
    "http://.a",
    "http://-a",
    # Not what a base URL is.
    "",
    "api.openai.com",
    "//api.openai.com",
    "ftp://api.openai.com",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "gopher://host",
    "http://",
    "http:///v1",
    "http://:80",
    "http://host:",
    "http://host:0",
    "http://host:65536",
    "http://host:http",
    "http://[::1",
    "http://::1",
    "http://user@host",
    "http://user:pass@host",
    "http://host@169.254.169.254",
    "http://host?",
    "http://host/?a=b",
    "http://host#",
    "http://host/#a",
    "http://host/..",
    "http://host/a/../b",
    "http://host/a/%2e%2e/b",
    "http://host/a/.%2E/b",
    "http://host/.",
    "http://host/%2e",
    "http://host/..;/a",
    "http://host/a%2fb",
    "http://host/a%5cb",
    "http://host\\@evil",
    "http://host/a\\b",
    "http://host/%00",
    "http://ho st",
    " http://host",
    "http://host ",
    "http://host\r\nX-A: b",
    "http://host\t",
    "http://host\x00",
    "http://" + "a" * 3000,
]


@pytest.mark.parametrize("url", HOSTILE)
def test_it_refuses_a_hostile_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(must|has|is) "):
        check_url(url)


@pytest.mark.parametrize("url", ["http://user:canary-pw@host", "http://host/?key=canary-pw", "http://canary-pw%"])
def test_it_does_not_repeat_a_refused_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"must|has|is") as error:
        check_url(url)
    assert "canary-pw" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000",
        "http://127.0.0.1:9999/v1",
        "http://[::1]:8000/v1",
        "http://10.0.0.7:8000",
        "http://192.168.1.2",
        "http://172.17.0.1:1234/v1/",
        "http://[fd12:3456::1]:80",
        "https://api.openai.com/v1",
        "https://example.com:8443/team/openai/v1beta",
        "http://my_model_server:8000",
        "http://host.docker.internal:11434/v1",
        "https://xn--bcher-kva.example",
        "HTTPS://API.EXAMPLE.COM/V1",
    ],
)
def test_it_accepts_an_operators_own_servers(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "https://api.openai.com/v1"),
        ("http://host:8000", "http://host:8000/v1"),
        ("http://host:8000/", "http://host:8000/v1"),
        ("http://host:8000/v1", "http://host:8000/v1"),
        ("http://host:8000/v1/", "http://host:8000/v1"),
        ("http://host/v1beta/openai", "http://host/v1beta/openai"),
        ("http://host/proxy", "http://host/proxy/v1"),
        ("http://host/v2", "http://host/v2"),
        ("http://host/vendor", "http://host/vendor/v1"),
        ("http://v1.host", "http://v1.host/v1"),
    ],
)
def test_it_appends_v1_when_no_segment_is_a_version(url: str, expected: str) -> None:
    assert base_url_of(ProviderRecord("id", "openai", parameters={"url": url} if url else {})) == expected


@pytest.mark.parametrize(
    ("provider", "parameters", "expected"),
    [
        ("anthropic", {}, "https://api.anthropic.com/v1"),
        ("deepinfra", {}, "https://api.deepinfra.com/v1/openai"),
        ("azure", {"resourceName": "acme-east"}, "https://acme-east.openai.azure.com"),
        ("azure", {"resourceName": "acme", "url": "http://127.0.0.1:9000/"}, "http://127.0.0.1:9000"),
        ("bedrock", {"awsRegion": "eu-west-1"}, "https://bedrock-runtime.eu-west-1.amazonaws.com"),
        ("bedrock", {"awsRegion": "eu-west-1", "url": "http://localhost:9000"}, "http://localhost:9000"),
        ("vllm", {"url": "http://gpu:8000"}, "http://gpu:8000/v1"),
        ("vllm", {}, ""),
    ],
)
def test_it_knows_each_providers_own_address(provider: str, parameters: dict[str, str], expected: str) -> None:
    assert base_url(provider, parameters) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Host", "https://host:443"),
        ("http://host/a/b", "http://host:80"),
        ("http://host.:8080", "http://host:8080"),
        ("http://[::1]:80/v1", "http://[::1]:80"),
    ],
)
def test_it_names_an_origin_with_its_port(url: str, expected: str) -> None:
    assert origin_of(url) == expected


def test_it_derives_hosts_that_parameters_make() -> None:
    assert destinations_of("azure", {"resourceName": "acme"}) == ("https://acme.openai.azure.com:443",)
    assert destinations_of("bedrock", {"awsRegion": "us-east-1"}) == (
        "https://bedrock-runtime.us-east-1.amazonaws.com:443",
    )
    assert destinations_of("vllm", {}) == ()


@pytest.mark.parametrize(
    "value", ["Bad_Name", "a.b", "a/b", "evil.example#", "A", "", "-a", "a-", "a" * 64, "a\n", "ä", "a b", "@", "a:b"]
)
def test_it_refuses_what_would_change_a_host(value: str) -> None:
    with pytest.raises(ValueError, match="must consist of lower-case letters"):
        check_host_part(value)


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("169.254.169.254", True),
        ("::ffff:169.254.169.254", True),
        ("fe80::1", True),
        ("0.0.0.0", True),
        ("::", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("10.1.2.3", False),
        ("8.8.8.8", False),
        ("2606:4700::1", False),
    ],
)
def test_it_judges_resolved_addresses_too(address: str, refused: bool) -> None:
    assert is_refused_address(address) is refused


def test_a_vllm_setting_may_have_several_addresses() -> None:
    parameters = {"url": "http://a:8000, http://b:8001/v1,http://a:8000"}
    assert base_urls("vllm", parameters) == ("http://a:8000/v1", "http://b:8001/v1")
    assert base_url("vllm", parameters) == "http://a:8000/v1"
    assert destinations_of("vllm", parameters) == ("http://a:8000", "http://b:8001")
    assert base_urls("openai", {"url": "http://a:8000"}) == ("http://a:8000/v1",)
