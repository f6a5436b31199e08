"""What sessions share about the hosts they ask: the port, and the values that pass through it.

Whoever implements it (see `sync/hosts.py`) keeps it where all workers and machines see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from syncline.core.quota import Bucket

__all__ = ["Breaker", "Ledger", "Lot", "Order", "Sold", "Standing", "Told"]


class Told(Struct, frozen=True):
    """What a source says of its quota."""

    left: int
    """Requests that it still answers."""
    seconds: float
    """Until it counts anew."""
    limit: int | None = None


class Lot(Struct, frozen=True):
    """Tokens for one moment."""

    at: float
    """By the ledger's clock, in seconds."""
    count: int


class Order(Struct, frozen=True):
    """What a session wants of one host's quota."""

    buckets: Sequence[Bucket]
    wanted: int
    """Tokens for the near future."""
    needed: int
    """Of these, the ones that are wanted even if they are for later."""
    horizon: float
    """The near future, in seconds."""
    patience: float
    """No token is for later than this, in seconds."""
    told: Told | None = None
    back: Sequence[Lot] = ()
    """Tokens that were bought and not used."""


class Sold(Struct, frozen=True):
    """What a session got. Each token is good from its moment on."""

    now: float
    """By the ledger's clock."""
    lots: Sequence[Lot]
    wait: float = 0.0
    """Seconds until there would be a token, where none was sold."""
    reason: str | None = None
    """Why not, where the source has said so."""


class Breaker(Struct, frozen=True):
    """A host's breaker, as all runs of a connection see it."""

    failures: int = 0
    """In a row, of all runs."""
    seconds: float = 0.0
    """For which the host is not to be asked any more; 0 where it may be."""
    half_open: bool = False
    """It was open: one request, of all workers, may try whether the host is back."""
    reason: str = ""


class Standing(Struct, frozen=True):
    """What is known of a host before it is asked for the first time."""

    breaker: Breaker
    metered: bool
    """Whether the source has told a limit that still holds."""


class Ledger(Protocol):
    """What the sessions of one connection share with those of other processes.

    Hosts are names in lower case. Its own failures are `StoreError`s or the database's.
    """

    async def look(self, host: str) -> Standing:
        """Everything known of a host, in one round trip."""
        ...

    async def buy(self, host: str, order: Order) -> Sold:
        """Buy tokens, and give others back, in one round trip.

        Of any bucket never more tokens are for one stretch of its length than it holds.
        """
        ...

    async def close_until(self, host: str, seconds: float, reason: str) -> None:
        """The source wants no request for so long: nobody gets a token for an earlier moment."""
        ...

    async def note_failures(self, host: str, failures: int, reason: str) -> Breaker:
        """So many more failures in a row; opens the breaker when there are enough."""
        ...

    async def claim_probe(self, host: str) -> Breaker | None:
        """Ask to be the one who tries: None if so, else the breaker as it is by now."""
        ...

    async def note_success(self, host: str) -> None:
        """It has answered: no failures in a row, and the breaker is closed."""
        ...
