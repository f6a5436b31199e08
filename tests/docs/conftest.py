"""The database that places for the documentation's commands begin with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.store.database import Database
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for


@pytest.fixture(scope="session")
def new_database() -> Iterator[Path]:
    """A stopped data folder with nothing in its database, to be copied and never used itself."""
    folder = make_data_folder()
    asyncio.run(_make(folder))
    yield folder
    remove_data_folder(folder)


async def _make(folder: Path) -> None:
    async with Database(settings_for(folder)):
        pass
