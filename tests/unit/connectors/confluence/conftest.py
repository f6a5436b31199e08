"""A fake Confluence with one space, and its connector."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import pytest

from syncline.connectors.confluence.spec import SPEC
from syncline.core.model import Change, Checkpoint, Content, Cursor, Entry
from syncline.core.ports import Connector, Context
from syncline.testing.fakes.confluence import FakeConfluence
from syncline.transport.http import HttpSession
from tests.unit.connectors.confluence.wiki import TOKEN

Open: TypeAlias = "Callable[..., AbstractAsyncContextManager[Opened]]"


class Opened:
    """An open connector, and what a test asks of it."""

    def __init__(self, connector: Connector, warnings: list[str]) -> None:
        self.connector = connector
        self.warnings = warnings

    async def listed(self) -> dict[str, Entry]:
        """What is enumerated, by title."""
        return {
            each.metadata.title or "": each
            for partition in await self.connector.partitions()
            async for each in self.connector.enumerate(partition)
            if isinstance(each, Entry)
        }

    async def changes(self, cursor: Cursor | None = None) -> list[Change]:
        """The changes of all spaces since one cursor."""
        return [
            each
            for partition in await self.connector.partitions()
            async for each in self.connector.changes(partition, cursor)
        ]

    async def titles(self, cursor: Cursor | None = None) -> list[str | None]:
        """What they are called that have changed."""
        found = await self.changes(cursor)
        return [each.metadata.title for each in found if isinstance(each, Entry)]

    async def cursor(self) -> Cursor:
        """Where the feed ends now."""
        *_, last = [each for each in await self.changes() if isinstance(each, Checkpoint)]
        return last.cursor

    async def principals(self, title: str) -> tuple[str, ...] | None:
        """Who may see an entry, as it is fetched."""
        content = await self.connector.fetch((await self.listed())[title].locator, None)
        assert isinstance(content, Content), content
        return content.principals


@pytest.fixture
async def wiki() -> AsyncIterator[FakeConfluence]:
    """One space, `DOCS`, that everybody may see, and an account that may read it."""
    async with FakeConfluence() as server:
        server.let_in(TOKEN)
        server.add_space("DOCS", "Documentation", viewers=[("anonymous", "")])
        yield server


@pytest.fixture
def open_wiki(wiki: FakeConfluence) -> Open:
    """`async with open_wiki(spaces=["DOCS"]) as opened`; by default with the token alone."""

    @asynccontextmanager
    async def open_it(token: str | None = TOKEN, **given: Any) -> AsyncIterator[Opened]:
        options = SPEC.options.model_validate({"url": f"{wiki.url}{wiki.context}", **given})
        secrets = SPEC.secrets.model_validate({"token": token})
        assert SPEC.authenticate is not None
        warnings: list[str] = []
        async with HttpSession(
            allow_private_hosts=["127.0.0.1"],
            authentication=SPEC.authenticate(options, secrets),
            explain=SPEC.explain,
            clock=wiki.clock,
            sleep=wiki.clock.sleep,
        ) as http:
            context = Context(http=http, clock=wiki.clock, warn=warnings.append)
            async with SPEC.open(options, secrets, context) as connector:
                yield Opened(connector, warnings)

    return open_it
