"""The database server is killed under a sync; the next one starts it again and goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from syncline.bootstrap import build_tools
from syncline.core.failpoints import Failpoint
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.embedded import EmbeddedServer
from syncline.sync.report import Report
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.scripted import ENVIRONMENT
from tests.support.state import assert_consistent, state_of
from tests.support.storm import first_state, second_state
from tests.support.syncs import sync_process, sync_process_result, syncs_of
from tests.support.thorough import of_all
from tests.support.world import World

_ENTRIES = int(os.environ.get("SYNCLINE_STORM_ENTRIES", "100"))
_PLACES = (
    Failpoint.LISTING_NOTED,
    Failpoint.BATCH_BEFORE_COMMIT,
    Failpoint.DELETIONS_BEFORE_COMMIT,
    Failpoint.BATCH_CONTENTS_WRITTEN,
    Failpoint.BATCH_COMMITTED,
    Failpoint.RUN_BEFORE_CLOSE,
)


def _places(version: str) -> Sequence[Failpoint]:
    """All of them in a storm; else the ones that tell most, and of the older server fewer."""
    if "SYNCLINE_STORM_ENTRIES" in os.environ:
        return list(Failpoint)
    return _PLACES if version == "18" else _PLACES[:3]


@pytest.fixture(scope="module", params=of_all(["18"], ["16"]))
def own_server(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """A data folder that no other test uses."""
    folder = make_data_folder()
    yield settings_for(folder, request.param, workers=2, embedder="hashing")
    remove_data_folder(folder)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, World]:
    """The same source before and after its edits."""
    folder = tmp_path_factory.mktemp("worlds")
    before = first_state(folder / "before.json", _ENTRIES)
    shutil.copy2(before.path, folder / "after.json")
    after = World(folder / "after.json")
    second_state(after, _ENTRIES)
    return before, after


async def _state(settings: Settings, workspace: str) -> dict[str, Any]:
    async with Database(settings) as database, database.connection() as db:
        await assert_consistent(db, workspace)
        return await state_of(db, workspace)


async def test_a_killed_server_loses_nothing(
    own_server: Settings, worlds: tuple[World, World], tmp_path: Path
) -> None:
    """At each of these places the postmaster is killed by kill -9. The sync says that the
    database went away; the next one, started at once, brings the same end state."""
    world = World(tmp_path / "world.json")
    tools = build_tools(own_server, environ={**os.environ, **ENVIRONMENT})

    async def sync(workspace: str) -> Report:
        async with Database(own_server) as database:
            here = replace(tools, database=database)
            return await (await syncs_of(here, workspace, world, "scripted-listing")).run()

    try:
        for state in worlds:
            shutil.copy2(state.path, world.path)
            assert (await sync("undisturbed")).exit_code == 0
        expected = await _state(own_server, "undisturbed")
        for place in _places(own_server.postgres_version):
            workspace = f"killed at {place}"
            for state in worlds:
                shutil.copy2(state.path, world.path)
                server = EmbeddedServer(own_server)
                await server.acquire()
                failpoint = f"{place}=kill:{server.info().pid}"
                process = sync_process(
                    own_server, workspace, world, "scripted-listing", failpoints=failpoint
                )
                armed = await asyncio.to_thread(sync_process_result, process)
                if armed.report is None or armed.report["exit_code"] == 1:
                    told = armed.report["error"] if armed.report else armed.errors
                    assert "database" in str(told).lower(), (place, armed)
                again = await sync(workspace)
                assert again.exit_code == 0, (place, again.as_json())
                await server.release()
            found = await _state(own_server, workspace)
            for name, rows in expected.items():
                assert found[name] == rows, f"{name} differ after the server died at {place}"
    finally:
        await tools.pool.close()
