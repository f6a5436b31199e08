"""`up`, `down` and `doctor`, in data folders of their own."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Commands
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for
from tests.support.waiting import wait_until


@pytest.fixture
def commands() -> Iterator[Commands]:
    """In a data folder with nothing in it yet."""
    folder = make_data_folder()
    yield Commands(settings_for(folder, workers=1, embedder="hashing"), "default")
    remove_data_folder(folder)


def test_a_database_is_held_up_in_the_background_until_told(
    commands: Commands, tmp_path: Path
) -> None:
    """Commands use it, and leave it running; `down` ends it, and twice is once. A log that has
    grown large is put aside."""
    log = commands.settings.data_dir / "log" / "up.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as file:
        file.write(b"long ago\n")
        file.truncate(10_000_001)
    assert "syncline down" in commands.ok("up", "--detach")
    assert log.with_name("up.log.1").stat().st_size == 10_000_001
    assert json.loads(log.read_text().splitlines()[0])["message"].startswith("Up, with")
    assert "up already" in commands.ok("up", "--detach")
    assert "up already" in commands.ok("up")
    assert commands.json("status")["totals"]["documents"] == 0
    assert "Nothing is synced yet" in commands.ok("status")
    (tmp_path / "page.md").write_text("# A page\n\nwith words")
    assert commands.json("sync", str(tmp_path))["created"] == 1
    assert commands.ok("down") == "Down.\n"
    assert commands.ok("down") == "It was not running.\n"
    assert commands.json("status")["totals"]["documents"] == 1
    assert json.loads(log.read_text().splitlines()[-1])["message"] == "Down."


def test_up_in_the_foreground_ends_with_a_signal(commands: Commands) -> None:
    """And says where the database is, and how to end it."""
    process = commands.start("up")
    assert process.stderr is not None
    told = process.stderr.readline()
    assert str(commands.settings.data_dir) in told
    assert "syncline down" in told
    process.send_signal(signal.SIGINT)
    assert commands.wait(process).status == 0


def test_down_names_who_still_uses_the_database(commands: Commands, tmp_path: Path) -> None:
    """It leaves them alone, unless forced."""
    (tmp_path / "page.md").write_text("# A page\n\nwith words")
    reached = tmp_path / "reached"
    user = commands.start(
        "sync",
        str(tmp_path),
        environment={"SYNCLINE_FAILPOINTS": f"run.opened=touch:{reached};listing.noted=pause"},
    )
    wait_until(reached.exists, seconds=60)
    refused = commands.run("down")
    assert refused.status == 1
    assert str(user.pid) in refused.errors
    assert "--force" in refused.errors
    assert commands.run("down", "--force").status == 0
    os.kill(user.pid, signal.SIGKILL)
    commands.wait(user)
    assert commands.json("sync", str(tmp_path))["created"] == 1


def test_a_foreign_database_is_not_ours_to_stop(commands: Commands) -> None:
    """With DATABASE_URL, `down` says so, and `up --detach`; --data-dir means the bundled one."""
    foreign = {"DATABASE_URL": "postgresql://example.invalid/db"}
    for words in (("up", "--detach"), ("down",)):
        finished = commands.run(*words, environment=foreign)
        assert (finished.status, "DATABASE_URL" in finished.errors) == (2, True)
    bundled = commands.run(
        "down", "--data-dir", str(commands.settings.data_dir), environment=foreign
    )
    assert bundled.status == 0


def test_doctor_finds_what_is_wrong(commands: Commands, tmp_path: Path) -> None:
    """Exit code 1; the thing that failed comes with what to do, the others are still looked at."""
    file = tmp_path / "not-a-folder"
    file.write_text("")
    finished = commands.run(
        "doctor",
        environment={
            "SYNCLINE_DATA_DIR": str(file / "data"),
            "SYNCLINE_CONNECTORS": "broken=no.such.module:SPEC",
        },
    )
    assert finished.status == 1
    assert "FAILED  connector broken" in finished.output
    assert "FAILED  database " in finished.output
    assert "ok      embedder" in finished.output
    assert "checks failed" in finished.output
