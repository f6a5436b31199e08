"""Dead letters: listed with their causes, tried again, or discarded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import syncline
from syncline.client import Syncline
from syncline.core.errors import NotHere
from syncline.core.jobs import Dead
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.database import Connection
from syncline.store.workspaces import make_workspace
from tests.support.commands import Commands
from tests.support.looking import documents, items
from tests.support.queue import claim, empty_queue, job, shift_clock
from tests.support.syncs import Syncs
from tests.support.thorough import of_all
from tests.support.world import World

POSTGRES = of_all(["18"], ["16"])


@pytest.fixture
async def kb(
    server_settings: Settings, workspace_name: str, db: Connection
) -> AsyncIterator[Syncline]:
    await empty_queue(db)
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        yield kb
    await db.execute("DELETE FROM jobs")


async def _bury(syncs: Syncs, world: World) -> None:
    """One good entry, one that cannot be read, one that is forbidden: both dead."""
    world.put("good", "# Good\n\nalpha")
    world.put("bad", "# Bad\n\nbeta")
    world.put("shut", "# Shut\n\ngamma")
    world.fail_fetch("bad", "bad_content")
    world.fail_fetch("shut", "forbidden")
    for _ in range(3):
        await syncs.run()


async def test_one_that_is_sent_again_is_tried_by_the_next_sync(
    kb: Syncline, feed: Syncs, world: World
) -> None:
    """Of a feed, which does not name it again."""
    await _is_tried_again(kb, feed, world)


async def test_one_of_a_listing_too(kb: Syncline, listing: Syncs, world: World) -> None:
    await _is_tried_again(kb, listing, world)


async def _is_tried_again(kb: Syncline, syncs: Syncs, world: World) -> None:
    await _bury(syncs, world)
    found = await kb.dead_letters.list()
    assert {(each.id, each.code, each.tries) for each in found} == {
        ("bad", "bad_content", 3), ("shut", "forbidden", 3),
    }  # fmt: skip
    causes = {each.code: each.count for each in await kb.dead_letters.causes()}
    assert causes == {"bad_content": 1, "forbidden": 1}
    world.heal()
    assert (await syncs.run()).counts["created"] == 0
    done = await kb.dead_letters.retry(cause="bad_content")
    assert (done.entries, done.jobs, done.queued) == (1, 0, 1)
    assert [row.priority for row in await kb.jobs.list()] == [10]
    report = await syncs.run()
    assert report.accounted_for
    assert set(await documents(syncs)) == {"good", "bad"}
    assert [each.id for each in await kb.dead_letters.list()] == ["shut"]
    await kb.dead_letters.retry("shut")
    await syncs.run()
    assert await kb.dead_letters.list() == []
    assert set(await documents(syncs)) == {"good", "bad", "shut"}


async def test_one_that_fails_again_has_three_tries_once_more(
    kb: Syncline, listing: Syncs, world: World
) -> None:
    await _bury(listing, world)
    await kb.dead_letters.retry("bad")
    assert (await listing.run()).counts["dead"] == 1
    assert [each.id for each in await kb.dead_letters.list()] == ["shut"]
    await listing.run()
    assert {each.id for each in await kb.dead_letters.list()} == {"bad", "shut"}


async def test_one_that_is_discarded_is_left_out_until_it_changes(
    kb: Syncline, listing: Syncs, world: World
) -> None:
    """It fails no run any more, and says so where one asks."""
    await _bury(listing, world)
    assert await kb.dead_letters.discard("bad") == (1, 0)
    report = await listing.run()
    assert (report.counts["failed"], report.counts["filtered"]) == (1, 1)
    assert report.accounted_for
    assert "discarded by a person" in (await items(listing, report.run, "filtered"))["bad"]
    assert [each.id for each in await kb.dead_letters.list()] == ["shut"]
    (standing,) = await kb.documents.why("bad")
    assert standing.standing == "discarded"
    (status,) = (await kb.status()).connections
    assert (status.failing, status.dead_letters) == (1, 1)
    world.heal()
    world.put("bad", "# Bad\n\nbeta, mended")
    await listing.run()
    assert "mended" in (await documents(listing))["bad"]


async def test_a_document_that_was_good_once_stays_when_its_failure_is_discarded(
    kb: Syncline, listing: Syncs, world: World
) -> None:
    """And one that was discarded by mistake is tried again by its name."""
    world.put("a", "# A\n\nfirst")
    await listing.run()
    world.put("a", "# A\n\nsecond")
    world.fail_fetch("a", "bad_content")
    for _ in range(3):
        await listing.run()
    await kb.dead_letters.discard(connection=listing.row.name)
    assert (await listing.run()).counts["gone"] == 0
    assert "first" in (await documents(listing))["a"]
    world.heal()
    await listing.run()
    assert "first" in (await documents(listing))["a"]
    assert (await kb.dead_letters.retry("a")).entries == 1
    await listing.run()
    assert "second" in (await documents(listing))["a"]


async def test_jobs_are_sent_again_once_each(kb: Syncline, listing: Syncs, db: Connection) -> None:
    """Of two that would do the same, one; none where another is about to."""
    workspace = listing.row.workspace_id
    cause = {"code": "unauthorized", "message": "the token is old"}
    for number in range(2):
        await jobs.enqueue(db, [job(workspace, number, dedupe_key="same")])
        (claimed,) = await claim(db)
        await jobs.finish(db, [(claimed, Dead(cause))])
    await jobs.enqueue(db, [job(workspace, 3)])
    (claimed,) = await claim(db)
    await jobs.finish(db, [(claimed, Dead({"code": "other", "message": "?"}))])
    found = await kb.dead_letters.list(cause="unauthorized")
    assert [(each.kind, each.message) for each in found] == [("job", "the token is old")] * 2
    assert (await kb.dead_letters.retry(cause="unauthorized")).jobs == 1
    assert (await kb.dead_letters.retry(cause="unauthorized")).jobs == 0
    assert len(await claim(db)) == 1
    assert await kb.dead_letters.discard(f"job:{found[0].id}", f"job:{found[1].id}") in (
        (0, 1),
        (0, 2),
    )
    assert [each.code for each in await kb.dead_letters.list()] == ["other"]
    await shift_clock(db, 0)


async def test_another_workspaces_dead_letters_are_out_of_reach(
    kb: Syncline, listing: Syncs, world: World, server_settings: Settings, workspace_name: str
) -> None:
    await _bury(listing, world)
    async with syncline.open(settings=server_settings, workspace=f"{workspace_name}-b") as other:
        await other.workspaces.add(other.workspace)
        assert await other.dead_letters.list() == []
        assert (await other.dead_letters.retry("bad")).entries == 0
        assert await other.dead_letters.discard() == (0, 0)
        with pytest.raises(NotHere):
            await other.dead_letters.list(connection=listing.row.name)
    assert len(await kb.dead_letters.list()) == 2


async def test_the_commands_ask_which_and_tell_what_they_did(
    kb: Syncline, listing: Syncs, world: World, server_settings: Settings, workspace_name: str
) -> None:
    await _bury(listing, world)
    commands = Commands(server_settings, workspace_name)
    shown = await asyncio.to_thread(commands.ok, "dead-letters")
    assert "1 entry: bad_content, in 1 connection\n" in shown
    found = await asyncio.to_thread(commands.json, "dead-letters", "--cause", "forbidden")
    assert [each["id"] for each in found["dead_letters"]] == ["shut"]
    assert "forbidden" in await asyncio.to_thread(commands.ok, "dead-letters", "show", "shut")
    refused = await asyncio.to_thread(commands.run, "dead-letters", "retry")
    assert refused.status == 2
    assert "--all" in refused.errors
    done = await asyncio.to_thread(commands.ok, "dead-letters", "retry", "--all")
    assert "2 entries, 0 jobs" in done
    missing = await asyncio.to_thread(commands.run, "dead-letters", "show", "good")
    assert missing.status == 2


async def test_the_hours_show_whose_they_are(
    kb: Syncline, workspace_name: str, tmp_path: object
) -> None:
    """Every active workspace has one, the same each time; runs that are spread are counted."""
    await kb.workspaces.add(workspace_name)
    (mine,) = [each for each in await kb.workspaces.list() if each.name == workspace_name]
    hours = await kb.hours()
    assert [hour.hour for hour in hours] == list(range(24))
    (hour,) = [hour for hour in hours if workspace_name in hour.workspaces]
    await kb.connections.add(str(tmp_path), name="a")
    await kb.connections.schedule("a", "spread")
    assert (await kb.hours())[hour.hour].runs == hour.runs + 1
    await kb.workspaces.pause(workspace_name)
    assert all(workspace_name not in each.workspaces for each in await kb.hours())
    await kb.workspaces.resume(workspace_name)
    assert mine.active


async def test_a_service_shows_what_all_its_workspaces_have(
    kb: Syncline, server_settings: Settings, db: Connection, workspace_name: str
) -> None:
    """Jobs and dead letters, each with its workspace; without being asked for, those of one."""
    spaces = [f"{workspace_name}-{n}" for n in range(2)]
    for space in spaces:
        workspace = await make_workspace(db, space)
        await jobs.enqueue(db, [job(workspace), job(workspace)])
    claimed = [each for each in await claim(db, most=4, per_key=9) if each.id % 2]
    gave_up = Dead({"code": "of everybody", "message": "no"})
    await jobs.finish(db, [(each, gave_up) for each in claimed])
    assert len(claimed) == 2
    found = await kb.jobs.list(states=["dead"], everywhere=True)
    async with syncline.open(settings=server_settings, workspace=spaces[0]) as one:
        assert len(await one.jobs.list()) == 2
    assert sorted(row.workspace for row in found) == spaces
    commands = Commands(server_settings, workspace_name)
    listed = commands.json("jobs", "--all-workspaces")["jobs"]
    assert sorted(each["workspace"] for each in listed) == sorted([*spaces, *spaces])
    shown = commands.json("dead-letters", "--all-workspaces", "--cause", "of everybody")
    assert sorted(each["workspace"] for each in shown["dead_letters"]) == spaces
    assert [each["count"] for each in shown["causes"]] == [2]
    printed = commands.ok("dead-letters", "--all-workspaces", "--cause", "of everybody")
    assert all(space in printed for space in spaces)
    assert all(space in commands.ok("jobs", "--all-workspaces") for space in spaces)
    assert commands.run("dead-letters", "--all-workspaces", "-c", "docs").status == 2
