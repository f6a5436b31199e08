"""Ctrl-C and SIGTERM: a sync stops in order, keeps what it wrote, and goes on later."""

from __future__ import annotations

import os
import pty
import signal
from pathlib import Path

import pytest

from syncline.core.failpoints import ENVIRONMENT_VARIABLE
from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer
from tests.support.commands import Commands
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.waiting import wait_until

_PAGES = 400


@pytest.fixture
def commands(server_settings: Settings, workspace_name: str) -> Commands:
    return Commands(server_settings, workspace_name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(_PAGES):
        (folder / f"page{n:03}.md").write_text(f"# Page {n}\n\nwhat page number {n} says")
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sync_keeps_what_it_wrote_and_goes_on(
    commands: Commands, folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Exit code 130; the next sync does the rest, and nothing twice."""
    reached = tmp_path / "reached"
    process = commands.start(
        "sync",
        str(folder),
        environment={ENVIRONMENT_VARIABLE: f"batch.committed=touch:{reached}"},
    )
    wait_until(reached.exists, seconds=60)
    process.send_signal(number)
    finished = commands.wait(process)
    assert finished.status == 130
    assert "Stopping: what is written stays" in finished.errors
    assert "the next sync goes on from there" in finished.errors
    (run,) = commands.json("runs")["runs"]
    assert run["state"] == "interrupted"
    written = run["counts"]["created"]
    assert written > 0
    report = commands.json("sync", "many")
    assert report["created"] + report["unchanged"] == _PAGES
    assert report["unchanged"] == written


def test_a_second_signal_ends_at_once(commands: Commands, folder: Path, tmp_path: Path) -> None:
    """Even while a worker does not answer; the run is marked and can be followed by another."""
    reached = tmp_path / "reached"
    process = commands.start(
        "sync",
        str(folder),
        environment={
            ENVIRONMENT_VARIABLE: f"batch.prepared=touch:{reached};batch.before_commit=pause"
        },
    )
    wait_until(reached.exists, seconds=60)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "Stopping" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    finished = commands.wait(process)
    assert finished.status == 130
    assert commands.json("runs")["runs"][0]["state"] == "interrupted"
    assert commands.json("sync", "many")["created"] == _PAGES


def test_progress_is_shown_on_a_terminal_alone(commands: Commands, folder: Path) -> None:
    """Listed, changed and written appear there, and are gone at the end."""
    ours, theirs = pty.openpty()
    process = commands.start(
        "sync", str(folder), environment={"TERM": "xterm-256color", "COLUMNS": "100"}, stderr=theirs
    )
    os.close(theirs)
    seen = b""
    while b"written" not in seen:
        seen += os.read(ours, 65536)
    assert b" listed, " in seen
    process.send_signal(signal.SIGINT)
    while b"goes on from there.\r\n" not in seen:
        seen += os.read(ours, 65536)
    finished = commands.wait(process)
    os.close(ours)
    assert finished.status == 130
    output = finished.output
    assert output.startswith("many: +")
    assert "\x1b" not in output, "the result is not for the terminal"


def test_a_second_sync_of_a_connection_follows_the_first(
    commands: Commands, folder: Path, tmp_path: Path
) -> None:
    """Until it is told to end. What the first does not do is refused; `--force` takes over from one
    that hangs."""
    reached = tmp_path / "reached"
    hanging = commands.start(
        "sync",
        str(folder),
        environment={ENVIRONMENT_VARIABLE: f"run.opened=touch:{reached};listing.noted=pause"},
    )
    wait_until(reached.exists, seconds=60)
    following = commands.start("sync", "many")
    assert following.stderr is not None
    assert "following it" in following.stderr.readline()
    following.send_signal(signal.SIGINT)
    followed = commands.wait(following)
    assert followed.status == 130
    assert "It goes on without this command." in followed.errors
    refused = commands.run("sync", "many", "--full")
    assert refused.status == 1
    assert "is under way" in refused.errors
    assert "--wait" in refused.errors
    assert commands.json("sync", "many", "--force")["created"] == _PAGES
    hanging.kill()
    assert commands.wait(hanging).status == -signal.SIGKILL


def test_a_killed_sync_is_not_said_to_be_running(
    commands: Commands, folder: Path, tmp_path: Path
) -> None:
    """While it lives it is; after kill -9 it counts as interrupted at once."""
    reached = tmp_path / "reached"
    process = commands.start(
        "sync",
        str(folder),
        environment={ENVIRONMENT_VARIABLE: f"run.opened=touch:{reached};listing.noted=pause"},
    )
    wait_until(reached.exists, seconds=60)
    (connection,) = commands.json("status")["connections"]
    assert connection["last_run"]["state"] == "running"
    process.kill()
    commands.wait(process)

    def seen() -> str:
        return str(commands.json("status")["connections"][0]["last_run"]["state"])

    wait_until(lambda: seen() == "interrupted", seconds=60)
    run = connection["last_run"]["id"]
    assert [each["state"] for each in commands.json("runs")["runs"]] == ["interrupted"]
    assert commands.json("runs", str(run))["state"] == "interrupted"
    assert commands.json("sync", "many")["created"] == _PAGES


@pytest.mark.parametrize("signals", [1, 2])
def test_interrupting_a_first_start_leaves_nothing_behind(
    commands: Commands, folder: Path, signals: int
) -> None:
    """Ctrl-C while the database is being made: no process stays, and the next command makes it."""
    data = make_data_folder()
    try:
        process = commands.start("sync", str(folder), "--data-dir", str(data))
        wait_until(lambda: bool(list(data.glob("postgres*"))), seconds=60)
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
        finished = commands.wait(process)
        assert (finished.status, finished.output) == (130, "")
        assert finished.errors == "Interrupted.\n"
        server = EmbeddedServer(settings_for(data))
        wait_until(lambda: server.info().pid is None, seconds=60)
        assert commands.json("sync", str(folder), "--data-dir", str(data))["created"] == _PAGES
    finally:
        remove_data_folder(data)
