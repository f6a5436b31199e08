"""A backfill: a part is read again, whatever is known of it; nothing else changes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import syncline
from syncline.core.errors import ConfigurationError, UsageError
from syncline.core.model import Mode
from syncline.settings import Settings
from tests.support.commands import Commands
from tests.support.looking import documents, query
from tests.support.syncs import Syncs
from tests.support.world import World

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def _at(days_ago: int) -> dict[str, str]:
    return {"updated_at": (NOW - timedelta(days=days_ago)).isoformat()}


async def test_what_was_updated_since_is_read_again(listing: Syncs, world: World) -> None:
    """Though its version is the stored one; the rest is not read, and what is gone stays."""
    world.put("old", "# Old\n\nalpha", metadata=_at(100))
    world.put("new", "# New\n\nbeta", metadata=_at(1))
    world.put("gone", "# Gone\n\ngamma", metadata=_at(1))
    await listing.run()
    world.remove("gone")
    world.clear_log()
    report = await listing.run(Mode.BACKFILL, since=NOW - timedelta(days=7))
    assert report.accounted_for
    assert world.fetches() == ["new"]
    assert (report.counts["unchanged"], report.counts["filtered"]) == (1, 1)
    assert report.counts["gone"] == 0
    assert set(await documents(listing)) == {"old", "new", "gone"}
    report = await listing.run()
    assert (report.counts["unchanged"], report.counts["deleted"]) == (2, 1)


async def test_what_a_backfill_left_out_is_read_by_the_next_run(
    listing: Syncs, world: World
) -> None:
    """Until then the connection is not fresh: a part was read."""
    fresh = "SELECT fresh_at IS NOT NULL FROM connections WHERE workspace_id = %s"
    world.put("old", "# Old\n\nalpha", metadata=_at(100))
    world.put("new", "# New\n\nbeta", metadata=_at(1))
    await listing.run(Mode.BACKFILL, since=NOW - timedelta(days=7))
    assert (set(await documents(listing)), await query(listing, fresh)) == ({"new"}, [(False,)])
    await listing.run()
    assert (set(await documents(listing)), await query(listing, fresh)) == (
        {"old", "new"},
        [(True,)],
    )


async def test_one_partition_of_a_feed_is_read_from_its_beginning(
    feed: Syncs, world: World
) -> None:
    """No cursor moves, and the other partitions are not asked."""
    world.add_partition("more")
    world.put("a", "# A\n\nalpha")
    world.put("b", "# B\n\nbeta", partition="more")
    await feed.run()
    before = await query(feed, "SELECT partition, value FROM cursors WHERE workspace_id = %s")
    world.clear_log()
    report = await feed.run(Mode.BACKFILL, partitions=["more"])
    assert (report.counts["listed"], report.counts["unchanged"]) == (1, 1)
    assert world.fetches() == ["b"]
    after = await query(feed, "SELECT partition, value FROM cursors WHERE workspace_id = %s")
    assert sorted(map(str, after)) == sorted(map(str, before))
    failed = await feed.run(Mode.BACKFILL, partitions=["nowhere"])
    assert failed.error is not None
    assert "no partition 'nowhere'" in failed.error["message"]
    assert "more" in failed.error["hint"]


async def test_the_command_takes_a_date_and_refuses_what_does_not_go_together(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("# A\n\nalpha\n")
    commands = Commands(server_settings, workspace_name)
    await asyncio.to_thread(commands.ok, "sync", str(tmp_path))
    found = await asyncio.to_thread(commands.json, "sync", str(tmp_path), "--since", "1d")
    assert (found["mode"], found["listed"]) == ("backfill", 1)
    for wrong in (
        (str(tmp_path), "--since", "1d", "--full"),
        (str(tmp_path), "--since", "soon"),
        ("--all", "--since", "1d"),
    ):
        assert (await asyncio.to_thread(commands.run, "sync", *wrong)).status == 2


async def test_a_program_defines_its_connections_each_time_it_starts(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """Once a day at two in Sydney, of the last 32 hours, without deletions: whatever restarts."""
    for start in range(2):
        async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
            row = await kb.connections.define(tmp_path, name="docs")
            assert (row.filter, row.keep_deleted) == ({"updated_within": "32h"}, True)
            times = (await kb.connections.times())[row.id]
            assert times.schedule == "daily 02:00 Australia/Sydney"
            async with kb.database.connection() as db:
                found = await db.execute(
                    "SELECT next_due, last_slot FROM connections WHERE workspace_id = %s",
                    (row.workspace_id,),
                )
                slots = await found.fetchone()
                if start == 0:
                    await db.execute(
                        "UPDATE connections SET last_slot = moment(), next_due = moment()"
                        " + interval '1 day' WHERE workspace_id = %s",
                        (row.workspace_id,),
                    )
    assert slots is not None
    assert None not in slots
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        with pytest.raises(UsageError):
            await kb.connections.define(tmp_path, schedule="now and then")
        row = await kb.connections.define(tmp_path, within=None, deletions=True, schedule="hourly")
        assert row.keep_deleted is False


async def test_settings_stand_for_options_that_were_not_given(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """And those that were given win; nothing of the settings is stored."""
    (tmp_path / "a.md").write_text("# A\n\nalpha\n")
    (tmp_path / "b.txt").write_text("beta\n")
    (tmp_path / "large.md").write_text("gamma\n" * 400_000)
    settings = server_settings.model_copy(
        update={"max_file_size_mb": 1, "supported_extensions": "md"}
    )
    async with syncline.open(settings=settings, workspace=workspace_name) as kb:
        report = await kb.sync(tmp_path)
        assert (report.counts["created"], report.counts["filtered"]) == (1, 2)
        (row,) = await kb.connections.list()
        assert set(row.options) == {"path"}
        await kb.connections.edit(row.name, options={"extensions": "md,txt", "max_mb": "10"})
        assert (await kb.sync(row.name)).counts["created"] == 2
    wrong = server_settings.model_copy(update={"supported_extensions": " "})
    async with syncline.open(settings=wrong, workspace=f"{workspace_name}-b") as kb:
        report = await kb.sync(tmp_path)
        assert report.error is not None
        assert report.error["code"] == ConfigurationError.__name__
