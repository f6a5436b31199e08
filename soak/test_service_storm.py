"""`syncline up` with a file of fifty connections, over folders and websites, through a storm.

For ten minutes, or SYNCLINE_STORM_SECONDS, everything changes while processes are killed and
stopped, the database dies and sites misbehave. Then the service is left in peace: each connection
must complete a run by its own schedule, with nothing restarted by hand but the service itself, as
an operating system would. Then what has failed for good is sent again, as an operator does, and
all must end with the same documents as one undisturbed pass over what the sources hold by then.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import yaml
from tests.support.commands import Commands
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.state import assert_consistent

from syncline.settings import Settings
from syncline.store.database import Database
from syncline.testing import fake_server
from syncline.testing.fake_site import FakeSite

SECONDS = int(os.environ.get("SYNCLINE_STORM_SECONDS", "600"))
SEED = int(os.environ.get("SYNCLINE_STORM_SEED", "1"))
_FOLDERS = 40
_SITES = 10
_WORKSPACES = 5
_PAGES = 30
_PEACE_SECONDS = 600
_MISBEHAVIOURS = (
    fake_server.answers(503),
    fake_server.rate_limits("1"),
    fake_server.cut_off(b"<p>half"),
    fake_server.redirects("/nowhere"),
)


def _text(chance: random.Random, name: str) -> str:
    words = " ".join(chance.choice(["lantern", "harbour", "orchard", "glacier"]) for _ in range(30))
    return f"# {name}\n\n{chance.randrange(10**9)} {words}\n\n## More\n\n{words}\n"


@dataclass
class _Sources:
    """Folders and sites, and what changes in them."""

    folder: Path
    sites: list[FakeSite]
    chance: random.Random
    folders: list[Path] = field(default_factory=list)

    def fill(self) -> None:
        for number in range(_FOLDERS):
            folder = self.folder / f"folder-{number}"
            folder.mkdir()
            self.folders.append(folder)
            for page in range(_PAGES):
                (folder / f"{page}.md").write_text(_text(self.chance, f"{number}/{page}"))
        for number, site in enumerate(self.sites):
            for page in range(_PAGES):
                site.put(f"/{page}", _text(self.chance, f"site {number}/{page}"))

    def declare(self, path: Path, schedule: str) -> None:
        """The file of all connections. Deletions are not held: they are meant."""
        spaces: dict[str, Any] = {f"tenant-{n}": {"connections": {}} for n in range(_WORKSPACES)}
        sources = [str(folder) for folder in self.folders] + [f"{s.url}/" for s in self.sites]
        for number, source in enumerate(sources):
            spaces[f"tenant-{number % _WORKSPACES}"]["connections"][f"source-{number}"] = {
                "source": source,
                "schedule": schedule,
                "recheck": "0",
                "guard": {"fraction": 1.0, "minimum": 100_000},
            }
        path.write_text(yaml.safe_dump({"workspaces": spaces}))

    def change(self) -> None:
        """One page of each of some sources is edited, added or removed."""
        for folder in self.chance.sample(self.folders, 8):
            name = folder / f"{self.chance.randrange(_PAGES + 5)}.md"
            if name.exists() and self.chance.random() < 0.3:
                name.unlink()
            else:
                new = name.with_suffix(".new")
                new.write_text(_text(self.chance, name.stem))
                new.replace(name)
        for site in self.chance.sample(self.sites, 3):
            path = f"/{self.chance.randrange(_PAGES + 5)}"
            if path in site.pages and self.chance.random() < 0.3:
                del site.pages[path]
            else:
                site.put(path, _text(self.chance, path))

    def misbehave(self) -> None:
        site = self.chance.choice(self.sites)
        site.misbehave(self.chance.choice(_MISBEHAVIOURS), times=self.chance.randrange(1, 12))

    def behave(self) -> None:
        for site in self.sites:
            site.behave()


class _Service:
    """`syncline up`, started again whenever it has died, as a supervisor would."""

    def __init__(self, commands: Commands, log: Path, chance: random.Random) -> None:
        self._commands = commands
        self._chance = chance
        self._log = log.open("a", encoding="utf-8")
        self._process: subprocess.Popen[str] | None = None
        self.starts = 0

    def keep_up(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self._process = self._commands.start(
                "up", stdout=self._log, stderr=self._log, environment={"SYNCLINE_LOG": "text"}
            )
            self.starts += 1

    def _processes(self) -> tuple[psutil.Process, list[psutil.Process]]:
        assert self._process is not None
        ours = psutil.Process(self._process.pid)
        return ours, ours.children(recursive=True)

    def kill_worker(self) -> None:
        """One of the processes that prepare batches, if there is one."""
        _, children = self._processes()
        named = [each for each in children if "syncline.worker" in " ".join(each.cmdline())]
        if named:
            self._chance.choice(named).kill()

    def kill(self) -> None:
        self._processes()[0].kill()

    def end(self) -> None:
        self._processes()[0].terminate()

    async def stop_for(self, seconds: float) -> None:
        ours, _ = self._processes()
        ours.suspend()
        await asyncio.sleep(seconds)
        ours.resume()

    async def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait, 60)
        self._log.close()


def _kill_database(settings: Settings) -> None:
    file = settings.data_dir / "postgres" / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError):
        os.kill(int(file.read_text().splitlines()[0]), signal.SIGKILL)


@pytest.fixture
def folders() -> Iterator[list[Settings]]:
    """The storm's own data folder, and that of the undisturbed pass."""
    made = [make_data_folder() for _ in range(2)]
    yield [
        settings_for(folder, workers=2, embedder="hashing").model_copy(update={"batch_size": 10})
        for folder in made
    ]
    for folder in made:
        remove_data_folder(folder)


@pytest.fixture
async def sites() -> AsyncIterator[list[FakeSite]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(FakeSite()) for _ in range(_SITES)]


async def _documents(settings: Settings) -> dict[tuple[str, str, str], tuple[str, str]]:
    async with Database(settings) as database, database.connection() as db:
        found = await db.execute(
            "SELECT w.name, c.name, d.entry_id, coalesce(d.title, ''), t.text FROM documents d"
            " JOIN workspaces w ON w.id = d.workspace_id"
            " JOIN connections c ON c.workspace_id = d.workspace_id AND c.id = d.connection_id"
            " JOIN contents t ON t.workspace_id = d.workspace_id AND t.id = d.content_id"
            " WHERE d.state = 'live'"
        )
        rows = await found.fetchall()
        for name in {row[0] for row in rows}:
            await assert_consistent(db, name)
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


@pytest.mark.timeout(SECONDS + 3600)
async def test_the_service_ends_as_one_undisturbed_pass_would(
    folders: list[Settings], sites: list[FakeSite], tmp_path: Path
) -> None:
    chance = random.Random(SEED)
    sources = _Sources(tmp_path, sites, chance)
    sources.fill()
    path = tmp_path / "syncline.yaml"
    sources.declare(path, "every 1m")
    stormy, calm = (Commands(settings, "default") for settings in folders)
    await asyncio.to_thread(stormy.ok, "apply", str(path), "--yes")
    service = _Service(stormy, tmp_path / "up.log", chance)
    deeds = {
        "kill a worker": service.kill_worker,
        "kill the service": service.kill,
        "end the service": service.end,
        "kill the database": lambda: _kill_database(folders[0]),
        "misbehave": sources.misbehave,
        "change": sources.change,
    }
    done: dict[str, int] = {}
    try:
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            service.keep_up()
            await asyncio.sleep(chance.uniform(0.5, 4))
            name = chance.choices(list(deeds), weights=[3, 1, 1, 1, 4, 6])[0]
            with suppress(psutil.NoSuchProcess):
                if chance.random() < 0.04:
                    name = "stop the service for a while"
                    await service.stop_for(chance.uniform(2, 15))
                else:
                    deeds[name]()
            done[name] = done.get(name, 0) + 1
        sources.behave()
        recovered = await _recover(folders[0], service)
        await _settle(stormy, service)
    finally:
        await service.close()
    print(json.dumps({"starts": service.starts, "recovered after": recovered, **done}))
    await asyncio.to_thread(calm.ok, "apply", str(path), "--yes")
    await asyncio.to_thread(calm.ok, "sync", "--all", "--workspace", "tenant-0")
    for number in range(1, _WORKSPACES):
        await asyncio.to_thread(calm.ok, "sync", "--all", "--workspace", f"tenant-{number}")
    assert await _documents(folders[0]) == await _documents(folders[1])


async def _recover(settings: Settings, service: _Service) -> float:
    """In peace, and untouched, until every connection has completed a run that began since; after
    how many seconds."""
    began = time.monotonic()
    left: list[Any] = []
    async with Database(settings) as database, database.connection() as db:
        found = await db.execute("SELECT clock_timestamp()")
        row = await found.fetchone()
        while time.monotonic() < began + _PEACE_SECONDS:
            service.keep_up()
            found = await db.execute(
                "SELECT c.name, c.attention, c.next_due, j.state, j.error FROM connections c"
                " LEFT JOIN jobs j ON j.workspace_id = c.workspace_id AND j.connection_id = c.id"
                " AND j.kind = 'sync' AND j.state IN ('waiting', 'ready', 'running')"
                " WHERE NOT EXISTS (SELECT FROM runs r WHERE r.workspace_id = c.workspace_id"
                " AND r.connection_id = c.id AND r.state = 'done' AND r.started_at > %s)",
                row,
            )
            left = await found.fetchall()
            if not left:
                return round(time.monotonic() - began, 1)
            await asyncio.sleep(1)
    raise AssertionError(f"these did not recover by themselves: {left}")


async def _settle(commands: Commands, service: _Service) -> None:
    """In peace, until every connection has been synced since: dead jobs and breakers are what an
    operator sends again once the cause is mended."""
    ends = time.monotonic() + _PEACE_SECONDS
    while time.monotonic() < ends:
        service.keep_up()
        for number in range(_WORKSPACES):
            space = ("--workspace", f"tenant-{number}")
            await asyncio.to_thread(commands.run, "dead-letters", "retry", "--all", *space)
            found = await asyncio.to_thread(commands.run, "connections", "--json", *space)
            if found.status:
                break
            for each in found.json["connections"]:
                if each["breakers"] or each["attention"]:
                    await asyncio.to_thread(
                        commands.run, "connections", "resume", each["name"], *space
                    )
        else:
            finished = [
                await asyncio.to_thread(
                    commands.run, "sync", "--all", "--workspace", f"tenant-{n}", "--wait", "--json"
                )
                for n in range(_WORKSPACES)
            ]
            if all(each.status == 0 for each in finished):
                return
    raise AssertionError(f"it did not settle: {[each.output[-2000:] for each in finished]}")
