"""Whole databases: a filled one of each version to be copied, and empty ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from syncline.settings import Settings
from tests.databases.knowledge import fill
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for

_SETTINGS = {"workers": 1, "embedder": "hashing"}


@pytest.fixture(autouse=True)
def _forked(forked_workers: None) -> None:
    """In all of these tests."""


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Gives a stopped data folder of a version with two workspaces, to be copied."""
    made: dict[str, Path] = {}

    def give(version: str) -> Path:
        if version not in made:
            made[version] = make_data_folder()
            settings = settings_for(made[version], version, **_SETTINGS)
            worlds = tmp_path_factory.mktemp("worlds")
            with ThreadPoolExecutor(1) as thread:  # a test's loop may be running in this one
                thread.submit(lambda: asyncio.run(fill(settings, worlds))).result()
        return made[version]

    yield give
    for folder in made.values():
        remove_data_folder(folder)


@pytest.fixture
def make_settings(
    filled_folder: Callable[[str], Path], empty_folder: Callable[[str], Path]
) -> Iterator[Callable[..., Settings]]:
    """Makes settings with a data folder of their own: its database empty, or `filled`, or none as
    yet, where all is `new`."""
    made: list[Path] = []

    def make(version: str = "18", *, filled: bool = False, new: bool = False) -> Settings:
        like = None if new else filled_folder(version) if filled else empty_folder(version)
        made.append(make_data_folder(like=like))
        return settings_for(made[-1], version, **_SETTINGS)

    yield make
    for folder in made:
        remove_data_folder(folder)
