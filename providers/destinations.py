"""Where a setting's requests and secrets go: base URLs, their validation, the origins secrets are sealed for. Pure."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from providers.catalog import URL, Provider, kind_in
from providers.records import ProviderRecord

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_URL_CHARS = 2048
_PRINTABLE = re.compile(r"[!-~]+")
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_HOST_PART = re.compile(r"[a-z0-9-]{1,63}")
_NUMERIC_LABEL = re.compile(r"(?:\d+|0x[0-9a-f]*)")
_VERSION_SEGMENT = re.compile(r"v\d")
_DOT_SEGMENT = re.compile(r"(?:\.|%2e){1,2}(?:;.*)?", re.IGNORECASE)
# Encoded slashes and backslashes split a segment again in some servers, NUL ends one.
_UNSAFE_IN_PATH = re.compile(r"%2f|%5c|%00|\\", re.IGNORECASE)

# Names under which clouds serve instance metadata.
_METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "metadata.azure.internal", "instance-data"}
)
_METADATA_SUFFIXES = (".metadata.google.internal", ".ec2.internal")
_REFUSED_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "100.100.100.200/32",  # Alibaba Cloud metadata
        "168.63.129.16/32",  # Azure wire server
        "192.0.0.192/32",  # Oracle Cloud metadata
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "fe80::/10",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",  # Google Cloud metadata over IPv6
        "ff00::/8",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_V4_COMPATIBLE = ipaddress.ip_network("::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def base_url_of(record: ProviderRecord) -> str:
    """The base URL, without a slash at its end, to which what follows `/v1` in the client's path is appended.

    For azure and bedrock it is what stands before their own paths. Raises KeyError for a provider we do not know.
    """
    return base_url(record.provider, record.parameters)


def base_url(provider: Provider, parameters: Mapping[str, str]) -> str:
    """As base_url_of, from what a setting holds. "" when the provider has no address of its own and no url is set."""
    kind = kind_in(provider)
    urls = base_urls(provider, parameters)
    return urls[0] if urls else kind.base_url.format_map(parameters)


def base_urls(provider: Provider, parameters: Mapping[str, str]) -> tuple[str, ...]:
    """The base URLs of a setting's own `url`, several where the provider allows it; empty without one."""
    kind = kind_in(provider)
    return tuple(_versioned(url, versioned=kind.versioned) for url in urls_in(provider, parameters.get(URL, "")))


def urls_in(provider: Provider, value: str) -> tuple[str, ...]:
    """The URLs of a `url` member: several, separated by commas, where the provider allows it."""
    if not kind_in(provider).several_urls:
        return (value,) if value else ()
    return tuple(dict.fromkeys(url for part in value.split(",") if (url := part.strip())))


def _versioned(url: str, *, versioned: bool) -> str:
    url = url.rstrip("/")
    if not versioned or any(_VERSION_SEGMENT.match(segment) for segment in urlsplit(url).path.split("/")):
        return url
    return f"{url}/v1"


def destinations_of(provider: Provider, parameters: Mapping[str, str]) -> tuple[str, ...]:
    """The origins (scheme, host, port) that secrets of such a setting may be sent to, sorted."""
    kind = kind_in(provider)
    if kind.origins:
        return tuple(sorted(kind.origins))
    urls = base_urls(kind, parameters) or (base_url(kind, parameters),)
    return tuple(sorted({origin_of(url) for url in urls if url}))


def origin_of(url: str) -> str:
    """`https://host:443`: scheme, host in lower case, port always."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{parts.port or _DEFAULT_PORTS[parts.scheme]}"


def check_url(url: str) -> str:
    """The url if an operator may enter it. Raises ValueError with a sentence that does not repeat the url."""
    if len(url) > _MAX_URL_CHARS or not _PRINTABLE.fullmatch(url):
        raise ValueError("must be printable ASCII without spaces (write international names as xn--...)")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("must start with http:// or https://")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError("has no valid port")
    _check_parts(url, parts)
    check_host(parts.hostname or "")
    return url


def check_host(host: str) -> None:
    """Raises ValueError for what is no host, and for link-local and metadata ones in any spelling."""
    name = host.lower().removesuffix(".")
    address = _address(name)
    if address is not None:
        if is_refused_address(address):
            raise ValueError("must not be a link-local, metadata, multicast or unspecified address")
        return
    if not _HOST_NAME.fullmatch(name):
        raise ValueError("has no valid host name")
    if _NUMERIC_LABEL.fullmatch(name.rsplit(".", 1)[-1]):
        raise ValueError("must write an IPv4 address as four decimal numbers without leading zeros")
    if name in _METADATA_NAMES or name.endswith(_METADATA_SUFFIXES):
        raise ValueError("must not be a metadata service")


def check_host_part(value: str) -> str:
    """A resource name or region, which becomes a part of a host. Raises ValueError."""
    if not _HOST_PART.fullmatch(value) or value.startswith("-") or value.endswith("-"):
        raise ValueError("must consist of lower-case letters, digits and hyphens")
    return value


def is_refused_address(address: str | Address) -> bool:
    """Whether nothing may ever be sent there. Also for resolved names, at the time of connecting."""
    parsed = ipaddress.ip_address(address) if isinstance(address, str) else address
    return any(each.version == net.version and each in net for each in _meanings(parsed) for net in _REFUSED_NETWORKS)


def _check_parts(url: str, parts: SplitResult) -> None:
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password: secrets have their own members")
    if "?" in url or "#" in url:
        raise ValueError("must not contain a query or a fragment")
    if _UNSAFE_IN_PATH.search(parts.path) or "\\" in url:
        raise ValueError("must not contain a backslash or an encoded slash")
    if any(_DOT_SEGMENT.fullmatch(segment) for segment in parts.path.split("/")):
        raise ValueError("must not contain dot segments")


def _address(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        raise ValueError("must not contain a zone")
    return address


def _meanings(address: Address) -> tuple[Address, ...]:
    """The address and the IPv4 addresses it stands for (mapped, compatible, NAT64, 6to4, Teredo)."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or (address in _V4_COMPATIBLE and not address.is_loopback):
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (address, *(each for each in inner if each is not None))
