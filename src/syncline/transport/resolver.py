"""Names to addresses for aiohttp, each address checked by the guard.

The connection is made to the very addresses that were checked, so a name that answers
differently a moment later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

from syncline.transport.guard import UrlGuard

__all__ = ["GuardedResolver", "Lookup", "system_lookup"]

Lookup: TypeAlias = Callable[[str, socket.AddressFamily], Awaitable[Sequence[str]]]
"""A host name and an address family (`AF_UNSPEC` for any) to addresses, best first."""


class GuardedResolver(AbstractResolver):
    """Refuses a name altogether when any of its addresses is refused."""

    def __init__(self, guard: UrlGuard, lookup: Lookup) -> None:
        self._guard = guard
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The checked addresses. Raises `BlockedAddress`, or `OSError` for an unknown name."""
        addresses = await self._lookup(host, family)
        for address in addresses:
            self._guard.check_address(host, address)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def system_lookup(host: str, family: socket.AddressFamily) -> Sequence[str]:
    """What this machine's own resolver says."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, None, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
