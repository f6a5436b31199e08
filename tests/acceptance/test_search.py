"""Search, as an asker sees it: what is found, in which order, why, and by whom."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syncline.bootstrap import embedder_loader
from syncline.core.errors import NotHere, UsageError
from syncline.core.model import WorkspaceId
from syncline.core.ports import Embedder
from syncline.embedders.catalogue import describe
from syncline.settings import Settings
from syncline.store.database import Connection
from syncline.store.workspaces import make_workspace
from syncline.sync.search import SearchPage, SearchRequest, search
from tests.support.syncs import Syncs, open_syncs
from tests.support.world import World

POSTGRES = ("16", "18")


@dataclass(frozen=True, slots=True)
class Asked:
    """A synced workspace, ready to be asked."""

    db: Connection
    workspace: WorkspaceId
    embed: Callable[[], Embedder]
    model: str
    syncs: Syncs

    async def __call__(self, text: str, **request: Any) -> SearchPage:
        return await search(
            self.db, self.workspace, SearchRequest(text, **request), self.embed, self.model
        )

    async def ids(self, text: str, **request: Any) -> list[str]:
        return [hit.entry_id for hit in (await self(text, **request)).hits]


@asynccontextmanager
async def synced(settings: Settings, workspace: str, world: World) -> AsyncIterator[Asked]:
    async with open_syncs(settings, workspace, world) as syncs:
        await syncs.run()
        async with syncs.tools.database.connection() as db:
            yield Asked(
                db,
                syncs.row.workspace_id,
                embedder_loader(settings),
                describe(settings).name,
                syncs,
            )


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "world.json")
    world.put("rotate", "To rotate an API key, open the settings.\n\nKeys expire.", title="Keys")
    world.put("invoice", "Invoices are sent monthly by mail.", title="Billing")
    world.put("other", "Rotating the picture needs an editor.", title="Pictures")
    return world


async def test_a_hit_says_why_it_is_there(
    server_settings: Settings, workspace_name: str, world: World
) -> None:
    """Other forms of a word match, rare ones weigh more, and every hit gives its reasons."""
    async with synced(server_settings, workspace_name, world) as ask:
        page = await ask("how do I rotate keys?")

        first = page.hits[0]
        assert [hit.rank for hit in page.hits] == list(range(1, len(page.hits) + 1))
        assert (first.entry_id, first.title, first.connection) == ("rotate", "Keys", "scripted")
        assert any(why.startswith("words: ") and "rotate" in why for why in first.why)
        assert "title: keys" in first.why
        assert set(first.scores) == {"words", "meaning", "title"}
        marked = [first.snippet[a:b] for a, b in first.highlights]
        assert marked == ["rotate", "key", "Keys"]
        assert "invoice" not in [hit.entry_id for hit in page.hits]
        assert json.loads(json.dumps(page.as_json()))["hits"][0]["entry_id"] == "rotate"


async def test_meaning_finds_what_words_do_not(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    world = World(tmp_path / "world.json")
    world.put("refund", "How to request a refund of your payment.", title="Refunds")
    world.put("weather", "Rain is expected in the mountains on Sunday.", title="Weather")
    world.put("recipe", "Stir the soup until the carrots are soft.", title="Soup")
    settings = server_settings.model_copy(update={"embedder": "wordllama"})
    async with synced(settings, workspace_name, world) as ask:
        page = await ask("getting money back")
        assert page.hits[0].entry_id == "refund"
        assert page.hits[0].scores["words"] == 0
        assert any(why.startswith("meaning 0.") for why in page.hits[0].why)

        words_only = await search(
            ask.db, ask.workspace, SearchRequest("getting money back"), None, ask.model
        )
        assert words_only.hits == ()
        assert any("words alone" in note for note in words_only.notes)


async def test_nobody_finds_what_they_may_not_see(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """No principals see public documents only; an empty list is seen by the operator alone."""
    world = World(tmp_path / "world.json")
    world.put("public", "The zebra plan, for everyone.")
    world.put("staff", "The zebra plan, for our staff.", principals=["group:staff"])
    world.put("nobody", "The zebra plan, for no one.", principals=[])
    world.put("gone", "The zebra plan, deleted.")
    for n in range(20):
        world.put(f"page-{n}", f"Page {n} about something else.")
    async with synced(server_settings, workspace_name, world) as ask:
        world.remove("gone")
        await ask.syncs.run()
        query = "zebra plan"
        found = {
            "public": set(await ask.ids(query)),
            "staff": set(await ask.ids(query, principals=("group:staff", "user:a"))),
            "other": set(await ask.ids(query, principals=("group:other", "a\0b", "\ud800"))),
            "owner": set(await ask.ids(query, everything=True)),
        }
        zebras = {who: {i for i in ids if "page" not in i} for who, ids in found.items()}
        assert zebras == {
            "public": {"public"},
            "staff": {"public", "staff"},
            "other": {"public"},
            "owner": {"public", "staff", "nobody"},
        }


async def test_a_shared_content_shows_only_the_documents_one_may_see(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """Equal contents are one hit: its best visible document, and the others beside it."""
    world = World(tmp_path / "world.json")
    text = "The handbook explains the quokka procedure."
    world.put("a-secret", text, title="Quokka procedure", principals=["boss"])
    world.put("b", text, title="Handbook")
    world.put("c", text, title="Quokka handbook")
    world.put("d", text, title="Handbook")
    async with synced(server_settings, workspace_name, world) as ask:
        (hit,) = (await ask("quokka")).hits
        assert (hit.entry_id, [also.entry_id for also in hit.also]) == ("c", ["b", "d"])
        (hit,) = (await ask("quokka", principals=("boss",))).hits
        assert hit.entry_id in {"a-secret", "c"}
        assert {hit.entry_id, *(also.entry_id for also in hit.also)} == {"a-secret", "b", "c", "d"}


async def test_filters_narrow_the_documents(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    world = World(tmp_path / "world.json")
    for name, tag, updated in (
        ("old", "guide", "2020-05-01T00:00:00+00:00"),
        ("new", "news", "2024-05-01T00:00:00+00:00"),
    ):
        world.put(name, f"A {name} llama story.", metadata={"tags": [tag], "updated_at": updated})
    async with synced(server_settings, workspace_name, world) as ask:
        assert set(await ask.ids("llama")) == {"old", "new"}
        assert await ask.ids("llama", tags=("guide", "unknown")) == ["old"]
        assert await ask.ids("llama", tags=("gui\0de",)) == []
        since = datetime(2022, 1, 1, tzinfo=UTC)
        assert await ask.ids("llama", updated_since=since) == ["new"]
        assert await ask.ids("llama", updated_before=since) == ["old"]
        assert await ask.ids("llama", updated_since=datetime(2024, 5, 1)) == ["new"]  # noqa: DTZ001
        assert len(await ask.ids("llama", connections=("scripted",), kinds=("scripted",))) == 2
        assert await ask.ids("llama", kinds=("website",)) == []
        assert (await ask("llama", kinds=("website",))).notes == (
            "no document that is visible to you passes these filters",
        )
        with pytest.raises(NotHere):
            await ask("llama", connections=("elsewhere",))


async def test_pages_follow_one_another(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """Pages neither repeat nor skip a hit, whatever their size, and the last one says so."""
    world = World(tmp_path / "world.json")
    world.put_many({f"p{n:02}": f"Penguin number {n} " + "on ice " * (n % 7) for n in range(60)})
    async with synced(server_settings, workspace_name, world) as ask:
        whole = await ask.ids("penguin", limit=100)
        assert len(set(whole)) == 60
        paged: list[str] = []
        for offset in range(0, 60, 7):
            page = await ask("penguin", limit=7, offset=offset)
            assert page.more is (offset + 7 < 60)
            paged += [hit.entry_id for hit in page.hits]
        assert paged == whole
        for bad in ({"limit": 0}, {"limit": 101}, {"offset": -1}, {"offset": 991}):
            with pytest.raises(UsageError):
                await ask("penguin", **bad)


async def test_any_text_can_be_asked(
    server_settings: Settings, workspace_name: str, world: World
) -> None:
    """Operators, quotes, NULs and other oddities are words or nothing, never an error."""
    async with synced(server_settings, workspace_name, world) as ask:
        for nothing in ("", "   ", "?!", "&|!:*()", "'", "\0", "\ud800"):
            page = await ask(nothing)
            assert page.hits == ()
            assert page.notes == ("the question has no words to look for",)
        for odd in (
            "rotate & !key | 'x' <-> (",
            "ro'tate rotate\\",
            "rotate\0key",
            "rotate:* key:A",
            "'; DROP TABLE chunks; -- rotate",
            "%(workspace)s %s rotate",
            "rotate \ud800",
        ):
            assert "rotate" in await ask.ids(odd), odd
        assert "rotate" in await ask.ids("rotate " * 5_000)
        long = await ask("rotate " + " ".join(f"word{n}" for n in range(3_000)))
        assert "rotate" in [hit.entry_id for hit in long.hits]
        assert "only the first 64 words of the question were looked for" in long.notes
        assert "rotate" in await ask.ids("to an the"), "stop words alone are words"


async def test_questions_are_stemmed_in_the_languages_of_the_workspace(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    world = World(tmp_path / "world.json")
    world.put("de", "Die Rechnungen werden verschickt.", metadata={"language": "de"})
    world.put("en", "Deliveries are made on Monday.", metadata={"language": "en"})
    world.put("ja", "鍵の更新方法について説明します。", metadata={"language": "ja"})
    async with synced(server_settings, workspace_name, world) as ask:
        assert (await ask.ids("Rechnung"))[0] == "de"
        assert (await ask.ids("delivery"))[0] == "en"
        assert (await ask.ids("更新方法"))[0] == "ja"


async def test_a_word_that_occurs_nowhere_is_looked_for_as_its_nearest_spelling(
    server_settings: Settings, workspace_name: str, world: World
) -> None:
    """One slip of the pen is seen through, and said. What occurs is never taken for a slip."""
    world.put("titled", "Something else altogether.", title="Rotat")
    async with synced(server_settings, workspace_name, world) as ask:
        for slip in ("rotaet", "rtate", "rotatte", "ritate"):
            page = await ask(f"how do I {slip} keys")
            assert page.hits[0].entry_id == "rotate", slip
            assert page.notes == (f'searched for "rotate" instead of "{slip}"',)
            assert any("rotate" in why for why in page.hits[0].why)
        for right in ("rotate keys", "rotat", "invoices", "x1 zzz qqqqqq"):
            assert (await ask(right)).notes == (), right


async def test_a_spelling_does_not_betray_what_one_may_not_see(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    world = World(tmp_path / "world.json")
    world.put("public", "A plan for everyone.")
    world.put("staff", "The zebra plan.", principals=["group:staff"])
    async with synced(server_settings, workspace_name, world) as ask:
        assert (await ask("zebrra plan")).notes == ()
        page = await ask("zebrra plan", principals=("group:staff",))
        assert page.notes == ('searched for "zebra" instead of "zebrra"',)
        assert page.hits[0].entry_id == "staff"


async def test_the_beginning_of_a_word_finds_it(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """The last word may be unfinished if it is in no text, or in hardly any; with a star it may be
    any one. The reasons show what was typed, the highlights what it stands for."""
    world = World(tmp_path / "world.json")
    world.put("cluster", "Kubernetes runs the containers.", title="Containers")
    world.put("cube", "The tube and the cube are bodies.", title="Bodies")
    world.put("titled", "Something else is written here.", title="Kubrick")
    world.put("short", "A conf is short for conferences.", title="Words")
    for n in range(4):
        world.put(f"often-{n}", f"The confluence of {n} rivers and harbours.", title=f"River {n}")
    async with synced(server_settings, workspace_name, world) as ask:
        for typed in ("kub", "containers kub", "KUBERN", "kub*", "kub* runs"):
            first = (await ask(typed)).hits[0]
            assert first.entry_id == "cluster", typed
            beginning = "kubern*" if typed == "KUBERN" else "kub*"
            assert beginning in next(why for why in first.why if why.startswith("words: ")), typed
            assert "Kubernetes" in [first.snippet[a:b] for a, b in first.highlights], typed
        assert {"cluster", "titled"} <= set(await ask.ids("kub"))
        # Finished, too short, or not the last one.
        for typed in ("kub ", "kub?", "kub runs", "ku"):
            hits = (await ask(typed)).hits
            assert not any("*" in why for hit in hits for why in hit.why), typed
        # Rare beside frequent: itself first, then what it begins.
        found = await ask.ids("conf", limit=10)
        assert found[0] == "short"
        assert {f"often-{n}" for n in range(4)} <= set(found)
        # A frequent word is not unfinished, but may be said to be.
        assert not any("*" in why for hit in (await ask("river")).hits for why in hit.why)
        assert any("riv*" in why for hit in (await ask("riv*")).hits for why in hit.why)
        # What begins like nothing is corrected as ever.
        assert (await ask("harbuors")).notes == ('searched for "harbours" instead of "harbuors"',)


async def test_a_beginning_does_not_betray_what_one_may_not_see(
    server_settings: Settings, workspace_name: str, tmp_path: Path
) -> None:
    """What others' texts hold changes nothing for who may not see them: not what a word is the
    beginning of, nor that it is corrected instead."""
    world = World(tmp_path / "world.json")
    world.put("open", "The harbour opens on Monday.")
    for n in range(30):
        world.put(
            f"secret-{n}", f"The harbourmaster and harboxes{n % 9}.", principals=["user:boss"]
        )
    async with synced(server_settings, workspace_name, world) as ask:
        assert await ask.ids("harb") == ["open"]
        assert len(await ask.ids("harb", principals=("user:boss",), limit=50)) > 1
        assert (await ask("harbo*")).hits[0].entry_id == "open"
        assert (await ask("harbouq")).notes == ('searched for "harbour" instead of "harbouq"',)
        assert (await ask("harbox")).hits == ()


async def test_an_empty_workspace_says_so(db: Connection, workspace_name: str) -> None:
    workspace = await make_workspace(db, workspace_name)
    page = await search(db, workspace, SearchRequest("key"), None, "none")
    assert page.notes == ("no document of this workspace is visible to you",)
    page = await search(db, workspace, SearchRequest("key", everything=True), None, "none")
    assert page.notes == ("this workspace has no documents yet",)
