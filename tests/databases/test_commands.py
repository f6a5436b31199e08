"""`syncline db` as people type it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from syncline.core.failpoints import ENVIRONMENT_VARIABLE
from syncline.settings import Settings
from tests.databases.knowledge import everything
from tests.support.commands import Commands
from tests.support.thorough import of_all

pytestmark = pytest.mark.server("postgresql")


@pytest.fixture
def commands(make_settings: Callable[..., Settings]) -> Commands:
    return Commands(make_settings(filled=True), "default")


def test_backed_up_looked_at_and_restored(commands: Commands, tmp_path: Path) -> None:
    """Each says what it has done; a file is not replaced, nor a database, without a word."""
    file = str(tmp_path / "all.backup")
    said = commands.ok("db", "backup", file)
    assert said.startswith(f"{file}: ")
    assert "documents of 2 workspaces" in said
    refused = commands.run("db", "backup", file)
    assert (refused.status, "--force" in refused.errors) == (2, True)
    made = commands.json("db", "backup", file, "--force")
    assert made["bytes"] == Path(file).stat().st_size
    info = commands.ok("db")
    assert f"in {commands.settings.data_dir}" in info
    assert file in info
    assert commands.json("db")["last_backup"]["bytes"] == made["bytes"]
    refused = commands.run("db", "restore", file)
    assert (refused.status, "--replace" in refused.errors) == (2, True)
    refused = commands.run("db", "restore", file, "--replace")
    assert (refused.status, "--yes" in refused.errors) == (2, True)
    assert "Restored" in commands.ok("db", "restore", file, "--replace", "--yes")


def test_no_password_is_shown(commands: Commands, tmp_path: Path) -> None:
    """Neither of the place that is looked at, nor of one that is moved to."""
    url = "postgresql://me:hidden@127.0.0.1:1/x?connect_timeout=3"
    for finished in (
        commands.run("db", "move", url),
        commands.run("db", "info", environment={"DATABASE_URL": url}),
        commands.run("db", "upgrade", environment={"DATABASE_URL": url}),
    ):
        assert finished.status != 0
        assert "hidden" not in finished.output + finished.errors


def test_progress_is_for_terminals(commands: Commands, tmp_path: Path) -> None:
    """A pipe gets the result alone; so does a terminal that asked for quiet."""
    file = str(tmp_path / "all.backup")
    assert len(commands.ok("db", "backup", file).splitlines()) == 1
    quiet = commands.on_terminal("db", "backup", file, "--force", "--quiet")
    assert (quiet.status, quiet.output) == (0, "")


@pytest.mark.parametrize("place", of_all(["loading.before_commit"], ["loading.tables_loaded"]))
def test_a_restore_that_is_killed_has_changed_nothing(
    commands: Commands, tmp_path: Path, place: str
) -> None:
    """And it can be run again at once."""
    file = str(tmp_path / "all.backup")
    commands.ok("db", "backup", file)
    before = asyncio.run(everything(commands.settings))
    again = ["db", "restore", file, "--replace", "--yes"]
    killed = commands.run(*again, environment={ENVIRONMENT_VARIABLE: f"{place}=kill"})
    assert killed.status == -9, killed
    assert asyncio.run(everything(commands.settings)) == before
    commands.ok(*again)
    assert asyncio.run(everything(commands.settings)) == before


def test_a_backup_that_is_killed_leaves_the_last_one(commands: Commands, tmp_path: Path) -> None:
    """What it has left is removed by the next."""
    file = tmp_path / "all.backup"
    commands.ok("db", "backup", str(file))
    good = file.read_bytes()
    killed = commands.run(
        "db",
        "backup",
        str(file),
        "--force",
        environment={ENVIRONMENT_VARIABLE: "backup.before_finish=kill"},
    )
    assert killed.status == -9, killed
    assert file.read_bytes() == good
    assert len(list(tmp_path.iterdir())) == 2
    commands.ok("db", "backup", str(file), "--force")
    assert list(tmp_path.iterdir()) == [file]
