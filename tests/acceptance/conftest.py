"""Syncs over a scripted world, in this process."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from syncline.settings import Settings
from syncline.sync import nursery
from tests.support.forks import nursery_command
from tests.support.syncs import Syncs, open_syncs
from tests.support.world import World

__all__: list[str] = []


@pytest.fixture(autouse=True)
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers of a test's own syncs need not import everything anew."""
    if sys.platform == "linux":
        monkeypatch.setattr(nursery, "_COMMAND", nursery_command())


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty scripted source."""
    return World(tmp_path / "world.json")


@pytest.fixture
def opened(
    server_settings: Settings, workspace_name: str, world: World
) -> Callable[..., AbstractAsyncContextManager[Syncs]]:
    """Opens the world as a connection of the given kind."""

    def open_as(kind: str = "scripted") -> AbstractAsyncContextManager[Syncs]:
        return open_syncs(server_settings, workspace_name, world, kind)

    return open_as


@pytest.fixture
async def feed(opened: Callable[..., AbstractAsyncContextManager[Syncs]]) -> AsyncIterator[Syncs]:
    """The world as a feed with deletions in it."""
    async with opened() as syncs:
        yield syncs


@pytest.fixture
async def listing(
    opened: Callable[..., AbstractAsyncContextManager[Syncs]],
) -> AsyncIterator[Syncs]:
    """The world as a listing whose absences are proof."""
    async with opened("scripted-listing") as syncs:
        yield syncs
