"""The values that travel along the data path. All frozen; all picklable.

Text fields hold no NUL and are encodable as UTF-8: connectors see to it for ids and
locators (percent-encode what is not), the pipeline for everything it extracts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any, NewType, TypeAlias

from msgspec import Struct, field

__all__ = [
    "Change",
    "Checkpoint",
    "ConnectionId",
    "Content",
    "ContentHash",
    "Cursor",
    "DocumentId",
    "Entry",
    "EntryKey",
    "Failed",
    "Fetched",
    "Gone",
    "Identity",
    "Json",
    "Lane",
    "Locator",
    "Metadata",
    "Mode",
    "NotModified",
    "Outcome",
    "Partition",
    "RunId",
    "RunState",
    "Validators",
    "WorkspaceId",
    "entry_key",
]

WorkspaceId = NewType("WorkspaceId", int)
ConnectionId = NewType("ConnectionId", int)
RunId = NewType("RunId", int)
DocumentId = NewType("DocumentId", int)
ContentHash = NewType("ContentHash", bytes)
"""32 bytes: BLAKE2b-256 of a normalised text (and of its stemming language, unless English)."""
EntryKey = NewType("EntryKey", bytes)
"""16 bytes: BLAKE2b-128 of an entry's id; ids may be longer than an index takes."""

Json: TypeAlias = Any
"""What `json.dumps` takes."""
Locator: TypeAlias = Mapping[str, Json]
"""What `fetch` needs to read one entry again, later, on another machine. JSON; no secrets."""
Validators: TypeAlias = Mapping[str, str]
"""What makes a fetch conditional, such as `{"etag": …, "last_modified": …}`."""


def entry_key(entry_id: str) -> EntryKey:
    """The key an entry is stored under."""
    return EntryKey(blake2b(entry_id.encode(), digest_size=16).digest())


class Lane(StrEnum):
    """Which of a connection's two exclusive lanes a run occupies."""

    CHANGES = "changes"
    RECONCILE = "reconcile"


class Mode(StrEnum):
    """What a run reads.

    `incremental` reads the change streams; `full` the same, but trusts no version and
    fetches everything; `reconcile` enumerates; `backfill` reads a scope again; `plan`
    decides everything and writes nothing.
    """

    INCREMENTAL = "incremental"
    FULL = "full"
    RECONCILE = "reconcile"
    BACKFILL = "backfill"
    PLAN = "plan"

    @property
    def lane(self) -> Lane:
        return Lane.RECONCILE if self is Mode.RECONCILE else Lane.CHANGES


class RunState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Outcome(StrEnum):
    """What became of one listed entry. Exactly one per entry and run (invariant 1)."""

    CREATED = "created"
    UPDATED = "updated"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    FILTERED = "filtered"
    ALIAS = "alias"
    ABSENT = "absent"
    REPEATED = "repeated"
    FAILED = "failed"


class Metadata(Struct, frozen=True):
    """What is known about a document besides its text. Unset fields are unknown, not empty."""

    title: str | None = None
    url: str | None = None
    language: str | None = None
    """BCP 47, such as `en` or `pt-BR`."""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None
    properties: Mapping[str, Json] = field(default_factory=dict)
    """Anything else the source says that filters may ask for."""


class Content(Struct, frozen=True):
    """What `fetch` returned for one entry."""

    data: bytes
    media_type: str
    """`text/html`, `text/markdown`, `text/plain`, …; parameters belong in `charset`."""
    charset: str | None = None
    metadata: Metadata = field(default_factory=Metadata)
    principals: tuple[str, ...] | None = None
    """Who may see it, sorted; None means everyone, () means nobody."""
    version: str | None = None
    """The version of what was read, where it is surer than the entry's."""
    validators: Validators = field(default_factory=dict)
    alias_of: str | None = None
    """The id of the entry whose document this is (a redirect); then `data` is the target's."""
    directives: tuple[str, ...] = ()
    """What the source asks of robots outside the text, such as `noindex`."""


class NotModified(Struct, frozen=True):
    """The validators still hold: the stored content is current."""

    validators: Validators = field(default_factory=dict)


class Entry(Struct, frozen=True):
    """One thing a source says exists."""

    id: str
    """Unique in the connection, stable across edits; at most 8,192 bytes of UTF-8."""
    version: str | None
    """The source's own version; None when it has none (it is then always fetched)."""
    locator: Locator
    parent: str | None = None
    metadata: Metadata = field(default_factory=Metadata)
    """What the listing already says: enough for a filter to decide without a fetch."""
    size: int | None = None
    """Bytes, where the listing says so."""
    content: Content | None = None
    """Where the listing brings the content along, no fetch is needed."""
    filtered: str | None = None
    """Why the connector itself leaves it out (robots, size, extension); None if it does not."""

    @property
    def key(self) -> EntryKey:
        return entry_key(self.id)


class Gone(Struct, frozen=True):
    """The source says that this entry exists no more."""

    id: str
    reason: str = "deleted at the source"

    @property
    def key(self) -> EntryKey:
        return entry_key(self.id)


class Failed(Struct, frozen=True):
    """Something could not be listed.

    With an id, that entry failed and its siblings go on. Without one, the partition's
    enumeration is incomplete: its cursor stays, and nothing is deleted by absence.
    """

    code: str
    """As in `SourceError.code`."""
    message: str
    id: str | None = None
    locator: Locator | None = None


class Cursor(Struct, frozen=True):
    """Where a partition's change feed was read up to. Typed by the connector, stored by us."""

    version: int
    """Of the cursor's own format; a connector upgrades older ones and refuses newer ones."""
    value: Json


class Checkpoint(Struct, frozen=True):
    """Everything before this point of the stream is covered by `cursor`."""

    cursor: Cursor


Change: TypeAlias = Entry | Gone | Failed | Checkpoint
Fetched: TypeAlias = Content | NotModified | Gone


class Partition(Struct, frozen=True):
    """A part of a connection with a cursor of its own."""

    id: str
    title: str = ""


class Identity(Struct, frozen=True):
    """Who we are to a source, as `check()` found out."""

    account: str
    """Shown to people: an e-mail address, a root folder, a site's address."""
    detail: Mapping[str, Json] = field(default_factory=dict)
