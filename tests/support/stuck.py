"""A source of three entries, the last of which never answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from syncline.core.capabilities import Absence, Capabilities, Changes, Versions
from syncline.core.model import (
    Change,
    Content,
    Cursor,
    Entry,
    Fetched,
    Identity,
    Locator,
    Partition,
    Validators,
)
from syncline.core.ports import Connector, ConnectorSpec, Context, NoSecrets, Options

__all__ = ["ENVIRONMENT", "SPEC"]


class _Stuck:
    async def check(self) -> Identity:
        return Identity("stuck")

    async def partitions(self) -> Sequence[Partition]:
        return [Partition("")]

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        for name in ("a", "b", "never"):
            yield Entry(name, "1", {"name": name})

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry]:
        for name in ("a", "b", "never"):
            yield Entry(name, "1", {"name": name})

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        if locator["name"] == "never":
            await asyncio.Event().wait()
        return Content(f"# {locator['name']}\n\ntext".encode(), "text/markdown")


@asynccontextmanager
async def _open(options: Options, secrets: NoSecrets, context: Context) -> AsyncIterator[Connector]:
    yield _Stuck()


SPEC = ConnectorSpec(
    kind="stuck",
    title="Stuck source",
    description="Its last entry never answers",
    options=Options,
    capabilities=Capabilities(Changes.LISTING, Absence.PROOF, Versions.EXACT),
    open=_open,
)
ENVIRONMENT = {"SYNCLINE_CONNECTORS": f"stuck={__name__}:SPEC"}
