"""The disk is full under a service: it says so, loses nothing, and goes on when there is room."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from syncline.core.errors import DatabaseUnavailable
from syncline.core.jobs import NewJob
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.connections import add_connection
from syncline.store.database import Database
from syncline.store.runs_read import list_runs
from syncline.store.workspaces import make_workspace
from syncline.sync.sync_job import SYNC
from tests.support.commands import Commands
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.state import assert_consistent
from tests.support.waiting import wait_until
from tests.support.world import World

_SIZE = 320
"""Megabytes. A database without documents takes some hundred."""
_ROOM = 6
"""Megabytes that are left to the sync, which needs more."""
_PAGES = 150
_DISK_FULL = "The disk is full. Free some space"


@pytest.fixture
def small_disk() -> Iterator[Settings]:
    """A data folder on a small file system of its own."""
    folder = make_data_folder()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can make a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}m,mode=711", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"file systems cannot be mounted here: {mounted.stderr.strip()}")
    inner = folder / "data"
    inner.mkdir(mode=0o711)
    yield settings_for(inner, workers=1, embedder="hashing")
    remove_data_folder(inner)
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


@pytest.fixture
async def service(
    small_disk: Settings, tmp_path: Path
) -> AsyncIterator[tuple[subprocess.Popen[str], Path]]:
    """`syncline up` there, and what it says."""
    log = tmp_path / "up.log"
    with log.open("w") as said:
        process = Commands(small_disk, "default").start("up", stdout=said, stderr=said)
        yield process, log
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 60)


async def test_a_full_disk_is_waited_for(
    small_disk: Settings, service: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    """A sync that does not fit fails, with that cause, at no cost of attempts. When there is room
    again the same service brings it to its end; what was stored before is still there."""
    process, log = service
    world = World(tmp_path / "world.json")
    async with Database(small_disk) as database:
        wanted = await _with_five(database, world)
        world.put_many({f"new{n}": _text(n) for n in range(_PAGES)})
        ballast = _fill(small_disk.data_dir.parent, leave=_ROOM)
        async with database.connection() as db:
            await jobs.enqueue(db, [wanted])
        await asyncio.to_thread(wait_until, lambda: "disk is full" in log.read_text(), seconds=90)
        ballast.unlink()
        await _until_done(database, 5 + _PAGES)
        assert process.poll() is None
        async with database.connection() as db:
            await assert_consistent(db, "default")
            done, *failed, _ = await list_runs(db, wanted.workspace_id)
        assert done.state == "done"
        assert failed
        assert all("disk is full" in str((each.error or {})["message"]) for each in failed)


async def test_a_disk_without_room_for_the_log_is_waited_for(
    small_disk: Settings, service: tuple[subprocess.Popen[str], Path], tmp_path: Path
) -> None:
    """The server ends, for it cannot write ahead, and cannot start. The service says why and what
    to do, as `health` does, and goes on when there is room. What was told as done is there."""
    process, log = service
    world = World(tmp_path / "world.json")
    async with Database(small_disk) as database:
        wanted = await _with_five(database, world)
        world.put_many({f"new{n}": f"# New {n}\n\nwhat has come {n}" for n in range(5)})
        ballast = _fill(small_disk.data_dir.parent, leave=_ROOM)
        told = await _fill_log(database, wanted)
        full = _fill(small_disk.data_dir.parent, leave=0, name="more")
        await asyncio.to_thread(wait_until, lambda: _DISK_FULL in _still_away(log), seconds=60)
        health = await asyncio.to_thread(Commands(small_disk, "default").run, "health")
        assert health.status == 2
        assert _DISK_FULL in " ".join(health.errors.split())
        for each in (ballast, full):
            each.unlink()
        await _until_done(database, 10)
        await asyncio.to_thread(wait_until, lambda: "is back" in log.read_text(), seconds=60)
        assert process.poll() is None
        async with database.connection() as db:
            await assert_consistent(db, "default")
            found = await db.execute("SELECT name FROM workspaces WHERE name LIKE 'told%'")
            assert {name for (name,) in await found.fetchall()} >= told


def _still_away(log: Path) -> str:
    """The lines that tell why the database cannot be started."""
    return "".join(line for line in log.read_text().splitlines() if "is still away" in line)


async def _with_five(database: Database, world: World) -> NewJob:
    """A source whose five pages are stored; the job that syncs it."""
    world.put_many({f"old{n}": f"# Old {n}\n\nwhat was there {n}" for n in range(5)})
    async with database.connection() as db:
        workspace = await make_workspace(db, "default")
        row = await add_connection(
            db,
            workspace,
            kind="scripted-listing",
            name="source",
            source=str(world.path),
            options=world.options,
            options_version=1,
        )
        wanted = NewJob(workspace, SYNC, connection_id=row.id)
        await jobs.enqueue(db, [wanted])
    await _until_done(database, 5)
    return wanted


async def _fill_log(database: Database, wanted: NewJob) -> set[str]:
    """Write what goes to the write-ahead log alone, until it fits no more. There is a job by then;
    the names of the workspaces that were made."""
    told: set[str] = set()
    with suppress(psycopg.OperationalError):
        async with database.connection() as db:
            for n in range(100):
                name = f"told-{n}"
                await make_workspace(db, name)
                told.add(name)
                if n == 10:
                    await jobs.enqueue(db, [wanted])
                await db.execute(
                    "SELECT pg_logical_emit_message(false, '', repeat('x', 1000000), true)"
                )
        raise AssertionError("there was room for all of it")
    assert len(told) > 10
    return told


async def _until_done(database: Database, documents: int) -> None:
    """No job is left, dead ones included; none waits longer than it must."""
    async with asyncio.timeout(90):
        while True:
            with suppress(psycopg.OperationalError, DatabaseUnavailable):
                async with database.connection() as db:
                    await db.execute("UPDATE jobs SET run_at = moment() WHERE state = 'waiting'")
                    found = await db.execute(
                        "SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM jobs)"
                    )
                    if await found.fetchone() == (documents, 0):
                        return
            await asyncio.sleep(0.1)


def _fill(folder: Path, *, leave: int, name: str = "ballast") -> Path:
    """Leave so many megabytes of room."""
    ballast = folder / name
    free = os.statvfs(folder)
    size = free.f_bavail * free.f_frsize - leave * 1_000_000
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return ballast


def _text(n: int) -> str:
    words = " ".join(f"word{n * 1000 + each}" for each in range(1000))
    return f"# New {n}\n\n{words}\n"
