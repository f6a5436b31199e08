"""Many connections at once: through the queue, by whoever works it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import syncline
from syncline.client import Syncline
from syncline.core.jobs import Done, Retry
from syncline.service import Service
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.database import Connection
from syncline.store.timetable import set_active
from syncline.store.workspaces import find_workspace
from tests.support.commands import Commands
from tests.support.queue import claim, empty_queue


@pytest.fixture
async def kb(
    server_settings: Settings, workspace_name: str, tmp_path: Path, db: Connection
) -> AsyncIterator[Syncline]:
    """Three folders in one workspace, nothing in the queue, and nobody who works."""
    await empty_queue(db)
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        for name in ("docs", "notes", "gone"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.md").write_text(f"# {name}\n\nThe lantern of {name}.\n")
            await kb.connections.add(tmp_path / name)
        yield kb
    await db.execute("DELETE FROM jobs")


async def test_without_a_worker_whoever_asks_does_it(kb: Syncline, tmp_path: Path) -> None:
    """What rests is left out, with its reason; one that fails does not hold up the others."""
    await kb.connections.pause("notes")
    queued = await kb.jobs.queue()
    assert [(each.name, each.resting) for each in queued.skipped] == [("notes", "it is paused")]
    told: list[str] = []
    ended = await kb.jobs.wait(queued, on_ended=lambda synced: told.append(synced.connection))
    assert sorted(told) == ["docs", "gone"]
    assert {(each.connection, each.state, each.counts["created"]) for each in ended} == {
        ("docs", "done", 1), ("gone", "done", 1),
    }  # fmt: skip
    assert {each.exit_code for each in ended} == {0}
    assert await kb.jobs.list() == []


async def test_a_command_that_works_needs_no_port(kb: Syncline, server_settings: Settings) -> None:
    """Though services here are watched at one, which another has by now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = server_settings.model_copy(update={"metrics_port": taken.getsockname()[1]})
        async with syncline.open(settings=settings, workspace=kb.workspace) as other:
            ended = await other.jobs.wait(await other.jobs.queue())
        assert {each.state for each in ended} == {"done"}


async def test_a_worker_that_lives_does_it(kb: Syncline, server_settings: Settings) -> None:
    """Before what was merely due."""
    stop = asyncio.Event()
    service = Service(server_settings, kb.database, scheduler=False)
    working = asyncio.create_task(service.run(stop))
    try:
        queued = await kb.jobs.queue()
        while not queued.workers:
            queued = await kb.jobs.queue()
        ended = await kb.jobs.wait(queued)
        assert {each.state for each in ended} == {"done"}
        assert len(ended) == len(queued.jobs) == 3
    finally:
        stop.set()
        await working


async def test_what_waits_is_hurried_and_what_is_queued_is_joined(
    kb: Syncline, db: Connection
) -> None:
    """With all its attempts before it, and as it is asked for now."""
    first = await kb.jobs.queue()
    (one, *others) = await claim(db, most=3)
    await jobs.finish(db, [(one, Retry(600, {"code": "x", "message": "later"}))])
    again = await kb.jobs.queue(full=True)
    assert again.jobs.keys() == first.jobs.keys()
    (retried,) = await claim(db, most=3)
    assert (retried.id, retried.attempts, retried.payload) == (one.id, 1, {"mode": "full"})
    await jobs.finish(db, [(each, Done()) for each in (retried, *others)])


async def test_force_takes_what_runs_from_its_worker(kb: Syncline, db: Connection) -> None:
    """Who has lost it changes nothing any more."""
    await kb.jobs.queue()
    held = await claim(db, "them", most=3)
    assert await claim(db, "us", most=3) == []
    await kb.jobs.queue(force=True)
    ours = await claim(db, "us", most=3)
    assert sorted(each.id for each in ours) == sorted(each.id for each in held)
    assert all(each.payload == {"force": True} for each in ours)
    assert await jobs.finish(db, [(each, Done()) for each in held]) == {}
    assert len(await jobs.finish(db, [(each, Done()) for each in ours])) == 3


async def test_everywhere_means_all_active_workspaces(
    kb: Syncline, server_settings: Settings, workspace_name: str, tmp_path: Path, db: Connection
) -> None:
    async with syncline.open(settings=server_settings, workspace=f"{workspace_name}-b") as other:
        await other.connections.add(tmp_path / "docs")
        queued = await kb.jobs.queue(everywhere=True)
        ours = {each.workspace for each in queued.jobs.values()}
        assert {workspace_name, f"{workspace_name}-b"} <= ours
        await empty_queue(db)
        await set_active(db, await find_workspace(db, other.workspace), active=False)
        queued = await kb.jobs.queue(everywhere=True)
        assert other.workspace not in {each.workspace for each in queued.jobs.values()}
        reasons = {each.workspace: each.resting for each in queued.skipped}
        assert reasons[other.workspace] == "its workspace is not active"


async def test_the_command_tells_what_it_does(
    kb: Syncline, server_settings: Settings, workspace_name: str, db: Connection
) -> None:
    commands = Commands(server_settings, workspace_name)
    finished = await asyncio.to_thread(commands.run, "sync", "-w", workspace_name)
    assert finished.status == 0, finished
    assert "3 connections for this command to sync" in finished.errors
    assert f"{workspace_name}/docs: +1" in finished.output
    found = await asyncio.to_thread(commands.json, "sync", "--all", "-w", workspace_name)
    assert [each["counts"]["unchanged"] for each in found["ended"]] == [1, 1, 1]
    for wrong in (("sync",), ("sync", "--all", "docs"), ("sync", "--all", "--tag", "x")):
        refused = await asyncio.to_thread(commands.run, *wrong)
        assert refused.status == 2, refused


async def test_a_command_that_is_interrupted_gives_back_what_it_had(
    kb: Syncline, server_settings: Settings, workspace_name: str, tmp_path: Path, db: Connection
) -> None:
    """What was queued stays queued, for the next who works."""
    for number in range(3000):
        (tmp_path / "docs" / f"{number}.md").write_text(f"# {number}\n\nThe lantern {number}.\n")
    commands = Commands(server_settings, workspace_name)
    process = commands.start("sync", "--all", "-w", workspace_name)
    async with asyncio.timeout(60):
        while not any(row.state == "running" for row in await kb.jobs.list()):
            pass
    process.send_signal(2)
    finished = await asyncio.to_thread(commands.wait, process)
    assert finished.status == 130, finished
    rows = await kb.jobs.list()
    assert {row.state for row in rows} <= {"ready"}
    assert {row.attempts for row in rows} <= {0}
