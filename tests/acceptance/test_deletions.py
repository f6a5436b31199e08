"""Invariant 4: a deletion needs proof, a run's deletions need measure, and all can be undone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import pytest

from syncline.core.model import Mode
from tests.support.looking import configure, documents, items, manifest, query
from tests.support.syncs import Syncs
from tests.support.world import World

Opened = Callable[[str], AbstractAsyncContextManager[Syncs]]


def _text(n: int) -> str:
    return f"# {n}\n\ntext of its own {n}"


def _fill(world: World, count: int = 10) -> None:
    world.put_many({f"n{n:02}": _text(n) for n in range(count)})


async def test_an_absence_is_a_deletion_when_the_listing_is_complete(
    listing: Syncs, world: World
) -> None:
    """What a complete listing no longer names becomes a tombstone, with the reason."""
    _fill(world)
    await listing.run()
    world.remove("n03")
    report = await listing.run()
    assert (report.counts["deleted"], report.counts["gone"], report.exit_code) == (1, 1, 0)
    assert "n03" not in await documents(listing)
    assert "n03" in await documents(listing, "deleted")
    assert await items(listing, report.run, "deleted") == {"n03": "no longer listed by the source"}


@pytest.mark.parametrize("failure", ["raises", "part"])
async def test_an_incomplete_listing_deletes_nothing(
    listing: Syncs, world: World, failure: str
) -> None:
    """Whether the listing breaks off or says that a part of it could not be read."""
    _fill(world)
    await listing.run()
    world.remove("n03")
    if failure == "raises":
        world.fail_listing(5, times=1)
    else:
        world.fail_part(times=1)
    report = await listing.run()
    assert report.exit_code in (1, 3)
    assert report.counts["gone"] == 0
    assert len(await documents(listing)) == 10
    assert (await listing.run()).counts["deleted"] == 1


async def test_an_emptied_source_is_held_and_comes_back(listing: Syncs, world: World) -> None:
    """All gone at once is for a person to decide; until then everything is found, and when the
    source has recovered the question is gone too."""
    _fill(world)
    await listing.run()
    texts = {
        name: f"# {n}\n\ntext of its own {n}" for n, name in enumerate(await documents(listing))
    }
    for name in texts:
        world.remove(name)
    for _ in range(2):
        report = await listing.run()
        assert (report.counts["held"], report.counts["deleted"], report.exit_code) == (10, 0, 4)
        assert len(await documents(listing)) == 10
    world.put_many(texts)
    report = await listing.run()
    assert (report.exit_code, report.counts["gone"]) == (0, 0)
    assert (await manifest(listing, "n03"))["gone"] is None


@pytest.mark.parametrize(("removed", "held"), [(3, False), (4, True)])
async def test_more_than_three_in_ten_are_held(
    listing: Syncs, world: World, removed: int, held: bool
) -> None:
    """30 % may go by themselves, more may not."""
    _fill(world)
    await listing.run()
    for n in range(removed):
        world.remove(f"n{n:02}")
    report = await listing.run()
    assert report.counts["held" if held else "deleted"] == removed
    assert report.counts["gone"] == removed


async def test_one_of_two_may_go(listing: Syncs, world: World) -> None:
    """The guard asks from three documents on."""
    _fill(world, 2)
    await listing.run()
    world.remove("n00")
    assert (await listing.run()).counts["deleted"] == 1


async def test_a_feeds_own_deletions_are_measured_too(feed: Syncs, world: World) -> None:
    """The guard holds whatever made them go; the cursor moves on, the question stays."""
    _fill(world)
    await feed.run()
    for n in range(6):
        world.remove(f"n{n:02}")
    report = await feed.run()
    assert (report.counts["held"], report.exit_code) == (6, 4)
    assert (await feed.run()).counts["held"] == 6
    assert len(await documents(feed)) == 10


async def test_keep_deleted_never_deletes(listing: Syncs, world: World) -> None:
    """Such a connection keeps what its source has forgotten."""
    _fill(world)
    await listing.run()
    await configure(listing, keep_deleted=True)
    world.remove("n03")
    for _ in range(2):
        report = await listing.run()
        assert (report.counts["gone"], report.exit_code) == (0, 0)
    assert len(await documents(listing)) == 10


async def test_what_no_longer_belongs_goes_through_the_guard(listing: Syncs, world: World) -> None:
    """A membership filter edited between runs removes what it leaves out, with its reason; a
    filter that leaves out everything is held; taken back, everything belongs again."""
    _fill(world)
    world.put("n03", "# 3\n\nsecret")
    await listing.run()
    await configure(listing, filter={"not_contains": ["secret"]})
    report = await listing.run()
    assert (report.counts["filtered"], report.counts["deleted"]) == (1, 1)
    assert "secret" in (await items(listing, report.run, "filtered"))["n03"]
    assert "n03" not in await documents(listing)
    await configure(listing, filter={"contains": ["nowhere"]})
    report = await listing.run()
    assert (report.counts["held"], report.exit_code) == (9, 4)
    assert len(await documents(listing)) == 9
    await configure(listing, filter={})
    report = await listing.run()
    assert (report.exit_code, report.counts["gone"]) == (0, 0)
    assert len(await documents(listing)) == 10


async def test_a_reading_window_never_removes(listing: Syncs, world: World) -> None:
    """It bounds what is read: what is there stays, and a wider window lets the rest in."""
    old, new = ({"updated_at": f"20{year}-01-01T00:00:00+00:00"} for year in (20, 26))
    world.put("old", "# Old\n\nold text", metadata=old)
    world.put("new", "# New\n\nnew text", metadata=new)
    await listing.run()
    window = {"updated_since": datetime(2025, 1, 1, tzinfo=UTC).isoformat()}
    await configure(listing, filter=window)
    world.put("older", "# Older\n\nolder text", metadata=old)
    world.put("old", "# Old\n\nold text, edited", metadata=old)
    report = await listing.run()
    assert (report.counts["filtered"], report.counts["gone"]) == (2, 0)
    assert "edited" not in (await documents(listing))["old"]
    assert "window" in (await items(listing, report.run, "filtered"))["older"]
    await configure(listing, filter={})
    report = await listing.run()
    assert set(await documents(listing)) == {"old", "new", "older"}
    assert "edited" in (await documents(listing))["old"]


async def test_a_window_that_moves_with_the_clock_reads_what_is_recent(
    listing: Syncs, world: World
) -> None:
    """It ends when the run begins; what has slipped out of it stays as it was."""
    now = datetime.now(UTC)
    fresh, stale = ({"updated_at": (now - timedelta(hours=h)).isoformat()} for h in (1, 40))
    await configure(listing, filter={"updated_within": "32h"})
    world.put("fresh", "# Fresh\n\nfresh text", metadata=fresh)
    world.put("stale", "# Stale\n\nstale text", metadata=stale)
    report = await listing.run()
    assert set(await documents(listing)) == {"fresh"}
    assert "the last 32 h" in (await items(listing, report.run, "filtered"))["stale"]
    aged = {"updated_at": (now - timedelta(hours=33)).isoformat()}
    world.put("fresh", "# Fresh\n\nedited, but long ago by now", metadata=aged)
    report = await listing.run()
    assert (report.counts["filtered"], report.counts["gone"]) == (2, 0)
    assert "edited" not in (await documents(listing))["fresh"]


async def test_a_window_that_moves_leaves_no_gap_where_runs_have_failed(
    listing: Syncs, world: World
) -> None:
    """It begins an hour before the last run that read all, however long ago that was."""
    await configure(listing, filter={"updated_within": "32h"})
    await listing.run()
    now = datetime.now(UTC)
    await _last_complete(listing, now - timedelta(hours=50))
    for name, hours in (("meanwhile", 40), ("before", 60)):
        moment = (now - timedelta(hours=hours)).isoformat()
        world.put(name, f"# {name}\n\ntext of {name}", metadata={"updated_at": moment})
    report = await listing.run()
    assert (set(await documents(listing)), report.counts["filtered"]) == ({"meanwhile"}, 1)


async def _last_complete(syncs: Syncs, moment: datetime) -> None:
    """As if no run had been done since."""
    async with syncs.tools.database.connection() as db:
        await db.execute(
            "UPDATE connections SET fresh_at = %s WHERE workspace_id = %s AND id = %s",
            (moment, syncs.row.workspace_id, syncs.row.id),
        )


async def test_a_moved_entry_keeps_its_document(listing: Syncs, world: World) -> None:
    """The same content under another id: the document keeps its identity, nothing is embedded
    again, and neither a creation nor a deletion is counted."""
    _fill(world)
    await listing.run()
    ids = dict(await _ids(listing))
    world.remove("n03")
    world.put("moved/n03", "# 3\n\ntext of its own 3", title="n03")
    report = await listing.run()
    counts = report.counts
    assert (counts["moved"], counts["created"], counts["deleted"], counts["gone"]) == (1, 0, 0, 1)
    assert report.accounted_for
    after = dict(await _ids(listing))
    assert after["moved/n03"] == ids["n03"]
    assert "n03" not in after


async def test_a_whole_folder_may_move(listing: Syncs, world: World) -> None:
    """Moves are recognised before the guard counts: no question, however many."""
    _fill(world)
    await listing.run()
    ids = await _ids(listing)
    for name, _ in ids:
        world.remove(name)
    world.put_many(
        {f"new/{name}": f"# {n}\n\ntext of its own {n}" for n, (name, _) in enumerate(ids)}
    )
    report = await listing.run()
    assert (report.counts["moved"], report.counts["held"], report.exit_code) == (10, 0, 0)
    assert [number for _, number in await _ids(listing)] == [number for _, number in ids]


async def test_a_reconcile_finds_what_a_feed_kept_to_itself(opened: Opened, world: World) -> None:
    """An entry that vanished without a word in the feed goes when the source is enumerated."""
    async with opened("scripted-proof") as syncs:
        _fill(world)
        await syncs.run()
        world.vanish("n03")
        assert (await syncs.run()).counts["gone"] == 0
        report = await syncs.run(Mode.RECONCILE)
        assert (report.counts["deleted"], report.counts["unchanged"]) == (1, 9)


async def test_an_absence_that_must_be_confirmed_is_asked_for(opened: Opened, world: World) -> None:
    """Unlisted but still answering: it stays, and is not asked for again right away. Unlisted
    and gone: it goes."""
    async with opened("scripted-confirm") as syncs:
        _fill(world)
        await syncs.run()
        world.vanish("n03")
        report = await syncs.run()
        assert report.counts["deleted"] == 1
        assert "gone" in (await items(syncs, report.run, "deleted"))["n03"]


async def test_a_deleted_entry_that_returns_gets_its_document_back(
    listing: Syncs, world: World
) -> None:
    """The tombstone lives again under the same id."""
    _fill(world)
    await listing.run()
    ids = dict(await _ids(listing))
    world.remove("n03")
    await listing.run()
    world.put("n03", "# 3\n\na new life")
    report = await listing.run()
    assert report.counts["created"] == 1
    assert dict(await _ids(listing))["n03"] == ids["n03"]
    assert await documents(listing, "deleted") == {}


async def _ids(syncs: Syncs) -> list[tuple[str, int]]:
    rows = await query(
        syncs,
        "SELECT entry_id, id FROM documents WHERE workspace_id = %s AND state = 'live' ORDER BY 1",
    )
    return [(row[0], row[1]) for row in rows]
