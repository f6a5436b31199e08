"""A service is watched at its port: metrics, whether it lives, whether it can work."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from syncline.core.events import EventKind
from syncline.core.model import WorkspaceId
from syncline.settings import Settings
from syncline.store.connections import add_connection
from syncline.store.database import Connection
from syncline.store.workspaces import make_workspace
from syncline.sync.watch import read_gauges
from syncline.telemetry.metrics import Gauges, Metrics
from tests.docs.blocks import ROOT
from tests.support.commands import Commands
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.queue import empty_queue
from tests.support.waiting import wait_until


@pytest.fixture
def commands(workspace_name: str, empty_folder: Callable[[str], Path]) -> Iterator[Commands]:
    """A data folder of the test's own: a service takes all there is to do."""
    folder = make_data_folder(like=empty_folder("18"))
    yield Commands(settings_for(folder, workers=1, embedder="hashing"), workspace_name)
    remove_data_folder(folder)


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def _started(
    commands: Commands, *words: str, **environment: str
) -> tuple[str, subprocess.Popen[str]]:
    """The address it says it is watched at."""
    environment = {"SYNCLINE_METRICS_PORT": "0", **environment}
    process = commands.start(*words, environment=environment)
    assert process.stderr is not None
    return json.loads(process.stderr.readline())["metrics"].removesuffix("/metrics"), process


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"{name} in {text}"
    return float(found[1])


def test_what_is_done_is_counted_at_the_port(commands: Commands, tmp_path: Path) -> None:
    """With the names that dashboards use; what cannot be read is an error."""
    (tmp_path / "a.md").write_text("# A page\n\nsome words that are here twice")
    (tmp_path / "b.md").write_text("# A page\n\nsome words that are here twice")
    commands.ok("connections", "add", str(tmp_path), "--name", "docs", "--schedule", "every 2h")
    url, service = _started(commands, "up")
    assert service.stderr is not None
    told = json.loads(service.stderr.readline())
    assert told["message"].startswith("docs: done: +2, 2 listed")
    assert (told["workspace"], told["connection"]) == (commands.workspace, "docs")
    assert (told["run"], told["counts"]["created"], told["level"]) == (1, 2, "info")
    assert told["job"] > 0
    wait_until(lambda: 'state="done"' in _get(f"{url}/metrics")[1])
    status, text = _get(f"{url}/metrics")
    assert status == 200
    assert _value(text, 'sync_duration_seconds_count{kind="files",state="done"}') == 1
    assert _value(text, 'items_processed_total{kind="files",outcome="created"}') == 2
    assert _value(text, 'deduplication_hits_total{kind="files"}') == 1
    assert _value(text, "syncline_database_up") == 1
    assert _value(text, "syncline_connections") == 1
    assert _value(text, "syncline_health") == 0
    assert _value(text, 'syncline_jobs{state="dead"}') == 0
    one = f'syncline_connection_lag_seconds{{connection="docs",workspace="{commands.workspace}"}}'
    assert _value(text, one) < 60
    assert _get(f"{url}/healthz") == (200, "alive\n")
    assert _get(f"{url}/readyz") == (200, "ready\n")
    assert _get(f"{url}/other")[0] == 404
    service.send_signal(signal.SIGTERM)
    assert commands.wait(service).status == 0


def test_runs_and_entries_that_fail_are_counted(commands: Commands, tmp_path: Path) -> None:
    """By what failed them; what a scheduler does not do it does not count."""
    docs = tmp_path / "docs"
    docs.mkdir()
    commands.ok("connections", "add", str(docs), "--schedule", "every 2h")
    docs.rmdir()
    url, service = _started(commands, "up")
    wait_until(lambda: "sync_errors_total{" in _get(f"{url}/metrics")[1])
    text = _get(f"{url}/metrics")[1]
    assert re.search(r'sync_errors_total\{code="[a-z_]+",kind="files"\} 1.0', text)
    other, scheduler = _started(commands, "scheduler")
    assert "sync_errors_total{" not in _get(f"{other}/metrics")[1]
    for process in (scheduler, service):
        process.send_signal(signal.SIGTERM)
        commands.wait(process)


def test_a_port_that_is_taken_is_said_at_once(commands: Commands) -> None:
    """Before anything is done; in the background too."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = {"SYNCLINE_METRICS_PORT": str(taken.getsockname()[1])}
        for command in (("scheduler",), ("up",)):
            finished = commands.run(*command, environment=environment)
            assert finished.status == 2
            assert "SYNCLINE_METRICS_PORT" in finished.errors
            assert "port of its own" in finished.errors
        assert commands.run("up", "--detach", environment=environment).status == 1


@pytest.fixture
async def workspace(db: Connection, workspace_name: str) -> AsyncIterator[WorkspaceId]:
    """Whose connections are the only ones that can be due."""
    await empty_queue(db)
    await db.execute("UPDATE workspaces SET active = false")
    yield await make_workspace(db, workspace_name)
    await db.execute("UPDATE workspaces SET active = true")


async def test_labels_are_bounded(db: Connection, workspace: WorkspaceId) -> None:
    """The twenty that are furthest behind have their own; the others are summed."""
    for n in range(30):
        row = await add_connection(
            db,
            workspace,
            kind="files",
            name=f"c{n:02}",
            source=f"/c{n}",
            options={},
            options_version=1,
        )
        await db.execute(
            "UPDATE connections SET next_due = moment() - make_interval(mins => %s)"
            " WHERE workspace_id = %s AND id = %s",
            (n, workspace, row.id),
        )
    gauges = await read_gauges(db, Settings.from_environment({}), with_default=True)
    assert [each.connection for each in gauges.worst] == [f"c{n:02}" for n in range(29, 9, -1)]
    assert gauges.other_lag == pytest.approx(60 * sum(range(10)), abs=30)
    text = Metrics().render(gauges).decode()
    assert text.count("syncline_connection_lag_seconds{") == 20
    assert _value(text, "syncline_other_connections") == 10


def test_every_metric_and_every_kind_of_event_is_explained() -> None:
    """On the page for operators; and nothing is explained that is not there."""
    page = (ROOT / "docs/howto/operate.md").read_text("utf-8")
    text = Metrics().render(Gauges()).decode()
    there = set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    there = {name for name in there if not name.endswith("_created")}
    named = set(re.findall(r"`((?:syncline|sync|items|dedup\w+|cache|source)_[a-z_]+)`", page))
    assert there - named == set()
    assert {name for name in named if name.startswith("syncline_")} - there == set()
    assert {kind.value for kind in EventKind} - set(re.findall(r"`(\w+)`", page)) == set()


def test_a_database_that_is_away_leaves_the_rest() -> None:
    """A scrape says so, and has what this process knows."""
    text = Metrics().render(None).decode()
    assert _value(text, "syncline_database_up") == 0
    assert "syncline_jobs" not in text
    assert "# TYPE sync_duration_seconds histogram" in text
