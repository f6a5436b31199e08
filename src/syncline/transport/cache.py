"""Answers that a source lets us keep: when, for how long, and in memory.

As RFC 9111 has it for a private cache, but that what is `private` is not kept either: an answer
is kept for one connection alone, and used unasked no longer than its reader allows.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from syncline.core.ports import Clock

__all__ = ["MOST_BYTES", "AnswerStore", "Answers", "Kept", "MemoryCache", "fresh_seconds"]

MOST_BYTES = 8 * 1024 * 1024
"""Of one answer's body."""
_VALIDATED_SECONDS = 7 * 86_400.0
_IN_MEMORY_SECONDS = 3600.0
_LONGEST_FRESH = 86_400.0
_head = struct.Struct(">I")


class Kept(Struct, frozen=True):
    """An answer with status 200, as it was received."""

    body: bytes
    """Decoded."""
    validators: Mapping[str, str]
    """As `conditional.validators_of` makes them; empty if it can only be fresh or useless."""
    received: float
    """When it, or the last word that it still holds, came: seconds since 1970."""
    fresh: float
    """Seconds from then on for which the source says that it holds."""

    def is_fresh(self, now: float, at_most: float) -> bool:
        """Whether it may be used unasked; `at_most` so many seconds after it came."""
        return 0 <= now - self.received < min(self.fresh, at_most)

    def pack(self) -> bytes:
        """As it is stored."""
        about = json.dumps(
            {"validators": dict(self.validators), "received": self.received, "fresh": self.fresh}
        ).encode()
        return _head.pack(len(about)) + about + zlib.compress(self.body, 3)

    @classmethod
    def unpack(cls, data: bytes) -> Kept:
        """What `pack` made."""
        (length,) = _head.unpack_from(data)
        about = json.loads(data[_head.size : _head.size + length])
        body = zlib.decompressobj().decompress(data[_head.size + length :], MOST_BYTES)
        return cls(body, about["validators"], about["received"], about["fresh"])


def fresh_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """For how long an answer holds, 0 if it is to be asked for each time; None: do not keep it.

    Header names in lower case.
    """
    directives = _directives(headers.get("cache-control", ""))
    if {"no-store", "private"} & directives.keys() or "*" in headers.get("vary", ""):
        return None
    if "no-cache" in directives:
        return 0.0
    age = _seconds(headers.get("age", "")) or 0.0
    seconds = _seconds(directives.get("max-age", ""))
    if seconds is None:
        expires = _date(headers.get("expires", ""))
        if expires is None:
            return 0.0
        seconds = (expires - (_date(headers.get("date", "")) or now)).total_seconds()
    return min(max(0.0, seconds - age), _LONGEST_FRESH)


class MemoryCache:
    """The first level: the answers used last, in one process. Bounded in bytes."""

    def __init__(self, max_bytes: int = 32 * 1024 * 1024) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[Hashable, tuple[float, Kept]] = OrderedDict()

    def get(self, key: Hashable, now: float) -> Kept | None:
        """The answer, unless it has been here for an hour."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] < now:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: Hashable, kept: Kept, now: float) -> None:
        """Keep it, and let go of those not used for longest."""
        if key in self._entries:
            self._drop(key)
        self._entries[key] = (now + _IN_MEMORY_SECONDS, kept)
        self._bytes += len(kept.body)
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Hashable) -> None:
        self._bytes -= len(self._entries.pop(key)[1].body)


class AnswerStore(Protocol):
    """The second level: shared by the workers and machines of one connection.

    It never fails: what cannot be had is not there.
    """

    async def get(self, key: bytes) -> bytes | None:
        """What was put there, if it is there still."""
        ...

    async def put(self, key: bytes, data: bytes, seconds: float) -> None:
        """Keep it for so long."""
        ...

    async def close(self) -> None:
        """Let go of what is held."""
        ...


class Answers:
    """Both levels, for the sessions of one connection."""

    def __init__(
        self,
        owner: Hashable,
        memory: MemoryCache,
        store: AnswerStore,
        clock: Clock,
        hit: Callable[[], None] = lambda: None,
    ) -> None:
        """`owner` is the connection, with its workspace: nothing is shared beyond it.

        `hit` is called for each answer that need not be read again.
        """
        self.hit = hit
        self._owner = owner
        self._memory = memory
        self._store = store
        self._clock = clock

    def now(self) -> float:
        """Seconds since 1970."""
        return self._clock.now().timestamp()

    async def get(self, url: str, agent: str) -> Kept | None:
        """What is kept of this address, asked for by this agent."""
        key = _key(url, agent)
        kept = self._memory.get((self._owner, key), self.now())
        if kept is None:
            data = await self._store.get(key)
            if data is not None:
                kept = Kept.unpack(data)
                self._memory.put((self._owner, key), kept, self.now())
        return kept

    async def keep(
        self,
        url: str,
        agent: str,
        body: bytes,
        headers: Mapping[str, str],
        validators: Mapping[str, str],
    ) -> None:
        """Keep an answer, if its headers allow it and there is any use in that."""
        fresh = fresh_seconds(headers, self._clock.now())
        if fresh is None or (not fresh and not validators) or len(body) > MOST_BYTES:
            return
        await self._put(url, agent, Kept(body, validators, self.now(), fresh))

    async def renew(self, url: str, agent: str, kept: Kept, headers: Mapping[str, str]) -> None:
        """The source says that it still holds."""
        fresh = fresh_seconds(headers, self._clock.now())
        if fresh is not None:
            await self._put(url, agent, replace(kept, received=self.now(), fresh=fresh))

    async def close(self) -> None:
        """The session ends."""
        await self._store.close()

    async def _put(self, url: str, agent: str, kept: Kept) -> None:
        key = _key(url, agent)
        self._memory.put((self._owner, key), kept, self.now())
        seconds = _VALIDATED_SECONDS if kept.validators else kept.fresh
        await self._store.put(key, kept.pack(), seconds)


def _key(url: str, agent: str) -> bytes:
    return sha256(f"{url}\n{agent}".encode()).digest()


def _directives(value: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in value.lower().split(","))
    return {name.strip(): text.strip().strip('"') for name, _, text in pairs}


def _seconds(text: str) -> float | None:
    text = text.strip()
    return float(text[:12]) if text.isascii() and text.isdigit() else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else None
