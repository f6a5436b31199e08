"""A fake site, and the connector opened on it as the wiring would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from syncline.connectors.website.spec import SPEC, WebsiteOptions
from syncline.core.model import Entry, Failed
from syncline.core.ports import Connector, Context
from syncline.testing.clock import FakeClock
from syncline.testing.fake_site import FakeSite
from syncline.transport.http import HttpSession


@dataclass
class Opened:
    """An open connector, and what it has told."""

    connector: Connector
    clock: FakeClock
    warnings: list[str] = field(default_factory=list)
    progress: list[str] = field(default_factory=list)

    async def listing(self) -> list[Entry | Failed]:
        (partition,) = await self.connector.partitions()
        return [found async for found in self.connector.enumerate(partition)]

    async def listed(self) -> list[str]:
        """The ids of what is listed and not filtered."""
        return [
            found.id
            for found in await self.listing()
            if isinstance(found, Entry) and found.filtered is None
        ]


Opener: TypeAlias = Callable[..., Any]


@pytest.fixture
async def site() -> AsyncIterator[FakeSite]:
    async with FakeSite() as site:
        yield site


@pytest.fixture
async def opened(site: FakeSite) -> AsyncIterator[Opener]:
    """`await opened(include=…)` opens the connector on the site."""
    async with AsyncExitStack() as stack:

        async def open_it(source: str = "", **more: Any) -> Opened:
            assert SPEC.from_source is not None
            typed = SPEC.from_source(source or site.url)
            assert typed is not None
            options = WebsiteOptions.model_validate({**typed, **more})
            clock = FakeClock()
            http = await stack.enter_async_context(
                HttpSession(
                    allow_private_hosts=options.allow_private_hosts,
                    user_agent=options.user_agent,
                    concurrency=options.concurrency,
                    delay=options.delay,
                    clock=clock,
                    sleep=clock.sleep,
                )
            )
            warnings: list[str] = []
            progress: list[str] = []
            context = Context(http, clock, progress.append, warnings.append)
            connector = await stack.enter_async_context(SPEC.open(options, SPEC.secrets(), context))
            return Opened(connector, clock, warnings, progress)

        yield open_it
