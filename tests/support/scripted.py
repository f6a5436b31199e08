"""A connector whose source is a JSON file, so that a test decides what every process sees.

`World` edits the file, each time atomically; connectors read it anew at every step. Each
partition is a feed of numbered events. `World.log` tells what connectors did, in any process.
`SPEC` is a feed with deletions in it; `PROOF`, `LISTING`, `CONFIRM` and `HINTS` are the same
source with other capabilities. Worker processes find them through `ENVIRONMENT`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from pydantic import Field

from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.errors import NotFound, Rejected, Transient, source_error
from syncline.core.model import (
    Change,
    Checkpoint,
    Content,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Json,
    Locator,
    Metadata,
    NotModified,
    Partition,
    Validators,
)
from syncline.core.ports import ConnectorSpec, Context, NoSecrets, Options
from tests.support.world import World

__all__ = [
    "CONFIRM",
    "CURSOR_VERSION",
    "ENVIRONMENT",
    "HINTS",
    "LISTING",
    "PROOF",
    "SPEC",
    "ScriptedConnector",
    "ScriptedOptions",
    "World",
]

CURSOR_VERSION = 1


class ScriptedOptions(Options):
    """Where the world is, and how its feed is cut up."""

    path: Path = Field(description="The world's JSON file")
    checkpoint_every: int = Field(default=10, ge=1, description="Events between two checkpoints")


class ScriptedConnector:
    """Reads a `World`."""

    def __init__(self, options: ScriptedOptions, capabilities: Capabilities) -> None:
        self._options = options
        self._capabilities = capabilities
        self._sorted: tuple[dict[str, Any], str, list[str]] | None = None
        self._world = World(options.path, create=False)

    async def check(self) -> Identity:
        if not self._options.path.exists():
            raise NotFound(f"{self._options.path} is not there")
        return Identity(str(self._options.path))

    async def partitions(self) -> Sequence[Partition]:
        return [Partition(name) for name in sorted(self._state()["partitions"])]

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        if self._capabilities.changes is Changes.LISTING:
            async for found in self.enumerate(partition):
                yield found
            return
        after = _number(cursor)
        self._world.note("changes", partition=partition.id, after=after)
        failed = self._failure("part", partition.id)
        if failed:
            yield Failed(failed["code"], "this part cannot be listed")
        step = 0
        while events := self._events_after(partition, after):
            for event in events[: self._options.checkpoint_every]:
                self._raise_if_asked("listing", partition.id, step)
                step += 1
                change = self._change(event)
                if change is not None:
                    yield change
                after = event["number"]
            yield Checkpoint(Cursor(CURSOR_VERSION, {"after": after}))
        self._raise_if_asked("listing", partition.id, step)

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        self._world.note("enumerate", partition=partition.id)
        last = ""
        step = 0
        while (name := self._next_after(partition, last)) is not None:
            self._raise_if_asked("listing", partition.id, step)
            step += 1
            last = name
            found = self._entry(name)
            if isinstance(found, Entry):
                found = found if self._listing else replace(found, content=None)
            if found is not None:
                yield found
        self._raise_if_asked("listing", partition.id, step)
        failed = self._failure("part", partition.id)
        if failed:
            yield Failed(failed["code"], "this part cannot be listed")

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        name = str(locator["name"])
        self._world.note("fetch", id=name, conditional=bool(validators))
        self._raise_if_asked("fetch", name)
        stored = self._state()["entries"].get(name)
        if stored is None:
            return Gone(name)
        current = {"tag": str(stored["number"])}
        if validators and dict(validators) == current:
            return NotModified(current)
        return _content(stored)

    def _state(self) -> dict[str, Any]:
        try:
            return self._world.read()
        except FileNotFoundError as error:
            raise Transient(f"{self._options.path} is not there") from error

    @property
    def _listing(self) -> bool:
        return self._capabilities.changes is Changes.LISTING

    def _events_after(self, partition: Partition, after: int) -> list[dict[str, Any]]:
        events = self._state()["partitions"].get(partition.id)
        if events is None:
            raise NotFound(f"There is no partition {partition.id!r}")
        return [event for event in events if event["number"] > after]

    def _next_after(self, partition: Partition, last: str) -> str | None:
        state = self._state()
        if self._sorted is None or self._sorted[0] is not state or self._sorted[1] != partition.id:
            self._sorted = (state, partition.id, self._world.names(partition.id))
        names = self._sorted[2]
        place = bisect_right(names, last)
        return names[place] if place < len(names) else None

    def _change(self, event: dict[str, Any]) -> Change | None:
        if not event["gone"]:
            return self._entry(event["id"])
        moved = event["id"] in self._state()["entries"]
        return Gone(event["id"]) if self._capabilities.deletions_in_feed and not moved else None

    def _entry(self, name: str) -> Entry | Failed | None:
        failed = self._failure("entry", name)
        if failed:
            return Failed(failed["code"], f"{name} cannot be listed", name, {"name": name})
        stored = self._state()["entries"].get(name)
        if stored is None:  # deleted while it was being listed
            return None
        content = _content(stored)
        return Entry(
            name,
            stored["version"],
            {"name": name},
            parent=stored["parent"],
            metadata=content.metadata,
            size=len(content.data),
            content=content if stored["inline"] else None,
            filtered=stored["filtered"],
        )

    def _failure(self, place: str, name: str, step: int | None = None) -> dict[str, Any] | None:
        """The failure that a test asked for here, if it has not happened often enough yet."""
        for failure in self._state()["failures"]:
            if (failure["in"], failure["id"], failure.get("step")) != (place, name, step):
                continue
            happened = [
                each for each in self._world.log("failed") if each["number"] == failure["number"]
            ]
            if failure["times"] is None or len(happened) < failure["times"]:
                self._world.note("failed", number=failure["number"], id=name)
                found: dict[str, Any] = failure
                return found
        return None

    def _raise_if_asked(self, place: str, name: str, step: int | None = None) -> None:
        failure = self._failure(place, name, step)
        if failure:
            raise source_error(failure["code"], f"{name}: the test asked for this failure")


def _content(stored: dict[str, Any]) -> Content:
    principals = stored["principals"]
    return Content(
        stored["text"].encode(),
        stored["media_type"],
        "utf-8",
        metadata=_metadata(stored["metadata"]),
        principals=None if principals is None else tuple(principals),
        version=stored["version"],
        validators={"tag": str(stored["number"])},
        alias_of=stored["alias_of"],
        directives=tuple(stored["directives"]),
    )


def _metadata(raw: dict[str, Json]) -> Metadata:
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if name in {"created_at", "updated_at"}:
            values[name] = datetime.fromisoformat(value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return Metadata(**values)


def _number(cursor: Cursor | None) -> int:
    if cursor is None:
        return 0
    if cursor.version > CURSOR_VERSION:
        raise Rejected(f"This cursor is of version {cursor.version}, newer than {CURSOR_VERSION}")
    return int(cursor.value["after"])


def _opener(
    capabilities: Capabilities,
) -> Callable[
    [ScriptedOptions, NoSecrets, Context], AbstractAsyncContextManager[ScriptedConnector]
]:
    @asynccontextmanager
    async def opened(
        options: ScriptedOptions, secrets: NoSecrets, context: Context
    ) -> AsyncIterator[ScriptedConnector]:
        yield ScriptedConnector(options, capabilities)

    return opened


def _spec(kind: str, capabilities: Capabilities) -> ConnectorSpec:
    return ConnectorSpec(
        kind=kind,
        title=f"Scripted source ({kind})",
        description="A source that a test writes, in a JSON file",
        options=ScriptedOptions,
        capabilities=capabilities,
        open=_opener(capabilities),
        default_name=lambda options: str(options.path.stem),
    )


_FEED = Capabilities(
    changes=Changes.FEED,
    absence=Absence.NOTHING,
    versions=Versions.EXACT,
    deletions_in_feed=True,
    access_lists=True,
)
_LISTED = replace(_FEED, changes=Changes.LISTING, absence=Absence.PROOF, deletions_in_feed=False)

SPEC = _spec("scripted", _FEED)
PROOF = _spec("scripted-proof", replace(_FEED, absence=Absence.PROOF))
LISTING = _spec("scripted-listing", _LISTED)
CONFIRM = _spec("scripted-confirm", replace(_LISTED, absence=Absence.CONFIRM))
HINTS = _spec("scripted-hints", replace(_LISTED, versions=Versions.HINT))

ENVIRONMENT = {
    "SYNCLINE_CONNECTORS": ",".join(
        f"{spec.kind}={__name__}:{name}"
        for name, spec in (
            ("SPEC", SPEC),
            ("PROOF", PROOF),
            ("LISTING", LISTING),
            ("CONFIRM", CONFIRM),
            ("HINTS", HINTS),
        )
    )
}
"""Environment variables by which any process finds these connectors."""
