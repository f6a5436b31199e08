"""A document that ends, stalls or starves the process that reads it fails alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from syncline.settings import Settings
from tests.support.looking import documents, items
from tests.support.syncs import open_syncs, sync_process, sync_process_result
from tests.support.world import World

pytestmark = pytest.mark.usefixtures("forked_workers")


def _world(path: Path, entries: int) -> World:
    world = World(path)
    world.put_many({f"n{n}": f"# {n}\n\ntext {n}" for n in range(entries)})
    return world


async def test_what_kills_every_worker_is_given_up(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """A batch whose worker dies is sent again, then entry by entry; who kills its worker alone,
    twice, has failed, with the reason. The run ends."""
    world = _world(tmp_path / "world.json", 3)
    process = sync_process(server_settings, workspace_name, world, failpoints="batch.prepared=kill")
    ended = await asyncio.to_thread(sync_process_result, process)
    assert ended.report is not None, ended.errors
    assert (ended.report["failed"], ended.report["exit_code"]) == (3, 3)
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        reasons = await items(syncs, ended.report["run"], "failed")
        assert reasons["n0"] == "the process that read it ended with exit status -9"
        assert (await syncs.run()).counts["created"] == 3


async def test_what_takes_too_long_is_given_up(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """A worker that makes no progress is ended after the time that one batch may take."""
    world = _world(tmp_path / "world.json", 1)
    hasty = server_settings.model_copy(update={"batch_seconds": 3.0})
    process = sync_process(hasty, workspace_name, world, failpoints="batch.prepared=pause")
    ended = await asyncio.to_thread(sync_process_result, process)
    assert ended.report is not None, ended.errors
    assert ended.report["failed"] == 1
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        reasons = await items(syncs, ended.report["run"], "failed")
        assert "longer than 3 s" in reasons["n0"]


async def test_what_needs_too_much_memory_fails_alone(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """Its neighbours are stored; the machine's memory is not touched."""
    world = _world(tmp_path / "world.json", 2)
    big = "<html><body>" + "<p>some <b>words</b> of a page that is too large</p>\n" * 400_000
    world.put("big", big, media_type="text/html")
    modest = server_settings.model_copy(update={"worker_memory_mb": 256})
    async with open_syncs(modest, workspace_name, world) as syncs:
        report = await syncs.run()
        assert (report.counts["created"], report.counts["failed"]) == (2, 1)
        assert set(await documents(syncs)) == {"n0", "n1"}
