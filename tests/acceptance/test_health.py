"""`syncline health`: at which lag, error rate and job what is not well any more."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from syncline.core.health import HealthState
from syncline.core.jobs import Done
from syncline.core.model import ConnectionId, WorkspaceId
from syncline.scheduling.schedule import Every
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.connections import add_connection
from syncline.store.database import Connection, Database
from syncline.store.timetable import note_attention, pause, set_freshness, set_schedule
from syncline.store.workspaces import make_workspace
from syncline.sync.health import Health, read_health
from syncline.sync.scheduler import Scheduler
from tests.support.commands import Commands
from tests.support.queue import claim, empty_queue, shift_clock
from tests.support.thorough import of_all

POSTGRES = of_all(["18"], ["16"])
HOUR = 3600.0


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> AsyncIterator[WorkspaceId]:
    """Whose connections are the only ones that can be due, and whose runs the only ones of late."""
    await empty_queue(db)
    await db.execute(
        "UPDATE runs SET started_at = started_at - interval '1 day',"
        " ended_at = ended_at - interval '1 day' WHERE ended_at IS NOT NULL"
    )
    await db.execute("UPDATE workspaces SET active = false")
    yield await make_workspace(db, workspace_name)
    await db.execute("DELETE FROM jobs")
    await db.execute("UPDATE workspaces SET active = true")


@pytest.fixture
async def connection(db: Connection, database: Database, workspace: WorkspaceId) -> ConnectionId:
    """One that is due every 15 minutes; its first slot has been planned now."""
    row = await add_connection(
        db, workspace, kind="files", name="docs", source="/docs", options={}, options_version=1
    )
    await set_schedule(db, workspace, row.id, "every 15m")
    await Scheduler(database, Every(15), ("files",)).run_once(db)
    return row.id


async def _health(
    db: Connection, workspace: WorkspaceId | None, settings: Settings | None = None
) -> Health:
    return await read_health(
        db, settings or Settings.from_environment({}), workspace, with_default=True
    )


async def _run(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, state: str = "done"
) -> None:
    """A run that began and ended now."""
    await db.execute(
        "INSERT INTO runs (workspace_id, connection_id, lane, mode, state, owner, lease_until,"
        " started_at) VALUES (%s, %s, 'changes', 'incremental', 'running', 'us', now(), moment())",
        (workspace, connection),
    )
    await db.execute(
        "UPDATE runs SET state = %s, ended_at = moment(), error = %s WHERE workspace_id = %s"
        " AND state = 'running'",
        (state, '{"message": "it was not there"}' if state == "failed" else None, workspace),
    )


@pytest.mark.parametrize(
    ("hours", "state"),
    [
        (0.1, HealthState.HEALTHY),
        (1.4, HealthState.HEALTHY),
        (1.6, HealthState.DEGRADED),
        (2.9, HealthState.DEGRADED),
        (3.1, HealthState.UNHEALTHY),
    ],
)
async def test_lag_counts_from_the_slot_that_was_not_kept(
    db: Connection,
    workspace: WorkspaceId,
    connection: ConnectionId,
    hours: float,
    state: HealthState,
) -> None:
    """Degraded beyond 1.5 h, unhealthy beyond 3 h; the connection is named."""
    await shift_clock(db, hours * HOUR)
    health = await _health(db, workspace)
    assert health.state is state
    assert health.lag == pytest.approx(hours * HOUR, abs=60)
    if state is not HealthState.HEALTHY:
        (found,) = health.findings
        assert (found.what, found.connection) == ("lag", "docs")
        assert "worker" in found.advice
    assert (await _health(db, None)).state is state


async def test_a_run_that_is_done_makes_good(
    db: Connection, database: Database, workspace: WorkspaceId, connection: ConnectionId
) -> None:
    """A run that fails does not, however many slots go by; each is behind the first one."""
    scheduler = Scheduler(database, Every(15), ("files",))
    for hour in (1, 2, 4):
        (claimed,) = await claim(db)
        await _run(db, workspace, connection, "failed")
        await jobs.finish(db, [(claimed, Done())])
        await scheduler.run_once(db)
        await shift_clock(db, hour * HOUR)
        await scheduler.run_once(db)
    lag = (await _health(db, workspace)).lag
    assert lag == pytest.approx(4 * HOUR, abs=60)
    await _run(db, workspace, connection)
    assert (await _health(db, workspace)).lag < 60


async def test_what_rests_is_not_late(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> None:
    """Paused, manual, of an inactive workspace; what needs attention is, and says so."""
    await note_attention(db, workspace, connection, {"code": "unauthorized", "message": "No key."})
    await shift_clock(db, 5 * HOUR)
    (found,) = (await _health(db, workspace)).findings
    assert "No key" in found.advice
    assert "connections resume docs" in found.advice
    await db.execute("UPDATE workspaces SET active = false WHERE id = %s", (workspace,))
    assert (await _health(db, workspace)).findings == []
    await db.execute("UPDATE workspaces SET active = true WHERE id = %s", (workspace,))
    await pause(db, workspace, connection)
    assert (await _health(db, workspace)).findings == []
    await set_schedule(db, workspace, connection, "manual")
    assert (await _health(db, workspace)).findings == []


async def test_a_slot_that_is_being_seen_to_is_not_later_and_later(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> None:
    """A first sync may take its time, as long as its worker is heard of."""
    await claim(db)
    await shift_clock(db, 5 * HOUR)
    await db.execute("UPDATE jobs SET lease_until = moment() + interval '1 minute'")
    assert (await _health(db, workspace)).state is HealthState.HEALTHY


async def test_a_connection_may_have_a_target_of_its_own(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> None:
    """Degraded when it is older, unhealthy when it is twice as old; without one as it was."""
    await _run(db, workspace, connection)
    await set_freshness(db, workspace, connection, 600)
    for seconds, state in (
        (500, HealthState.HEALTHY),
        (700, HealthState.DEGRADED),
        (1300, HealthState.UNHEALTHY),
    ):
        await shift_clock(db, seconds)
        assert (await _health(db, workspace)).state is state
    (found,) = (await _health(db, workspace)).findings
    assert "may be 10m" in found.message
    await set_freshness(db, workspace, connection, None)
    assert (await _health(db, workspace)).state is HealthState.HEALTHY


@pytest.mark.parametrize(
    ("failed", "state"),
    [
        (5, HealthState.HEALTHY),
        (6, HealthState.DEGRADED),
        (10, HealthState.DEGRADED),
        (11, HealthState.UNHEALTHY),
    ],
)
async def test_failed_runs_count_by_their_part(
    db: Connection,
    workspace: WorkspaceId,
    connection: ConnectionId,
    failed: int,
    state: HealthState,
) -> None:
    """Of a hundred in the last hours; what is long ago does not."""
    for n in range(100):
        await _run(db, workspace, connection, "failed" if n < failed else "done")
    health = await _health(db, workspace)
    assert (health.state, health.error_rate) == (state, failed / 100)
    if state is not HealthState.HEALTHY:
        assert "it was not there" in health.findings[0].message
    await pause(db, workspace, connection)
    await shift_clock(db, 7 * HOUR)
    assert (await _health(db, workspace)).findings == []


async def test_a_stuck_job_is_unhealthy(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> None:
    """One whose lease lapsed and that nobody rescues, or that runs for longer than a day."""
    await claim(db, "lost-worker")
    await shift_clock(db, jobs.LEASE_SECONDS + 30)
    assert (await _health(db, workspace)).state is HealthState.HEALTHY
    await shift_clock(db, jobs.LEASE_SECONDS + 90)
    (found,) = (await _health(db, workspace)).findings
    assert (found.state, found.what) == (HealthState.UNHEALTHY, "stuck")
    assert "lost-worker" in found.message
    await shift_clock(db, 25 * HOUR)
    await db.execute("UPDATE jobs SET lease_until = moment() + interval '1 minute'")
    (found,) = (await _health(db, workspace)).findings
    assert "running for" in found.message


async def test_the_thresholds_are_settings(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> None:
    """As durations, and parts of one."""
    strict = Settings.from_environment(
        {"SYNCLINE_HEALTH_DEGRADED_LAG": "5m", "SYNCLINE_HEALTH_UNHEALTHY_LAG": "1h"}
    )
    assert Settings.from_environment(strict.to_environment()) == strict
    await shift_clock(db, 400)
    assert (await _health(db, workspace)).state is HealthState.HEALTHY
    assert (await _health(db, workspace, strict)).state is HealthState.DEGRADED


def test_the_command_ends_with_what_it_found(
    server_settings: Settings, workspace_name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """0 healthy, 1 degraded, 2 unhealthy; the same in JSON."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "page.md").write_text("# Page\n\ntext")
    commands = Commands(server_settings, workspace_name)
    commands.ok("connections", "add", str(folder), "--name", "docs", "--schedule", "hourly")
    one = ("health", "--workspace", workspace_name)
    assert "Healthy" in commands.ok(*one)
    refused = commands.run("connections", "freshness", "docs", "soon")
    assert (refused.status, "90s" in refused.errors) == (2, True)
    commands.ok("connections", "freshness", "docs", "1s")
    assert commands.json("connections")["connections"][0]["freshness_seconds"] == 1
    finished = commands.run(*one)
    deadline = time.monotonic() + 60
    while finished.status == 0 and time.monotonic() < deadline:
        finished = commands.run(*one)  # it is a second old in a second
    assert finished.status in (1, 2)
    assert "docs is" in finished.output
    found = commands.run(*one, "--json")
    assert found.json["state"] == {1: "degraded", 2: "unhealthy"}[found.status]
    away = commands.run("health", environment={"DATABASE_URL": "postgresql://127.0.0.1:1/x"})
    assert (away.status, "cannot be reached" in away.errors) == (2, True)
    commands.ok("connections", "freshness", "docs", "default")
    assert commands.json(*one)["findings"] == []
