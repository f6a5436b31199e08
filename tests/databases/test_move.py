"""Everything goes to another database, is compared there, and stays where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from syncline.core.errors import DatabaseInUse, StoreError, UsageError
from syncline.databases import move
from syncline.settings import Settings
from syncline.store import across
from syncline.store.database import Database
from syncline.store.sizes import count_holdings
from syncline.store.transfer import write_table
from tests.databases.knowledge import everything, sync_again
from tests.support.external import external_server
from tests.support.thorough import of_all

pytestmark = pytest.mark.server("postgresql")
MakeSettings = Callable[..., Settings]


@pytest.mark.parametrize(("bundled", "server"), of_all([("18", "16")], [("16", "18")]))
async def test_to_a_server_of_ones_own_and_back(
    make_settings: MakeSettings, tmp_path: Path, bundled: str, server: str
) -> None:
    """Every row with its numbers; the old place is as it was, and a host's tables as well."""
    source, back = make_settings(bundled, filled=True), make_settings(bundled)
    before = await everything(source)
    (source.data_dir / "secret-keys").write_text("first\n")
    with external_server(server) as url:
        there = source.model_copy(update={"database_url": url})
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as host:
            await host.execute("CREATE TABLE orders AS SELECT generate_series(1, 9) AS id")
            moved = await move(source, there)
            assert (moved.variable, moved.holdings.workspaces) == ("DATABASE_URL", 2)
            assert moved.keys == source.data_dir / "secret-keys"
            assert await everything(there) == await everything(source) == before
            moved = await move(there, back)
            assert moved.variable == "SYNCLINE_DATA_DIR"
            assert moved.keys == back.data_dir / "secret-keys"
            assert moved.keys.read_text() == "first\n"
            assert await everything(back) == before
            found = await host.execute("SELECT sum(id) FROM orders")
            assert await found.fetchone() == (45,)
    await sync_again(back, tmp_path / "new.json")


@pytest.mark.parametrize("side", ["source", "target"])
async def test_nobody_may_use_either(make_settings: MakeSettings, side: str) -> None:
    """What changed after it was read would be lost: those who could are named."""
    source, target = make_settings(filled=True), make_settings()
    async with Database(source if side == "source" else target):
        with pytest.raises(DatabaseInUse, match="Connected are: syncline"):
            await move(source, target)
    await _is_empty(target)


async def test_only_an_empty_place_is_filled(make_settings: MakeSettings, tmp_path: Path) -> None:
    """And only from one that is not."""
    source, target = make_settings(filled=True), make_settings()
    with pytest.raises(UsageError, match="nothing to move"):
        await move(target, source)
    await sync_again(target, tmp_path / "new.json")
    with pytest.raises(UsageError, match="1 workspaces with 5 documents"):
        await move(source, target)


async def test_what_arrives_changed_is_not_kept(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter lost on the way is found by comparing, and nothing stays."""
    source, target = make_settings(filled=True), make_settings()

    def forget(session: object, table: object, blocks: Iterator[bytes]) -> int:
        changed = (block.replace(b"locker", b"Locker", 1) for block in blocks)
        return write_table(session, table, changed)  # type: ignore[arg-type]

    monkeypatch.setattr(across, "write_table", forget)
    with pytest.raises(StoreError, match="chunks"):
        await move(source, target)
    await _is_empty(target)


async def _is_empty(settings: Settings) -> None:
    async with Database(settings) as database, database.connection() as db:
        assert (await count_holdings(db)).workspaces == 0
