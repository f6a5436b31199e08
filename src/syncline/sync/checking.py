"""Asking a source, for a person, who we are there and what of it we may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from syncline.core.errors import (
    BadContent,
    Forbidden,
    NotFound,
    Rejected,
    SourceError,
    Unauthorized,
)
from syncline.core.model import Json
from syncline.core.ports import Connector, Probing

__all__ = ["Checked", "Readable", "check_source"]

_LACKING = (Unauthorized, Forbidden, NotFound, Rejected, BadContent)


class Readable(Struct, frozen=True):
    """One kind of thing that a connection reads."""

    what: str
    lacking: SourceError | None = None
    """Why it cannot be read, and in its hint what to do; None where it can."""


class Checked(Struct, frozen=True):
    """What a source says to us."""

    account: str
    """Who we are there: an e-mail address, a root folder, a site's address."""
    detail: Mapping[str, Json] = field(default_factory=dict)
    reads: Sequence[Readable] = ()
    """What was tried; empty for kinds of sources that allow all or nothing."""

    @property
    def lacking(self) -> Sequence[SourceError]:
        """Why a part of what the connection reads cannot be read."""
        return [each.lacking for each in self.reads if each.lacking is not None]


async def check_source(connector: Connector) -> Checked:
    """Ask for one of each kind of thing.

    Raises a `SourceError` where nothing can be told, or not now (it is down, or wants a rest).
    """
    who = await connector.check()
    reads: list[Readable] = []
    if isinstance(connector, Probing):
        for what, ask in (await connector.probes()).items():
            try:
                await ask()
            except _LACKING as error:
                reads.append(Readable(what, error))
            else:
                reads.append(Readable(what))
    return Checked(who.account, who.detail, reads)
