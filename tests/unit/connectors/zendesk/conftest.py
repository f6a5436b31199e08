"""Fakes of Zendesk, and what readers know who follow them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest

from syncline.core.model import Content, Entry
from syncline.testing.api_reader import Reader
from syncline.testing.api_world import ApiWorld
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from tests.conformance.test_zendesk import ArticlesWorld, TicketsWorld

Connect: TypeAlias = Callable[..., tuple[ApiWorld, Reader]]


@pytest.fixture
async def center() -> AsyncIterator[FakeZendesk]:
    """A help center in two languages."""
    async with FakeZendesk() as server:
        yield server


@pytest.fixture
async def desk() -> AsyncIterator[FakeZendeskTickets]:
    """An account with tickets."""
    async with FakeZendeskTickets() as server:
        yield server


@pytest.fixture
def connect(center: FakeZendesk) -> Connect:
    """`world, reader = connect(agent=False, locales=("de",))`."""

    def make(*, agent: bool = True, **options: Any) -> tuple[ApiWorld, Reader]:
        return _with(ArticlesWorld(center, agent=agent), options)

    return make


@pytest.fixture
def connect_desk(desk: FakeZendeskTickets) -> Connect:
    """`world, reader = connect_desk(internal_comments=False)`."""

    def make(**options: Any) -> tuple[ApiWorld, Reader]:
        return _with(TicketsWorld(desk), {"internal_comments": True, **options})

    return make


def _with(world: ApiWorld, options: dict[str, Any]) -> tuple[ApiWorld, Reader]:
    given = world.options.model_dump(exclude_unset=True)
    world.options = world.spec.options.model_validate({**given, **options})
    return world, Reader(world, reads=False)


async def text_of(world: ApiWorld, entry: Entry) -> str:
    """What the entry says, read by its locator."""
    async with world.open() as connector:
        content = await connector.fetch(entry.locator, None)
    assert isinstance(content, Content), content
    return content.data.decode()


def asked(server: FakeZendesk | FakeZendeskTickets) -> list[str]:
    """What was asked for so far, without the first part of each path."""
    return [seen.path.removeprefix("/api/v2/") for seen in server.requests]
