"""Data folders for the tests with the bundled server, on each version that it comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for

Version = Literal["16", "18"]


@pytest.fixture(params=["16", "18"])
def version(request: pytest.FixtureRequest) -> Version:
    """The PostgreSQL that a test runs on: each in turn."""
    found: Version = request.param
    return found


@pytest.fixture(scope="session")
def initialised() -> Iterator[Callable[[Version], Path]]:
    """Gives a stopped data folder of a version, to be copied and never used itself."""
    made: dict[Version, Path] = {}

    def give(version: Version) -> Path:
        if version not in made:
            made[version] = make_data_folder()
            asyncio.run(_initialise(settings_for(made[version], version)))
        return made[version]

    yield give
    for folder in made.values():
        remove_data_folder(folder)


async def _initialise(settings: Settings) -> None:
    async with EmbeddedServer(settings):
        pass


@pytest.fixture
def new_settings(version: Version) -> Iterator[Settings]:
    """Settings with an empty data folder."""
    folder = make_data_folder()
    yield settings_for(folder, version)
    remove_data_folder(folder)


@pytest.fixture
def settings(version: Version, initialised: Callable[[Version], Path]) -> Iterator[Settings]:
    """Settings with a data folder that holds a database, stopped."""
    folder = make_data_folder(like=initialised(version))
    yield settings_for(folder, version)
    remove_data_folder(folder)
