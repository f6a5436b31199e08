"""`syncline up` keeps connections in step by itself; workers die, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from syncline.core.failpoints import ENVIRONMENT_VARIABLE
from syncline.settings import Settings
from syncline.store.connections import add_connection
from syncline.store.database import Database
from syncline.store.embedded import EmbeddedServer
from syncline.store.sync_queue import candidates, make_sync_jobs
from syncline.store.timetable import set_schedule
from syncline.store.workspaces import make_workspace
from tests.support.commands import Commands
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.external import external_server
from tests.support.stuck import ENVIRONMENT
from tests.support.waiting import wait_until


@pytest.fixture
def commands(workspace_name: str, empty_folder: Callable[[str], Path]) -> Iterator[Commands]:
    """A data folder of the test's own: a service takes all there is to do."""
    folder = make_data_folder(like=empty_folder("18"))
    settings = settings_for(folder, workers=1, embedder="hashing")
    yield Commands(settings, workspace_name)
    remove_data_folder(folder)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    for n in range(60):
        (docs / f"page{n:02}.md").write_text(f"# Page {n}\n\nwhat page number {n} says")
    return docs


def _start(commands: Commands, *words: str, **environment: str) -> subprocess.Popen[str]:
    process = commands.start(*words, environment=environment)
    assert process.stderr is not None
    process.stderr.readline()
    return process


def _documents(commands: Commands) -> int:
    documents: int = commands.json("status")["totals"]["documents"]
    return documents


def test_up_syncs_what_is_due_and_says_so(commands: Commands, docs: Path) -> None:
    """A connection that was only added is read at once, and is not due again before its time; but
    when somebody asks for it, who gets the report that the service has."""
    commands.ok("connections", "add", str(docs), "--schedule", "every 2h")
    service = _start(commands, "up")
    assert service.stderr is not None
    assert "docs: done: +60, 60 listed" in service.stderr.readline()
    wait_until(lambda: commands.json("connections")["connections"][0]["next_due"])
    (connection,) = commands.json("connections")["connections"]
    assert (connection["schedule"], connection["job"]) == ("every 2h", None)
    assert "every 2h" in commands.ok("connections")
    assert commands.json("jobs") == {"jobs": []}
    assert _documents(commands) == 60
    (docs / "page00.md").write_text("# Page 0\n\nsomething else altogether")
    asked = commands.run("sync", str(docs))
    assert asked.status == 0
    assert "docs: the running service does it" in asked.errors
    assert "docs: +0 ~1 -0" in asked.output
    assert "docs: done: ~1, 60 listed" in service.stderr.readline()
    service.send_signal(signal.SIGTERM)
    assert commands.wait(service).status == 0


def test_up_serves_a_database_of_ones_own(commands: Commands, docs: Path) -> None:
    """With DATABASE_URL it plans and works there, and leaves the database as it is at the end."""
    with external_server("18") as url:
        there = {"DATABASE_URL": url}
        add = ("connections", "add", str(docs), "--schedule", "every 2h")
        assert commands.run(*add, environment=there).status == 0
        service = _start(commands, "up", **there)
        assert service.stderr is not None
        assert "docs: done: +60, 60 listed" in service.stderr.readline()
        service.send_signal(signal.SIGTERM)
        assert commands.wait(service).status == 0
        found = commands.run("status", "--json", environment=there)
        assert found.json["totals"]["documents"] == 60


def test_a_killed_worker_is_made_up_for_by_another(
    commands: Commands, docs: Path, tmp_path: Path
) -> None:
    """kill -9 in the middle of a run: another worker finishes it, at once, by itself."""
    commands.ok("connections", "add", str(docs), "--schedule", "every 2h")
    up = _start(commands, "up", "--concurrency", "1")
    wait_until(lambda: _documents(commands) == 60)
    (docs / "page00.md").write_text("# Page 0\n\nsomething else altogether")
    up.send_signal(signal.SIGTERM)
    commands.wait(up)
    reached = tmp_path / "reached"
    planner = _start(commands, "scheduler")
    doomed = _start(
        commands,
        "worker",
        **{ENVIRONMENT_VARIABLE: f"run.opened=touch:{reached};listing.noted=pause"},
    )
    commands.ok("connections", "resume", "docs")
    wait_until(reached.exists, seconds=60)
    (job,) = commands.json("jobs")["jobs"]
    assert (job["state"], job["attempts"]) == ("running", 1)
    doomed.kill()
    assert commands.wait(doomed).status == -signal.SIGKILL
    successor = _start(commands, "worker")
    assert successor.stderr is not None
    assert "docs: done: ~1, 60 listed" in successor.stderr.readline()
    wait_until(lambda: commands.json("jobs") == {"jobs": []})
    runs = commands.json("runs")["runs"]
    assert [run["state"] for run in runs[:2]] == ["done", "interrupted"]
    for process in (successor, planner):
        process.send_signal(signal.SIGINT)
        assert commands.wait(process).status == 0


def _stuck(commands: Commands) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    """A scheduler, and a worker whose run has stored two entries and waits for a third."""
    asyncio.run(_connect_stuck(commands, {"stuck": "stuck"}))
    planner = _start(commands, "scheduler", **ENVIRONMENT)
    worker = _start(commands, "worker", **ENVIRONMENT)
    wait_until(lambda: _documents(commands) == 2)
    (job,) = commands.json("jobs")["jobs"]
    assert (job["state"], job["attempts"]) == ("running", 1)
    return planner, worker


async def _connect_stuck(commands: Commands, sources: Mapping[str, str]) -> None:
    """By name."""
    async with Database(commands.settings) as database, database.connection() as db:
        workspace = await make_workspace(db, commands.workspace)
        for name, source in sources.items():
            row = await add_connection(
                db,
                workspace,
                kind="stuck",
                name=name,
                source=source,
                options={},
                options_version=1,
            )
            await set_schedule(db, workspace, row.id, "every 2h")


async def _ask_for_all(commands: Commands) -> None:
    async with Database(commands.settings) as database, database.connection() as db:
        workspace = await make_workspace(db, commands.workspace)
        await make_sync_jobs(db, await candidates(db, workspace), {})


def test_as_many_run_at_once_as_the_settings_say(commands: Commands) -> None:
    """In all, and from one host."""
    sources = {"a": "stuck://one/a", "b": "stuck://one/b", "c": "/c", "d": "/d"}
    asyncio.run(_connect_stuck(commands, sources))
    asyncio.run(_ask_for_all(commands))
    limits = {"BATCH_SIZE": "2", "SYNCLINE_RUNS_PER_HOST": "1"}
    worker = _start(commands, "worker", **ENVIRONMENT, **limits)
    wait_until(lambda: _documents(commands) == 4)
    found = {job["connection"]: job["state"] for job in commands.json("jobs")["jobs"]}
    assert found == {"a": "running", "b": "ready", "c": "running", "d": "ready"}
    worker.send_signal(signal.SIGTERM)
    assert commands.wait(worker).status == 0


def test_a_worker_that_is_told_to_end_gives_its_job_back(commands: Commands) -> None:
    """SIGTERM in the middle of a run: what is written stays, and the attempt is not counted."""
    planner, worker = _stuck(commands)
    worker.send_signal(signal.SIGTERM)
    ended = commands.wait(worker)
    assert ended.status == 0
    assert "Stopping: what is written stays" in ended.errors
    (job,) = commands.json("jobs")["jobs"]
    assert (job["state"], job["attempts"], job["error"]) == ("ready", 0, None)
    assert _documents(commands) == 2
    planner.send_signal(signal.SIGTERM)
    assert commands.wait(planner).status == 0


def test_a_job_that_runs_can_be_cancelled(commands: Commands) -> None:
    """Its run ends at once, and what it has written stays; the worker goes on with others. Whoever
    follows it is told."""
    planner, worker = _stuck(commands)
    (job,) = commands.json("jobs")["jobs"]
    following = commands.start("sync", "stuck", environment=ENVIRONMENT)
    assert following.stderr is not None
    assert "following it" in following.stderr.readline()
    assert "asked to stop" in commands.ok("jobs", "cancel", str(job["id"]))
    followed = commands.wait(following)
    assert (followed.status, f"Job {job['id']} is cancelled" in followed.errors) == (1, True)
    wait_until(lambda: commands.json("jobs")["jobs"][0]["state"] == "cancelled")
    assert commands.json("runs")["runs"][0]["state"] == "interrupted"
    assert _documents(commands) == 2
    assert worker.poll() is None
    for process in (worker, planner):
        process.send_signal(signal.SIGTERM)
        assert commands.wait(process).status == 0


def test_a_database_that_dies_is_started_again(commands: Commands, docs: Path) -> None:
    """kill -9 of the bundled server: the service starts it, and goes on by itself."""
    commands.ok("connections", "add", str(docs), "--schedule", "every 2h")
    service = _start(commands, "up")
    wait_until(lambda: _documents(commands) == 60)
    pid = EmbeddedServer(commands.settings).info().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    (docs / "page00.md").write_text("# Page 0\n\nsomething else altogether")
    assert service.stderr is not None
    lines = iter(service.stderr.readline, "")
    assert any("lost the database; trying again" in line for line in lines)
    commands.ok("connections", "resume", "docs")
    assert any("docs: done: ~1, 60 listed" in line for line in lines)
    service.send_signal(signal.SIGTERM)
    assert commands.wait(service).status == 0


def test_a_service_that_runs_does_not_mind_a_newer_schema(commands: Commands, docs: Path) -> None:
    """It goes on with what it knows, until it is stopped; what is started then refuses to work."""
    commands.ok("connections", "add", str(docs), "--schedule", "every 2h")
    service = _start(commands, "up")
    assert service.stderr is not None
    assert "docs: done: +60" in service.stderr.readline()
    (docs / "page00.md").write_text("# Page 0\n\nsomething else altogether")
    asyncio.run(_meet_a_newer(commands.settings))
    assert "docs: done: ~1, 60 listed" in service.stderr.readline()
    for command in ("status", "worker"):
        refused = commands.run(command)
        assert refused.status == 1
        assert "newer than this Syncline knows" in refused.errors
        assert "Upgrade Syncline" in refused.errors
    service.send_signal(signal.SIGTERM)
    assert commands.wait(service).status == 0


async def _meet_a_newer(settings: Settings) -> None:
    """Somebody has brought the tables up to date for a version that is not there yet."""
    async with Database(settings) as database, await database.connect_as_owner() as owner:
        await owner.execute("UPDATE alembic_version SET version_num = '9999'")
        await owner.execute("UPDATE connections SET next_due = moment()")


def test_a_source_that_is_gone_is_tried_again_and_then_given_up(
    commands: Commands, docs: Path
) -> None:
    """The cause is kept with the job; a person sends it again when it is mended."""
    commands.ok("connections", "add", str(docs), "--schedule", "every 2h")
    docs.rename(docs.with_name("elsewhere"))
    service = _start(commands, "up")
    assert service.stderr is not None
    assert "docs: failed" in service.stderr.readline()
    assert "it is tried again" in service.stderr.readline()
    (job,) = commands.json("jobs")["jobs"]
    assert (job["state"], job["attempts"]) == ("waiting", 1)
    assert job["error"]["message"]
    assert job["error"]["message"] in commands.ok("jobs", "show", str(job["id"]))
    docs.with_name("elsewhere").rename(docs)
    commands.ok("jobs", "retry", str(job["id"]))
    assert "docs: done: +60" in service.stderr.readline()
    service.send_signal(signal.SIGTERM)
    assert commands.wait(service).status == 0


def test_a_service_that_uses_too_much_says_so_and_goes_on(commands: Commands, docs: Path) -> None:
    """One run after another; where nothing else would help it still gets on."""
    for n in range(3):
        commands.ok("connections", "add", str(docs), "--name", f"docs{n}", "--schedule", "every 2h")
    service = _start(commands, "up", SYNCLINE_MAX_MEMORY_MB="1")
    assert service.stderr is not None
    told = [service.stderr.readline() for _ in range(4)]
    (line,) = [line for line in told if "no further job is begun" in line]
    assert "(SYNCLINE_MAX_MEMORY_MB is 1)" in line
    assert sum("done: +" in line for line in told) == 3
    service.send_signal(signal.SIGTERM)
    assert commands.wait(service).status == 0


def test_bad_schedules_are_refused_and_change_nothing(commands: Commands, docs: Path) -> None:
    """Typed, or in the settings: exit code 2, with what would do."""
    refused = commands.run("connections", "add", str(docs), "--schedule", "every blue")
    assert (refused.status, "every 15m" in refused.errors) == (2, True)
    assert "There is no workspace" in commands.run("connections").errors
    commands.ok("connections", "add", str(docs))
    assert commands.run("connections", "schedule", "docs", "daily 25:00").status == 2
    assert commands.json("connections")["connections"][0]["schedule"] is None
    assert commands.json("connections", "schedule", "docs", "HOURLY")["schedule"] == "hourly"
    assert commands.json("connections", "schedule", "docs", "default")["schedule"] is None
    for variable, value in (("SYNCLINE_SCHEDULE", "now and then"), ("SYNC_FREQUENCY", "often")):
        finished = commands.run("up", environment={"SYNCLINE_SCHEDULE": "", variable: value})
        assert (finished.status, variable in finished.errors) == (2, True), finished


def test_a_paused_connection_rests(commands: Commands, docs: Path) -> None:
    """And says so; resumed, it is due at once. Without a schedule of its own, when the settings
    say."""
    commands.ok("connections", "add", str(docs), "--schedule", "hourly")
    commands.ok("connections", "pause", "docs")
    when = {"SYNCLINE_SCHEDULE": "", "SYNC_FREQUENCY": "daily", "SYNC_TIME": "03:30"}
    service = _start(commands, "up", **when)
    assert "paused" in commands.ok("connections")
    assert _documents(commands) == 0
    commands.ok("connections", "resume", "docs")
    wait_until(lambda: _documents(commands) == 60)
    commands.ok("connections", "schedule", "docs", "default")
    wait_until(lambda: commands.json("connections")["connections"][0]["next_due"])
    due = datetime.fromisoformat(commands.json("connections")["connections"][0]["next_due"])
    assert due.astimezone(UTC).time() == time(3, 30)
    service.send_signal(signal.SIGTERM)
    commands.wait(service)
