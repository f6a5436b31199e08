"""Invariants 1 and 2: every entry is accounted for; no cursor passes what is not stored."""

from __future__ import annotations

from tests.support.looking import documents, items, manifest, query
from tests.support.syncs import Syncs
from tests.support.world import World

POSTGRES = ("16", "18")


async def test_every_entry_has_one_outcome_and_a_reason(feed: Syncs, world: World) -> None:
    """Created, filtered, alias, failed and absent entries add up, and the exceptions say why."""
    world.put("a", "# A\n\nalpha")
    world.put("b", "# B\n\nbeta", filtered="robots.txt forbids it")
    world.put("c", "# C\n\ngamma", alias_of="a")
    world.put("d", "# D\n\ndelta", directives=["noindex"])
    world.put("e", "# E\n\nepsilon")
    world.fail_fetch("e", "forbidden")
    report = await feed.run()
    assert report.accounted_for
    wanted = {"listed": 5, "created": 1, "filtered": 2, "alias": 1, "failed": 1}
    assert {k: report.counts[k] for k in wanted} == wanted
    assert report.exit_code == 3
    filtered = await items(feed, report.run, "filtered")
    assert filtered["b"] == "robots.txt forbids it"
    assert "noindex" in filtered["d"]
    assert await items(feed, report.run, "alias") == {"c": "the same document as a"}
    assert "the test asked" in (await items(feed, report.run, "failed"))["e"]
    assert set(await documents(feed)) == {"a"}


async def test_nothing_changed_costs_no_fetch(listing: Syncs, world: World) -> None:
    """Equal versions are unchanged without being read; the report says which layer decided."""
    world.put_many({f"n{n}": f"# {n}\n\ntext {n}" for n in range(5)})
    await listing.run()
    world.clear_log()
    report = await listing.run()
    assert report.counts["unchanged"] == report.counts["unchanged_by_version"] == 5
    assert world.fetches() == []


async def test_a_moved_version_with_equal_content_is_unchanged(
    listing: Syncs, world: World
) -> None:
    """The content decides, however the version moved; nothing is written to the document."""
    world.put("a", "# A\n\nalpha")
    await listing.run()
    world.put("a", "# A\n\nalpha")
    report = await listing.run()
    assert (report.counts["unchanged"], report.counts["unchanged_by_content"]) == (1, 1)
    assert report.counts["updated"] == 0


async def test_an_edit_says_which_section_changed(listing: Syncs, world: World) -> None:
    """Only the edited section's chunks are new; the report names it."""
    sections = {name: f"## {name}\n\n{name.lower()} text" for name in ("One", "Two", "Three")}
    world.put("a", "# A\n\n" + "\n\n".join(sections.values()))
    await listing.run()
    sections["Two"] += ", edited"
    world.put("a", "# A\n\n" + "\n\n".join(sections.values()))
    report = await listing.run()
    assert (report.counts["updated"], report.counts["chunks_new"]) == (1, 1)
    rows = await query(
        listing,
        "SELECT detail FROM run_items WHERE workspace_id = %s AND run_id = %s AND kind = 'updated'",
        report.run,
    )
    assert rows[0][0]["changed"] == ["A > Two"]
    assert rows[0][0]["chunks_kept"] == 2


async def test_an_entry_listed_twice_is_counted_as_repeated(feed: Syncs, world: World) -> None:
    """In a feed, the second mention of an unchanged entry is repeated, not unchanged."""
    world.add_partition("other")
    world.put("a", "# A\n\nalpha")
    await feed.run()
    world.put("a", "# A\n\nalpha again")
    report = await feed.run()
    assert report.accounted_for
    assert report.counts["updated"] == 1


async def test_a_failing_entry_keeps_its_document_and_becomes_a_dead_letter(
    feed: Syncs, world: World
) -> None:
    """It is tried in each of the next runs, three times in all; the others go on, the document
    stays as it was, and the exit code stops complaining once it is a dead letter."""
    world.put("a", "# A\n\nalpha")
    world.put("b", "# B\n\nbeta")
    await feed.run()
    world.put("a", "# A\n\nnew alpha")
    world.put("b", "# B\n\nnew beta")
    world.fail_fetch("a", "transient")
    codes = [(await feed.run()).exit_code for _ in range(4)]
    assert codes == [3, 3, 3, 0]
    texts = await documents(feed)
    assert "alpha" in texts["a"]
    assert "new" not in texts["a"]
    assert "new beta" in texts["b"]
    row = await manifest(feed, "a")
    assert (row["state"], row["failures"]) == ("stored", 3)
    world.clear_log()
    await feed.run()
    assert world.fetches() == []
    world.heal()
    world.put("a", "# A\n\nnewest alpha")
    report = await feed.run()
    assert report.counts["updated"] == 1
    assert (await manifest(feed, "a"))["failures"] == 0


async def test_a_dead_letter_stays_visible_in_a_listing(listing: Syncs, world: World) -> None:
    """A listing names it in every run: it is counted as failed and dead, and not tried again."""
    world.put("a", "# A\n\nalpha")
    world.fail_fetch("a", "bad_content")
    for _ in range(3):
        await listing.run()
    world.clear_log()
    report = await listing.run()
    assert (report.counts["failed"], report.counts["dead"], report.exit_code) == (1, 1, 0)
    assert report.accounted_for
    assert world.fetches() == []


async def test_the_cursor_stays_before_a_listing_that_broke_off(feed: Syncs, world: World) -> None:
    """What was listed before the failure is stored; the next run goes on from the checkpoint."""
    world.put_many({f"n{n:02}": f"# {n}\n\ntext {n}" for n in range(30)})
    world.fail_listing(12, "transient", times=1)
    broken = await feed.run()
    assert broken.exit_code == 1
    assert broken.error is not None
    assert 0 < broken.counts["created"] < 30
    report = await feed.run()
    assert report.exit_code == 0
    assert len(await documents(feed)) == 30


async def test_a_failed_partition_does_not_stop_its_siblings(feed: Syncs, world: World) -> None:
    """One part of the source fails: the others are stored, and the run says it is incomplete."""
    world.put("a", "# A\n\nalpha")
    world.put("b", "# B\n\nbeta", partition="other")
    world.fail_listing(0, "forbidden", partition="main")
    report = await feed.run()
    assert report.exit_code == 3
    assert set(await documents(feed)) == {"b"}
    assert any("completely" in text for text in report.warnings)


async def test_a_cursor_does_not_pass_what_could_not_be_listed(feed: Syncs, world: World) -> None:
    """Checkpoints after a failure that names no entry do not count: the next run reads it all."""
    world.put("a", "# A\n\nalpha")
    world.fail_part(times=1)
    assert (await feed.run()).exit_code == 3
    assert set(await documents(feed)) == {"a"}
    report = await feed.run()
    assert (report.exit_code, report.counts["listed"]) == (0, 1)
    assert (await feed.run()).counts["listed"] == 0


async def test_equal_contents_are_stored_and_embedded_once(listing: Syncs, world: World) -> None:
    """Three entries with one text: three documents, one content, its chunks once."""
    for name in "abc":
        world.put(name, "# Same\n\nthe same text")
    await listing.run()
    assert len(await documents(listing)) == 3
    counts = await query(
        listing,
        "SELECT (SELECT count(*) FROM contents c WHERE c.workspace_id = w.id),"
        " (SELECT count(*) FROM chunks c WHERE c.workspace_id = w.id),"
        " (SELECT count(*) FROM embeddings c WHERE c.workspace_id = w.id)"
        " FROM workspaces w WHERE id = %s",
    )
    assert counts == [(1, 1, 1)]


async def test_a_reader_never_sees_a_gap(listing: Syncs, world: World) -> None:
    """A document points to its new content in the transaction that brings it: before the commit
    readers have the old text, after it the new one, and the old content is collected."""
    world.put("a", "# A\n\nold")
    await listing.run()
    world.put("a", "# A\n\nnew")
    await listing.run()
    assert "new" in (await documents(listing))["a"]
    contents = await query(listing, "SELECT text FROM contents WHERE workspace_id = %s")
    assert len(contents) == 1


async def test_ids_that_cannot_be_stored_fail_alone(listing: Syncs, world: World) -> None:
    """A NUL in an id is the source's fault: that entry fails, the others are stored."""
    world.put("good", "# Good\n\ntext")
    world.put("bad\0id", "# Bad\n\ntext")
    world.put("x" * 9000, "# Long\n\ntext")
    report = await listing.run()
    assert report.accounted_for
    assert (report.counts["created"], report.counts["failed"]) == (1, 2)
