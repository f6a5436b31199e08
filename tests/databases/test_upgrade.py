"""The bundled database on a newer PostgreSQL: with everything in it, or as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from syncline.core.errors import DatabaseInUse, DatabaseUnavailable, UsageError
from syncline.core.failpoints import ENVIRONMENT_VARIABLE
from syncline.databases import read_info, remove_old, upgrade, upgrading
from syncline.databases.copying import Progress
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.embedded import EmbeddedServer
from tests.databases.knowledge import everything, sync_again
from tests.support.commands import Commands
from tests.support.data_folders import settings_for
from tests.support.thorough import of_all

pytestmark = pytest.mark.server("postgresql")
MakeSettings = Callable[..., Settings]


def _version(settings: Settings) -> str:
    return (settings.data_dir / "postgres" / "PG_VERSION").read_text().strip()


async def test_everything_is_kept(make_settings: MakeSettings, tmp_path: Path) -> None:
    """Every row with its numbers. The database of before stays until somebody removes it."""
    settings = make_settings("16", filled=True)
    before = await everything(settings)
    assert (await read_info(settings)).newer == "18"
    done = await upgrade(settings)
    assert (done.before, done.after) == ("16", "18")
    assert _version(settings) == "18"
    assert await everything(settings) == before
    await sync_again(settings, tmp_path / "new.json")
    assert done.old == [settings.data_dir / "postgres.old-16"]
    again = await upgrade(settings)
    assert (again.before, again.after, again.old) == ("18", "18", done.old)
    assert remove_old(settings) == done.old
    assert not done.old[0].exists()
    assert not (settings.data_dir / "upgrade").exists()


async def test_one_without_a_workspace_is_upgraded_too(make_settings: MakeSettings) -> None:
    settings = make_settings("16", new=True)
    with pytest.raises(UsageError, match="no database"):
        await upgrade(settings)
    async with Database(settings):
        pass
    assert (await upgrade(settings)).after == "18"
    assert (await read_info(settings)).holdings.workspaces == 0


async def test_not_while_others_use_it(make_settings: MakeSettings) -> None:
    """Those who are connected, and those who come while it is under way: it stays as it was."""
    settings = make_settings("16", filled=True)
    before = await everything(settings)
    async with Database(settings):
        with pytest.raises(DatabaseInUse, match="Connected"):
            await upgrade(settings)
    late = EmbeddedServer(settings)
    loop = asyncio.get_running_loop()

    def come(progress: Progress) -> None:
        if progress.doing == "Moving":
            asyncio.run_coroutine_threadsafe(late.acquire(), loop).result()

    with pytest.raises(DatabaseInUse, match="meanwhile"):
        await upgrade(settings, on_progress=come)
    await late.release()
    assert _version(settings) == "16"
    assert not (settings.data_dir / "upgrade").exists()
    assert await everything(settings) == before


async def test_the_space_is_looked_at_first(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings("16", filled=True)
    monkeypatch.setattr(upgrading, "_SLACK", 1 << 60)
    with pytest.raises(DatabaseUnavailable, match="MB left") as caught:
        await upgrade(settings)
    assert "db backup" in (caught.value.hint or "")
    assert _version(settings) == "16"


async def test_a_server_of_ones_own_is_its_administrators(tmp_path: Path) -> None:
    settings = Settings(database_url="postgresql://u@127.0.0.1:1/x", data_dir=tmp_path)
    with pytest.raises(UsageError, match="not Syncline's to upgrade"):
        await upgrade(settings)


@pytest.fixture
def commands(make_settings: MakeSettings) -> Commands:
    return Commands(make_settings("16", filled=True), "default")


@pytest.mark.parametrize(
    "place",
    of_all(
        ["loading.before_commit", "upgrade.old_moved"],
        ["loading.tables_loaded", "upgrade.copied"],
    ),
)
def test_a_kill_leaves_one_of_the_two(commands: Commands, place: str) -> None:
    """The database works at once, with everything in it, and the upgrade can be run again."""
    settings = settings_for(commands.settings.data_dir, workers=1, embedder="hashing")
    before = asyncio.run(everything(settings))
    killed = commands.run("db", "upgrade", environment={ENVIRONMENT_VARIABLE: f"{place}=kill"})
    assert killed.status == -9, killed
    assert asyncio.run(everything(settings)) == before
    assert _version(settings) == ("18" if place == "upgrade.old_moved" else "16")
    assert commands.json("db", "upgrade")["after"] == "18"
    assert _version(settings) == "18"
    assert asyncio.run(everything(settings)) == before
    left = {path.name for path in settings.data_dir.iterdir()}
    assert "postgres.old-16" in left
    assert not {"upgrade", "postgres.upgraded"} & left
