"""A fake Canvas, and the connector opened on it as the wiring would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from syncline.connectors.canvas.spec import SPEC
from syncline.core.model import Checkpoint, Content, Cursor, Entry, Failed, Gone
from syncline.core.ports import Connector, Context
from syncline.testing.fakes.canvas import FakeCanvas
from syncline.transport.http import HttpSession

TOKEN = "lantern-token-4711"


@dataclass
class Opened:
    """An open connector, and what it has told."""

    connector: Connector
    canvas: FakeCanvas
    warnings: list[str] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    cursor: Cursor | None = None

    async def read(self, cursor: Cursor | None = None) -> dict[str, Entry]:
        """What a run lists, in its order, by id. The requests are counted from here on."""
        self.canvas.requests.clear()
        found: dict[str, Entry] = {}
        for partition in await self.connector.partitions():
            async for change in self.connector.changes(partition, cursor):
                if isinstance(change, Failed):
                    self.failures.append(change)
                elif isinstance(change, Checkpoint):
                    self.cursor = change.cursor
                else:
                    assert isinstance(change, Entry)
                    assert change.id not in found
                    found[change.id] = change
        return found

    async def one(self, cursor: Cursor | None = None) -> Entry:
        """The only entry that a run lists."""
        (entry,) = (await self.read(cursor)).values()
        return entry

    async def text(self, entry: Entry) -> str:
        """What an entry says, as it came or as it is fetched."""
        content = entry.content or await self.connector.fetch(entry.locator, None)
        assert isinstance(content, Content), content
        return content.data.decode()

    async def gone(self, entry: Entry) -> str:
        """Why an entry is gone."""
        answer = await self.connector.fetch(entry.locator, None)
        assert isinstance(answer, Gone), answer
        assert answer.id == entry.id
        return answer.reason

    def asked(self, part: str = "") -> int:
        """How many requests had this in their address."""
        return sum(part in seen.path for seen in self.canvas.requests)


Opener: TypeAlias = Callable[..., Any]


@pytest.fixture
async def canvas() -> AsyncIterator[FakeCanvas]:
    """A Canvas with one empty course."""
    async with FakeCanvas() as canvas:
        canvas.accepts = {f"Bearer {TOKEN}"}
        canvas.create_course("Botany")
        yield canvas


@pytest.fixture
def course(canvas: FakeCanvas) -> int:
    """The one course."""
    return next(iter(canvas.courses))


@pytest.fixture
async def opened(canvas: FakeCanvas) -> AsyncIterator[Opener]:
    """`await opened(courses=…)` opens the connector, a minute later."""
    async with AsyncExitStack() as stack:

        async def open_it(token: str = TOKEN, **more: Any) -> Opened:
            canvas.clock.advance(60)
            options = SPEC.options.model_validate({"url": canvas.url, **more})
            secrets = SPEC.secrets.model_validate({"token": token})
            assert SPEC.authenticate is not None
            http = await stack.enter_async_context(
                HttpSession(
                    allow_private_hosts=["127.0.0.1"],
                    authentication=SPEC.authenticate(options, secrets),
                    explain=SPEC.explain,
                    clock=canvas.clock,
                    sleep=canvas.clock.sleep,
                )
            )
            warnings: list[str] = []
            context = Context(http, canvas.clock, warn=warnings.append)
            connector = await stack.enter_async_context(SPEC.open(options, secrets, context))
            return Opened(connector, canvas, warnings)

        yield open_it
