"""The URL guard: which hosts and addresses a request may go to.

It sees every URL before it is requested, each redirect's too, and every address that a
name resolves to before a connection is made (see `resolver.py`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import TypeAlias

from syncline.core.errors import BlockedAddress, Rejected
from syncline.core.urls import Origin, origin_of, shown_url

__all__ = ["UrlGuard", "is_private_host", "is_public_address"]

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds answer with a machine's own credentials, outside the link-local networks.
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
# What `is_global` of one Python version or another takes for public.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "5f00::/16",
        "fec0::/10",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_REMEMBERED = 1000
_PRIVATE_SUFFIXES = (
    ".localhost",
    ".local",
    ".localdomain",
    ".internal",
    ".intranet",
    ".lan",
    ".corp",
    ".home",
    ".home.arpa",
    ".private",
    ".test",
)


class UrlGuard:
    """Refuses what is not public, except the hosts that the connection's options allow.

    An allowed name may lead to private and loopback addresses. Link-local and metadata
    addresses open only when they are allowed themselves, as literal addresses: a name
    could be made to point there.
    """

    def __init__(self, allow_hosts: Collection[str] = ()) -> None:
        self._allowed = frozenset(_host_key(host) for host in allow_hosts)
        self._passed: set[Origin] = set()

    def check_url(self, url: str) -> Origin:
        """The URL's origin, if a request may be made; literal addresses are checked here.

        Raises `Rejected` for what is no http(s) URL, `BlockedAddress` for a refused host.
        """
        try:
            origin = origin_of(url)
        except ValueError as error:
            raise Rejected(
                f"{shown_url(url)} cannot be requested: {error}",
                hint="Only http and https URLs without a user name in them are requested.",
            ) from error
        if origin not in self._passed:
            address = _literal(origin.host)
            if address is not None:
                self._check(origin.host, address)
            if len(self._passed) < _REMEMBERED:
                self._passed.add(origin)
        return origin

    def check_address(self, host: str, address: str) -> None:
        """Raise `BlockedAddress` unless a connection to `address`, of `host`, may be made."""
        parsed = _literal(address.partition("%")[0])
        if parsed is None:
            raise BlockedAddress(f"{host} resolved to {address!r}, which is no address")
        self._check(host, parsed)

    def _check(self, host: str, address: _Address) -> None:
        if is_public_address(address):
            return
        if host in self._allowed and (_is_network(address) or _literal(host) is not None):
            return
        where = host if host == str(address) else f"{host} ({address})"
        if host in self._allowed:
            raise BlockedAddress(
                f"{where} is a link-local or metadata address",
                hint="No name may lead there. If it is meant, allow the address itself.",
            )
        raise BlockedAddress(
            f"{where} is not a public address",
            hint=f"If {host} is yours, add it to the connection's allow_private_hosts.",
        )


def is_public_address(address: _Address) -> bool:
    """Whether an address is on the public internet, IPv4 inside IPv6 looked through."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = _embedded(address)
        if embedded is not None:
            return is_public_address(embedded)
    if address in _METADATA or any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def is_private_host(host: str) -> bool:
    """Whether a host, by its form alone, is one of a private network: no look-up is made."""
    address = _literal(host)
    if address is not None:
        return not is_public_address(address)
    return "." not in host or host.endswith(_PRIVATE_SUFFIXES)


def _host_key(host: str) -> str:
    text = host.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")
    address = _literal(text)
    return str(address) if address is not None else text


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_network(address: _Address) -> bool:
    """Private or loopback: where machines of one's own are."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = _embedded(address)
        if embedded is not None:
            return _is_network(embedded)
    reachable = address.is_private or address in _NOT_PUBLIC[1]
    return (
        reachable
        and address not in _METADATA
        and not (address.is_link_local or address.is_multicast or address.is_unspecified)
    )


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to this IPv6 address end up at."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
