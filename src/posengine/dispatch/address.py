"""Where a webhook may go: a URL judged, resolved once, and its address judged and kept.

    judge_url(url) ─▶ Target ──resolve──▶ every address judged ──▶ the first is connected to

A customer's URL must not make this machine talk to itself, to its neighbours or to a cloud's
metadata service. The name is looked up once and the connection goes to that very address, so that
a name that changes its mind between check and use gains nothing. One bad address among several
refuses them all.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import ClassVar
from urllib.parse import urlsplit

from posengine.errors import PosError, Whose

URL_SIZE_MAX = 2048
PORTS_DEFAULT = (443, 8443)
_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"))
)

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port to addresses as text; raises OSError."""


class AddressRefused(PosError):
    """A webhook's URL or address that this house does not talk to."""

    whose: ClassVar[Whose] = "operator"


@dataclass(frozen=True, slots=True)
class Target:
    """A judged URL."""

    scheme: str
    host: str
    port: int
    path: str
    """With its query, as the request line carries it."""
    is_loopback: bool
    """The URL itself says this machine: localhost, 127.0.0.0/8 or ::1."""
    allow_private: bool

    @property
    def host_header(self) -> str:
        """Host and, where it is not the scheme's own, port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def judge_url(
    url: str,
    *,
    allow_http: bool = False,
    allow_private: bool = False,
    ports: Sequence[int] = PORTS_DEFAULT,
) -> Target:
    """Judge a webhook's URL by its form alone.

    https is required unless the host is this machine or ``allow_http``; the port must be one of
    ``ports`` unless the host is this machine or ``allow_private``.

    Raises:
        AddressRefused: with the reason.
    """
    if len(url) > URL_SIZE_MAX or not url.isascii() or any(c <= " " or c == "\x7f" for c in url):
        raise AddressRefused(f"URL: at most {URL_SIZE_MAX} printable ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"URL: {error}") from error
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not host:
        raise AddressRefused("URL: begins with https:// and a host")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise AddressRefused("URL: holds no user and no password")
    if parts.fragment or "\\" in url:
        raise AddressRefused("URL: holds no fragment and no backslash")
    is_loopback = host == "localhost" or _literal_loopback(host)
    if parts.scheme == "http" and not (is_loopback or allow_http):
        raise AddressRefused("URL: https, or allow_http = true where the network is your own")
    port = port if port is not None else _PORTS[parts.scheme]
    allowed = {*ports, *({80} if allow_http else set())}
    if port not in allowed and not (is_loopback or allow_private):
        raise AddressRefused(f"URL: port {port} is none of {sorted(allowed)}; see `ports`")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, is_loopback, allow_private)


def resolve_once(target: Target, *, resolve: Resolve) -> str:
    """The address to connect to.

    Raises:
        AddressRefused: one of the addresses is not to be talked to.
        OSError: the name cannot be resolved now.
    """
    addresses = resolve(target.host, target.port)
    for text in addresses:
        fault = address_fault(
            text, allow_loopback=target.is_loopback, allow_private=target.allow_private
        )
        if fault is not None:
            raise AddressRefused(f"{target.host} is {text}: {fault}")
    if not addresses:
        raise OSError(f"{target.host} has no address")
    return addresses[0]


def address_fault(text: str, *, allow_loopback: bool, allow_private: bool) -> str | None:
    """Why this address is not to be talked to; None where it may be.

    Link-local and metadata addresses never are: no customer's receiver lives there.
    """
    try:
        address = _inner(ip_address(text))
    except ValueError:
        return "no address"
    if address in _METADATA:
        return "a cloud's metadata service"
    if address.is_link_local:
        return "link-local"
    if address.is_unspecified or address.is_multicast:
        return "no single machine"
    if address.is_loopback:
        return None if allow_loopback or allow_private else "this machine"
    if address.is_reserved:
        return "reserved"
    if not address.is_global and not allow_private:
        return "private; allow_private = true where the receiver is your own"
    return None


def look_up(host: str, port: int) -> list[str]:
    """The system's resolver: every address of a host, in its order, each once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64 or address in _NAT64_LOCAL:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


def _literal_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
