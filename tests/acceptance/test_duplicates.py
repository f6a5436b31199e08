"""Near-duplicates as people meet them: one hit, nothing hidden, a word that stands."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

import syncline
from syncline.core.errors import NotHere
from syncline.settings import Settings
from syncline.sync.maintenance import tombstones
from syncline.sync.near_copies import all_clusters
from syncline.sync.resemblance import compare_new
from syncline.sync.search import SearchRequest, search
from tests.support.commands import Commands
from tests.support.looking import configure, query
from tests.support.state import assert_consistent, state_of
from tests.support.syncs import Syncs
from tests.support.world import World

_SYLLABLES = "ba ke li mo nu ra se ti vo zu".split()  # noqa: SIM905


def _word(chance: random.Random) -> str:
    """Without digits: numbers have a meaning here."""
    return "".join(chance.choices(_SYLLABLES, k=4))


def text(seed: int, *, edits: int = 0, words: int = 120, also: str = "") -> str:
    """A text of its own for each seed, with so many words exchanged, far from one another."""
    chance = random.Random(seed)
    written = [_word(chance) for _ in range(words)]
    chance = random.Random(1_000 * seed + edits)
    for n in range(edits):
        written[(2 * n + 1) * words // (2 * edits)] = f"edited{_word(chance)}"
    return f"# Zebra\n\n{also}\n\nThe zebra rule says: {' '.join(written)}."


async def ask(syncs: Syncs, question: str = "zebra rule", **request: Any) -> list[Any]:
    async with syncs.tools.database.connection() as db:
        page = await search(
            db, syncs.row.workspace_id, SearchRequest(question, **request), None, "none"
        )
        return list(page.hits)


async def names(syncs: Syncs, question: str = "zebra rule", **request: Any) -> list[list[str]]:
    """Each hit's entry, and those of the documents that are named with it as similar."""
    return [
        [hit.entry_id, *(other.entry_id for other in hit.similar)]
        for hit in await ask(syncs, question, **request)
    ]


async def joined(syncs: Syncs, question: str = "zebra rule", **request: Any) -> list[list[str]]:
    """The same, whichever of them is shown."""
    return sorted(sorted(hit) for hit in await names(syncs, question, **request))


async def numbers_of(syncs: Syncs) -> dict[str, int]:
    rows = await query(syncs, "SELECT entry_id, id FROM documents WHERE workspace_id = %s")
    return {row[0]: row[1] for row in rows}


async def clusters(syncs: Syncs) -> list[list[str]]:
    async with syncs.tools.database.connection() as db:
        found = await all_clusters(db, syncs.row.workspace_id)
        return [[copy.entry_id for copy in cluster.documents] for cluster in found]


@pytest.mark.parametrize("order", [("a", "b", "c"), ("c", "a", "b"), ("b", "c", "a")])
async def test_near_duplicates_are_one_hit_in_whatever_order_they_came(
    feed: Syncs, world: World, order: tuple[str, ...]
) -> None:
    """Of equals the canonical one is shown, its fellows are named; `all_copies` shows each."""
    texts = {name: text(1, edits=edits, words=240) for edits, name in enumerate("abc")}
    world.put("other", text(2), title="Another rule")
    for name in order:
        world.put(name, texts[name], title="Rule")
        await feed.run()
    assert await clusters(feed) == [["a", "b", "c"]]
    assert sorted(await names(feed)) == [["a", "b", "c"], ["other"]]
    apart = await names(feed, all_copies=True)
    assert sorted(apart) == [["a"], ["b"], ["c"], ["other"]]


async def test_the_fellow_that_answers_best_is_shown(feed: Syncs, world: World) -> None:
    """What only one of them says is found, and shown as it stands there."""
    world.put("a", text(1), title="Rule")
    world.put("b", text(1, also="A giraffe is exempt."), title="Rule")
    await feed.run()
    assert await names(feed) == [["a", "b"]]
    assert await names(feed, "giraffe exempt zebra rule") == [["b", "a"]]
    assert "giraffe" in (await ask(feed, "giraffe exempt zebra rule"))[0].text


async def test_nothing_is_hidden_behind_what_one_may_not_see(feed: Syncs, world: World) -> None:
    """Nor named, nor joined by it: y and z are near only to x, which the public may not see."""
    world.put("a", text(1), title="Rule", principals=["staff"])
    world.put("b", text(1, edits=1), title="Rule")
    world.put("x", text(3), title="Chain", principals=["staff"])
    world.put("y", text(3, edits=1), title="Chain")
    world.put("z", text(3, edits=2), title="Chain")
    await feed.run()
    assert await clusters(feed) == [["a", "b"], ["x", "y", "z"]]
    assert await joined(feed) == [["b"], ["y"], ["z"]]
    for owner in ({"principals": ("staff",)}, {"everything": True}):
        assert ["a", "b"] in await joined(feed, **owner)
        assert len(await joined(feed, **owner)) < 5


async def test_filters_apply_before_hits_are_joined(feed: Syncs, world: World) -> None:
    """A tag that only the fellow has still finds it."""
    world.put("a", text(1), title="Rule", metadata={"tags": ["old"]})
    world.put("b", text(1, edits=1), title="Rule", metadata={"tags": ["new"]})
    await feed.run()
    assert await names(feed, tags=("new",)) == [["b"]]


async def test_pages_follow_one_another(feed: Syncs, world: World) -> None:
    """Of forty groups of three, each is on one page, once, whatever the pages' size."""
    for n in range(40):
        for copy in range(3):
            world.put(f"g{n:02}-{copy}", text(n, edits=copy, words=200 + n % 9), title=f"Rule {n}")
    await feed.run()
    whole = [hit[0] for hit in await names(feed, limit=100)]
    assert len(whole) == 40
    assert len({name.partition("-")[0] for name in whole}) == 40
    for size in (3, 7, 20):
        paged: list[str] = []
        while hits := await names(feed, limit=size, offset=len(paged)):
            paged += [hit[0] for hit in hits]
        assert paged == whole
    assert len(await names(feed, limit=100, all_copies=True)) == 100


async def test_an_edit_makes_and_ends_likeness(
    listing: Syncs, world: World, workspace_name: str
) -> None:
    """Pairs follow the texts: a page that was rewritten has none, a copy that came has one."""
    world.put("a", text(1), title="Rule")
    world.put("b", text(1, edits=1), title="Rule")
    world.put("c", text(3), title="Rule")
    await listing.run()
    assert await clusters(listing) == [["a", "b"]]
    world.put("b", text(2), title="Rule")
    await listing.run()
    assert await clusters(listing) == []
    world.put("b", text(3, edits=1), title="Rule")
    await listing.run()
    assert await clusters(listing) == [["b", "c"]]
    world.remove("c")
    await listing.run()
    assert await clusters(listing) == []
    async with listing.tools.database.connection() as db:
        await assert_consistent(db, workspace_name)


async def test_workspaces_are_walls(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """The same texts in another workspace are nobody's copies, and cannot be named."""
    seen: list[int] = []
    for n in range(2):
        workspace = f"{workspace_name}-{n}"
        async with syncline.open(settings=server_settings, workspace=workspace) as kb:
            folder = tmp_path / workspace
            folder.mkdir()
            (folder / "page.md").write_text(text(1, edits=n))
            await kb.sync(folder)
            assert (await kb.duplicates.clusters()).clusters == []
            (hit,) = (await kb.search("zebra rule")).hits
            assert hit.similar == ()
            for stranger in seen:
                with pytest.raises(syncline.NotHere):
                    await kb.duplicates.same(hit.document, stranger)
            seen.append(hit.document)


# --- pairs in doubt -------------------------------------------------------------------------------


def _doubtful(world: World, name: str = "b", number: str = "2.4") -> None:
    world.put("a", text(1, words=160, also="Release 2.3"), title="Release notes")
    edited = text(1, words=160, edits=2, also=f"Release {number}")
    world.put(name, edited, title="Release notes")


async def test_pairs_whose_numbers_disagree_wait_for_a_word(
    feed: Syncs, world: World, server_settings: Settings, workspace_name: str
) -> None:
    """Until it comes both are shown; it stands through edits, re-syncs, moves and a new word."""
    _doubtful(world)
    await feed.run()
    assert await joined(feed) == [["a"], ["b"]]
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        (pair,) = (await kb.duplicates.list()).pairs
        assert [each.entry_id for each in pair.documents] == ["a", "b"]
        assert pair.similarity is not None
        assert 0.8 <= pair.similarity <= 0.85
        assert (pair.numbers_differ, pair.titles_differ, pair.state) == (True, False, "open")
        a, b = (each.id for each in pair.documents)
        view = await kb.duplicates.show(a, b)
        assert [list(each) for each in view.numbers] == [["2.3"], ["2.4"]]
        assert any(line.startswith("+") and "Release 2.4" in line for line in view.difference)

        assert (await kb.duplicates.same(b, a)).state == "same"
        assert (await kb.duplicates.list()).pairs == []
        assert await joined(feed) == [["a", "b"]]

        _doubtful(world, number="2.5")  # an edit of what a person has looked at
        await feed.run()
        assert await joined(feed) == [["a", "b"]]
        assert (await kb.duplicates.list()).total == 0
        world.remove("b")
        _doubtful(world, name="moved", number="2.5")
        assert (await feed.run()).counts["moved"] == 1
        assert await joined(feed) == [["a", "moved"]]

        await kb.duplicates.different(a, b)
        assert await joined(feed) == [["a"], ["moved"]]
        assert await clusters(feed) == []
        assert (await kb.duplicates.list(state="same")).total == 0
        (pair,) = (await kb.duplicates.list(state="different")).pairs
        assert (pair.state, pair.documents[1].entry_id) == ("different", "moved")


async def test_a_word_counts_above_every_figure(
    feed: Syncs, world: World, server_settings: Settings, workspace_name: str
) -> None:
    """Nearly equal texts stay two hits where somebody has said so, and unlike ones become one."""
    world.put("a", text(1), title="Rule")
    world.put("b", text(1, edits=1), title="Rule")
    world.put("c", text(2), title="Another rule")
    world.put("d", text(4), title="One more rule")
    await feed.run()
    found = await numbers_of(feed)
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        assert (await kb.duplicates.different(found["a"], found["b"])).similarity is not None
        assert (await kb.duplicates.same(found["b"], found["c"])).similarity is None
        await kb.duplicates.same(found["d"], found["c"])
        assert await joined(feed) == [["a"], ["b", "c", "d"]]
        assert await clusters(feed) == [["b", "c", "d"]]
        near = (await kb.documents.show(found["b"])).near_duplicates
        assert [(each.copy.entry_id, each.similarity) for each in near] == [
            ("c", None),
            ("d", None),
        ]
        counts = (await kb.status()).near
        assert (counts.clusters, counts.documents, counts.open) == (1, 3, 0)
        # Taken back, the figures decide again.
        forgotten = await kb.duplicates.forget(found["b"], found["a"])
        assert forgotten.state == "open"
        await kb.duplicates.forget(found["b"], found["c"])
        await kb.duplicates.forget(found["c"], found["d"])
        assert await clusters(feed) == [["a", "b"]]
        (shown_one,) = (await kb.documents.show(found["b"])).near_duplicates
        assert shown_one.copy.entry_id == "a"
        assert shown_one.similarity is not None
        assert shown_one.similarity > 0.8
        assert (await kb.documents.show(found["d"])).near_duplicates == []
        with pytest.raises(NotHere):
            await kb.duplicates.forget(found["b"], found["a"])


@pytest.mark.parametrize(
    ("title", "also", "asked"),
    [("Rule", "", 0), ("Another rule", "", 1), ("rules", "", 0), ("Rule", "Since 1999.", 1)],
)
async def test_only_what_disagrees_is_asked_about(
    feed: Syncs,
    world: World,
    server_settings: Settings,
    workspace_name: str,
    title: str,
    also: str,
    asked: int,
) -> None:
    """In title or numbers; the same words in another form are the same title."""
    world.put("a", text(1), title="Rule")
    world.put("b", text(1, edits=2, also=also), title=title)
    await feed.run()
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        assert (await kb.duplicates.list()).total == asked
    assert len(await joined(feed)) == 1 + asked


async def test_the_command_line_does_it_all(
    feed: Syncs, world: World, server_settings: Settings, workspace_name: str
) -> None:
    """List, show, decide; search names the fellows; mistakes are told."""
    _doubtful(world)
    world.put(
        "copy", text(1, words=160, edits=1, also="Release 2.3"), title="Release notes, a copy"
    )
    await feed.run()
    commands = Commands(server_settings, workspace_name)
    listed = commands.json("duplicates")
    a, b = (each["id"] for each in listed["pairs"][0]["documents"])
    assert "Release 2.4" in commands.ok("duplicates", "show", str(a), str(b))
    said = commands.ok("duplicates", "different", str(b), str(a))
    assert "are different" in said
    assert commands.json("duplicates", "list", "--state", "different")["total"] == 1
    assert "1. 2 documents" in commands.ok("duplicates", "clusters")
    assert commands.json("duplicates", "same", str(a), str(b))["state"] == "same"
    found = commands.ok("search", "zebra rule")
    assert "also in: scripted: " in found
    assert "also in" not in commands.ok("search", "zebra rule", "--all-copies")
    assert "nearly same" in commands.ok("documents", "show", str(a))
    assert "duplicates clusters" in commands.ok("status")
    assert "is forgotten" in commands.ok("duplicates", "forget", str(a), str(b))
    assert "wait for your word" in commands.ok("status")
    assert commands.json("status")["near_duplicates"]["open"] >= 1
    assert commands.run("duplicates", "forget", str(a), str(b)).status == 2
    for wrong, status in (
        (("duplicates", "same", str(a), str(a)), 2),
        (("duplicates", "same", str(a), "999999999"), 2),
        (("duplicates", "--state", "maybe"), 2),
    ):
        assert commands.run(*wrong).status == status, wrong


# --- the pass at the end of a run -----------------------------------------------------------------


async def test_a_large_family_is_one_hit_and_costs_no_square(
    listing: Syncs, world: World, workspace_name: str
) -> None:
    """Two hundred near copies, at once or with half of them later: not each is compared with
    each, and those that are follow from the texts."""
    texts = {f"n{n:03}": text(1, also=f"host {n}", words=300) for n in range(220)}
    world.put_many(texts)
    await configure(listing, guard_fraction=1.0)
    await listing.run()
    async with listing.tools.database.connection() as db:
        at_once = await state_of(db, workspace_name)
        pairs = len(at_once["pairs"])
        assert 50 * 49 / 2 <= pairs < 220 * 100
        for name in sorted(texts)[::2]:
            world.remove(name)
        await listing.run()
        async with db.transaction():
            await db.execute(
                "UPDATE documents SET deleted_at = now() - interval '1 year'"
                " WHERE workspace_id = %s AND state = 'deleted'",
                (listing.row.workspace_id,),
            )
        await tombstones.run_once(db, listing.row.workspace_id)
        await compare_new(db, listing.row.workspace_id)
        half = await state_of(db, workspace_name)
        assert len(half["contents"]) == 110
        world.put_many({name: texts[name] for name in reversed(sorted(texts)[::2])})
        await listing.run()
        again = await state_of(db, workspace_name)
        assert (again["pairs"], again["clusters"]) == (at_once["pairs"], at_once["clusters"])
    hits = await ask(listing, limit=10)
    assert len(hits) == 1
    assert len(hits[0].similar) == 20


async def test_contents_from_before_there_were_signatures_are_compared(
    listing: Syncs, world: World, workspace_name: str
) -> None:
    """As after an upgrade: the next run signs and compares them, and ends in the same state."""
    world.put_many({f"n{n}": text(n % 4, edits=n % 3) for n in range(12)})
    await listing.run()
    async with listing.tools.database.connection() as db:
        before = await state_of(db, workspace_name)
        for statement in (
            "DELETE FROM near_pairs",
            "DELETE FROM content_bands",
            "UPDATE content_signatures SET version = 0, bands = '{}', compared = false",
        ):
            await db.execute(
                f"{statement} WHERE workspace_id = %s".encode(), (listing.row.workspace_id,)
            )
        await listing.run()
        assert await state_of(db, workspace_name) == before
        await assert_consistent(db, workspace_name)


async def test_two_connections_at_once_miss_no_pair(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """Each brings one half of every pair; both compare at the same time."""
    async with syncline.open(settings=server_settings, workspace=workspace_name) as kb:
        for half in range(2):
            folder = tmp_path / f"half{half}"
            folder.mkdir()
            for n in range(40):
                (folder / f"{n:02}.md").write_text(text(n, edits=half))
        await asyncio.gather(kb.sync(tmp_path / "half0"), kb.sync(tmp_path / "half1"))
        page = await kb.duplicates.clusters(limit=100)
        assert (page.total, {len(each.documents) for each in page.clusters}) == (40, {2})
