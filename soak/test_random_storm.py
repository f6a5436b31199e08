"""Rounds of syncs in which anything may be killed at any time, over thousands of entries.

`make soak` runs it; SYNCLINE_STORM_ENTRIES, _ROUNDS and _SEED choose another storm.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.state import assert_consistent, state_of
from tests.support.storm import first_state, second_state
from tests.support.syncs import sync_process, sync_process_result
from tests.support.world import World

from syncline.core.failpoints import Failpoint
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.embedded import EmbeddedServer

ENTRIES = int(os.environ.get("SYNCLINE_STORM_ENTRIES", "5000"))
ROUNDS = int(os.environ.get("SYNCLINE_STORM_ROUNDS", "20"))
SEED = int(os.environ.get("SYNCLINE_STORM_SEED", "1"))
_LONGEST_WAIT = 2.0


class _Waits(threading.Thread):
    """Looks for sessions that wait for a lock, and remembers the longest wait."""

    def __init__(self, conninfo: str) -> None:
        super().__init__(daemon=True)
        self._conninfo = conninfo
        self._ended = threading.Event()
        self.longest = 0.0
        self.looks = 0

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                with psycopg.connect(self._conninfo, autocommit=True) as db:
                    self._watch(db)
            except psycopg.Error:
                self._ended.wait(0.1)  # the storm has killed the server

    def _watch(self, db: psycopg.Connection[Any]) -> None:
        while not self._ended.wait(0.05):
            found = db.execute(
                "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8"
                " FROM pg_locks WHERE NOT granted AND locktype <> 'advisory'"
            ).fetchone()
            self.looks += 1
            if found is not None:
                self.longest = max(self.longest, found[0])

    def end(self) -> None:
        self._ended.set()
        self.join()


@pytest.mark.parametrize("version", ["16", "18"])
def test_a_storm_of_kills_changes_nothing_in_the_end(version: str, tmp_path: Path) -> None:
    """Coordinators, workers and the server die at random places, and each sync is started again
    at once. In the end everything is as after undisturbed syncs; nothing waited for a lock
    longer than two seconds, and nothing deadlocked."""
    folder = make_data_folder()
    try:
        asyncio.run(_storm(settings_for(folder, version, workers=2, embedder="hashing"), tmp_path))
    finally:
        remove_data_folder(folder)


async def _storm(settings: Settings, folder: Path) -> None:
    chance = random.Random(SEED)
    before = first_state(folder / "before.json", ENTRIES)
    shutil.copy2(before.path, folder / "after.json")
    after = World(folder / "after.json")
    second_state(after, ENTRIES)
    world = World(folder / "world.json")
    kills = {"process": 0, "server": 0}
    async with EmbeddedServer(settings) as address:
        waits = _Waits(address.conninfo("app"))
        waits.start()
        # To and fro between the two states, so that every round has something to do.
        for number in range(ROUNDS):
            shutil.copy2((before, after)[number % 2].path, world.path)
            await _round(settings, world, chance, folder / f"mark-{number}", kills)
        for state in (before, after):
            shutil.copy2(state.path, world.path)
            assert _sync(settings, "storm", world)["exit_code"] == 0
            assert _sync(settings, "calm", world)["exit_code"] == 0
        waits.end()
        async with Database(settings) as database, database.connection() as db:
            await assert_consistent(db, "storm")
            assert await state_of(db, "storm") == await state_of(db, "calm")
            found = await db.execute("SELECT sum(deadlocks) FROM pg_stat_database")
            assert await found.fetchone() == (0,)
    print(f"kills {kills}, longest wait {waits.longest:.3f} s in {waits.looks} looks")
    assert waits.looks > 0
    assert waits.longest < _LONGEST_WAIT
    assert min(kills.values()) > 0


async def _round(
    settings: Settings, world: World, chance: random.Random, mark: Path, kills: dict[str, int]
) -> None:
    """One sync with one kill somewhere."""
    place = chance.choice(list(Failpoint))
    nth = chance.choice((1, 1, 1, 2, 4))
    if chance.random() < 0.3:
        postmaster = EmbeddedServer(settings).info().pid
        ended = _sync(settings, "storm", world, f"{place}:{nth}=kill:{postmaster}")
        kills["server"] += ended["exit_code"] == 1
        await EmbeddedServer(settings).acquire()
    else:
        _sync(settings, "storm", world, f"{place}:{nth}=kill-once:{mark}")
        kills["process"] += mark.exists()


def _sync(settings: Settings, workspace: str, world: World, failpoints: str = "") -> dict[str, Any]:
    process = sync_process(settings, workspace, world, "scripted-listing", failpoints=failpoints)
    ended = sync_process_result(process, seconds=600)
    return dict(ended.report) if ended.report else {"exit_code": -1, "error": ended.errors}
