"""What a connector's source can do, as data: the run branches on these, never on a kind's name."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

__all__ = ["Absence", "Capabilities", "Changes", "Versions"]


class Changes(StrEnum):
    """How `changes()` reads."""

    LISTING = "listing"
    """It yields every live entry each time; cursors are not needed."""
    FEED = "feed"
    """It yields what changed since the cursor."""


class Absence(StrEnum):
    """What it means that a complete enumeration did not list an entry."""

    PROOF = "proof"
    """It is gone."""
    CONFIRM = "confirm"
    """It may be gone: fetch it once more, and believe a `Gone`."""
    NOTHING = "nothing"
    """Nothing; deletions come in the feed, or never."""


class Versions(StrEnum):
    EXACT = "exact"
    """Equal versions mean equal content, metadata and access list."""
    HINT = "hint"
    """Equal versions are believed for `recheck` seconds after the last fetch."""


class Capabilities(Struct, frozen=True):
    changes: Changes
    absence: Absence
    versions: Versions
    deletions_in_feed: bool = False
    """`changes()` yields `Gone`."""
    local: bool = False
    """Any process of this machine can `fetch` cheaply: workers read for themselves, and no
    original is kept."""
    canonical_links: bool = False
    """Ids are normalised URLs, and a page's canonical link names another entry."""
    access_lists: bool = False
    reads_since: bool = False
    """`changes()` without a cursor leaves out what was updated before `Context.since`, where the
    source can be asked so."""
    push: bool = False
    writable: bool = False
