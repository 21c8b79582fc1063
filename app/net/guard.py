"""Which addresses a user may have us call: public ones by https, unless a setting says otherwise.

Server-side request forgery (OWASP): a name is resolved once, every address that it gives is judged,
and the connection is made to the very address that was judged, so that a second answer of the DNS
changes nothing (rebinding). Names are judged as addresses only: there is no list of bad names.
"""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from app.core.errors import InvalidInput

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
#: name, port to addresses as text; raises OSError
Resolve = Callable[[str, int], Sequence[str]]

_MAX_URL = 2_000
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_PORTS = {"https": 443, "http": 80}
#: what `is_global` lets pass and nobody should be led to: 6to4, Teredo and NAT64 carry an IPv4
#: address inside, the rest is reserved
_NEVER = tuple(
    ip_network(text)
    for text in (
        "2002::/16",
        "2001::/32",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "224.0.0.0/4",
        "ff00::/8",
    )
)


@dataclass(frozen=True, kw_only=True)
class NetPolicy:
    """What an installation allows."""

    #: networks that are reached although they are not public
    networks: tuple[Network, ...] = ()
    #: plain http too; always so for `networks`
    http: bool = False
    #: only these hosts, or `.example.org` for all below one; none: all
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Target:
    """An address that was judged, and how to speak to it."""

    scheme: str
    host: str
    port: int
    #: what to connect to
    address: str
    #: path and query
    path: str


def check_url(url: str, policy: NetPolicy) -> None:
    """What can be said of it without asking the DNS. Raises InvalidInput (`address_refused`)."""
    scheme, host, _, _ = _split(url)
    literal = _literal(host)
    inside = literal is not None and _allowed(literal, policy)
    if scheme == "http" and not (policy.http or inside or (literal is None and policy.networks)):
        raise refused("the address must begin with https://")
    if policy.hosts and not any(_fits(host, pattern) for pattern in policy.hosts):
        raise refused(f"{host} is not among the hosts that this installation allows")
    if literal is not None and not reachable(literal, policy):
        raise refused(f"{host} is not a public address")


def resolve_target(url: str, policy: NetPolicy, *, resolve: Resolve | None = None) -> Target:
    """Judged at the moment of use: every address that the name has. Raises InvalidInput
    (`address_refused`), OSError when the name is not known.
    """
    check_url(url, policy)
    scheme, host, port, path = _split(url)
    found = [ip_address(text) for text in (resolve or _resolve)(host, port)]
    if not found:
        raise OSError(f"{host} has no address")
    bad = next((one for one in found if not reachable(one, policy)), None)
    if bad is not None:
        # which one it was would tell a stranger about the inner network
        raise refused(f"{host} leads to an address that is not public")
    if scheme == "http" and not policy.http and not all(_allowed(one, policy) for one in found):
        raise refused("the address must begin with https://")
    return Target(scheme=scheme, host=host, port=port, address=str(found[0]), path=path)


def reachable(address: Address, policy: NetPolicy) -> bool:
    """Public, or in an allowed network. Loopback, private, link-local (metadata services are
    there), carrier-grade, multicast, documentation and reserved ranges are not public.
    """
    address = _plain(address)
    if _allowed(address, policy):
        return True
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def refused(detail: str) -> InvalidInput:
    return InvalidInput(detail, code="address_refused")


def _allowed(address: Address, policy: NetPolicy) -> bool:
    address = _plain(address)
    return any(address in net for net in policy.networks if net.version == address.version)


def _plain(address: Address) -> Address:
    """::ffff:10.0.0.1 is 10.0.0.1."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _split(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port, path with query. Raises InvalidInput."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refused("the address is no URL") from None
    host = (parts.hostname or "").rstrip(".").lower()
    wrong = (
        len(url) > _MAX_URL
        or not url.isascii()
        or not url.isprintable()
        or " " in url
        or "\\" in url
        or parts.scheme not in _PORTS
        or not _HOST.fullmatch(host)
        or port == 0
    )
    if wrong:
        raise refused("the address is no URL as https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise refused("the address holds a user, a password or a fragment")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or _PORTS[parts.scheme], path


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _fits(host: str, pattern: str) -> bool:
    pattern = pattern.lower()
    return host.endswith(pattern) if pattern.startswith(".") else host == pattern


def _resolve(host: str, port: int) -> list[str]:
    # 0x7f.1, 2130706433 and the like are answered by the C library too: what it makes of them is
    # judged, not how they are written
    found: list[tuple[Any, ...]] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]).partition("%")[0] for entry in found]
