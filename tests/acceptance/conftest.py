"""Syncs over a scripted world, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from syncline.settings import Settings
from tests.support.syncs import Syncs, open_syncs
from tests.support.world import World

__all__: list[str] = []


@pytest.fixture(autouse=True)
def _forked(forked_workers: None) -> None:
    """In all of these tests."""


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
