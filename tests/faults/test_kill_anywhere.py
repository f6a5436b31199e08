"""Killing any process at any failpoint, and syncing again at once, changes nothing in the end."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from syncline.core.failpoints import Failpoint
from syncline.settings import Settings
from syncline.sync.run import Tools
from tests.support.state import assert_consistent, state_of
from tests.support.storm import first_state, second_state
from tests.support.syncs import open_tools, sync_process, sync_process_result, syncs_of
from tests.support.world import World

ENTRIES = int(os.environ.get("SYNCLINE_STORM_ENTRIES", "120"))
KINDS = ("scripted", "scripted-listing")
# Reached by no run over this source, or not before the lane is open. Upkeep comes after a run,
# and has fault tests of its own, as has what is done with whole databases (tests/databases).
_UPKEEP = {
    Failpoint.SEGMENTS_MERGED,
    Failpoint.VECTOR_INDEX_BEGUN,
    Failpoint.MODEL_ANNOUNCED,
    Failpoint.EMBEDDINGS_BEFORE_COMMIT,
    Failpoint.EMBEDDINGS_COMMITTED,
    Failpoint.MODEL_COMPLETE,
    Failpoint.FORMER_MODEL_COLLECTED,
    Failpoint.BACKUP_BEFORE_FINISH,
    Failpoint.LOADING_TABLES_LOADED,
    Failpoint.LOADING_BEFORE_COMMIT,
    Failpoint.UPGRADE_COPIED,
    Failpoint.UPGRADE_OLD_MOVED,
}
# Of runs whose partitions are jobs: test_shared_runs.py.
_SHARED = {
    Failpoint.PARTS_BEFORE_COMMIT,
    Failpoint.PARTS_COMMITTED,
    Failpoint.PART_BEGUN,
    Failpoint.PART_BEFORE_COMMIT,
    Failpoint.PART_COMMITTED,
    Failpoint.CLOSING_BEGUN,
}
_NOT_BY = {
    "scripted": {Failpoint.ABSENCE_DECIDED} | _UPKEEP | _SHARED,
    "scripted-listing": {Failpoint.CHECKPOINT_BEFORE, Failpoint.CHECKPOINT_STORED}
    | _UPKEEP
    | _SHARED,
}
# The first sync finds nothing gone.
_NOT_AT_FIRST = {
    (place, 0)
    for place in (
        Failpoint.MOVES_WRITTEN,
        Failpoint.DELETIONS_BEFORE_COMMIT,
        Failpoint.DELETIONS_COMMITTED,
    )
}
# Every place over a listing; over a feed, in a storm all, else those where it differs.
_FEEDS_OWN = {
    Failpoint.BATCH_BEFORE_COMMIT,
    Failpoint.BATCH_COMMITTED,
    Failpoint.CHECKPOINT_BEFORE,
    Failpoint.CHECKPOINT_STORED,
    Failpoint.DELETIONS_BEFORE_COMMIT,
    Failpoint.RUN_BEFORE_CLOSE,
}
_CASES = [
    (kind, place)
    for kind in KINDS
    for place in Failpoint
    if place not in _NOT_BY[kind]
    and (kind == "scripted-listing" or place in _FEEDS_OWN or ENTRIES > 1000)
]


def test_no_failpoint_is_forgotten() -> None:
    """A new one is killed at by itself: here, or it is said where it cannot be reached."""
    assert {place for _, place in _CASES} == set(Failpoint) - _UPKEEP - _SHARED


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, World]:
    """The same source before and after its edits."""
    folder = tmp_path_factory.mktemp("worlds")
    before = first_state(folder / "before.json", ENTRIES)
    after = World(folder / "after.json")
    shutil.copy2(before.path, after.path)
    after = World(folder / "after.json")
    second_state(after, ENTRIES)
    return before, after


def _copy(world: World, path: Path) -> World:
    shutil.copy2(world.path, path)
    return World(path)


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """What two syncs without any fault come to, by kind; filled as it is asked for."""
    return {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tools(server_settings: Settings) -> AsyncIterator[Tools]:
    """For the syncs that are not killed: they run here."""
    async with open_tools(server_settings) as tools:
        yield tools


@pytest_asyncio.fixture(loop_scope="module")
async def expected(
    undisturbed: dict[str, Any], worlds: tuple[World, World], tools: Tools, tmp_path: Path
) -> dict[str, Any]:
    """The state that two syncs without any fault come to, by kind."""
    for kind in KINDS:
        if kind in undisturbed:
            continue
        world = _copy(worlds[0], tmp_path / f"{kind}.json")
        workspace = f"undisturbed-{kind}-{os.getpid()}"
        syncs = await syncs_of(tools, workspace, world, kind)
        first = await syncs.run()
        assert first.exit_code == 0, first.as_json()
        shutil.copy2(worlds[1].path, world.path)
        second = await syncs.run()
        assert second.exit_code == 0, second.as_json()
        assert first.accounted_for
        assert second.accounted_for
        assert second.counts["moved"] > 0
        assert second.counts["deleted"] > 0
        async with tools.database.connection() as db:
            await assert_consistent(db, workspace)
            undisturbed[kind] = await state_of(db, workspace)
        assert len(undisturbed[kind]["clusters"]) > 2
    return undisturbed


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("kind", "place"), _CASES, ids=[f"{k}-{p.value}" for k, p in _CASES])
async def test_a_kill_at_this_place_leaves_no_trace(
    kind: str,
    place: Failpoint,
    expected: dict[str, Any],
    worlds: tuple[World, World],
    server_settings: Settings,
    workspace_name: str,
    tools: Tools,
    tmp_path: Path,
) -> None:
    """Whoever gets to the place first (coordinator or worker) dies there: once in the first sync,
    once in the second. Syncing again at once ends as if nothing had happened."""
    world = _copy(worlds[0], tmp_path / "world.json")
    for number, state in enumerate(worlds):
        shutil.copy2(state.path, world.path)
        mark = tmp_path / f"killed-{number}"
        failpoints = f"{place}=kill-once:{mark}"
        armed = sync_process(server_settings, workspace_name, world, kind, failpoints=failpoints)
        ended = await asyncio.to_thread(sync_process_result, armed)
        # Else the place was not reached, and nothing was tried here.
        assert mark.exists() or (place, number) in _NOT_AT_FIRST, ended
        again = await (await syncs_of(tools, workspace_name, world, kind)).run()
        assert again.exit_code == 0, again.as_json()
    async with tools.database.connection() as db:
        await assert_consistent(db, workspace_name)
        found = await state_of(db, workspace_name)
    for name, rows in expected[kind].items():
        assert found[name] == rows, f"{name} differ after kills at {place}"
