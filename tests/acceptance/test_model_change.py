"""Another model is set: at no moment does a search miss a document, or its meaning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import syncline
from syncline.client import Syncline
from syncline.connectors.registry import Registry
from syncline.core.errors import Unauthorized
from syncline.core.failpoints import Failpoint
from syncline.core.health import HealthState
from syncline.embedders.catalogue import describe
from syncline.settings import Settings
from syncline.store.database import Database
from syncline.store.models import announce_model, note_written
from syncline.store.reembedding import complete_model
from syncline.store.vector_index import build_index
from syncline.sync.maintenance import embeddings
from syncline.sync.maintenance.service import Upkeep
from syncline.testing.fake_server import answers
from tests.support.looking import query
from tests.support.reembed import reembed
from tests.support.state import assert_consistent
from tests.support.syncs import Syncs, open_syncs
from tests.support.world import World
from tests.unit.embedders.test_service import Service

_KEY = "sk-planted-canary"
OLD, NEW, THIRD = "hashing-256/1", "wordllama-256/1", "tiny/4"
_WORDS = [
    "lantern",
    "harbour",
    "otter",
    "violin",
    "glacier",
    "saffron",
    "anvil",
    "meadow",
    "compass",
    "pretzel",
]
_TEXTS = {
    f"n{n}": f"# About the {word}\n\nWhat everyone should know of the {word}, and its uses."
    for n, word in enumerate(_WORDS)
}


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "world.json")
    world.put_many(_TEXTS)
    return world


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four passages at a time, so that there is a middle to look at."""
    monkeypatch.setattr(embeddings, "_AT_ONCE", 4)


@pytest.fixture
async def syncs(
    server_settings: Settings, workspace_name: str, world: World
) -> AsyncIterator[Syncs]:
    """Ten pages, embedded with the old model."""
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        assert (await syncs.run()).counts["created"] == 10
        yield syncs


@asynccontextmanager
async def opened(
    settings: Settings, workspace: str, embedder: str, **more: object
) -> AsyncIterator[Syncline]:
    """A process that starts now, with this embedder set."""
    values = settings.model_dump() | {"embedder": embedder} | more
    async with syncline.open(settings=Settings.model_validate(values), workspace=workspace) as kb:
        kb.load_tools()
        yield kb


def at(service: Service) -> dict[str, object]:
    """The settings of a service's model."""
    return {
        "embedding_url": f"{service.url}/v1",
        "embedding_model": "tiny",
        "embedding_dimension": 4,
        "embedding_key": _KEY,
    }


async def by_meaning(kb: Syncline, names: dict[str, str] = _TEXTS) -> dict[str, str]:
    """For each document that a question in its own words finds by meaning: the reason."""
    found = {}
    for name, text in names.items():
        page = await kb.search(text, everything=True)
        assert page.notes == (), page.notes
        for hit in page.hits:
            reasons = [each for each in hit.why if each.startswith("meaning")]
            if hit.entry_id == name and hit.rank == 1 and reasons:
                found[name] = reasons[0].partition(" (")[2].rstrip(")")
    return found


async def stored(syncs: Syncs) -> dict[str, int]:
    """How many embeddings there are of each model."""
    rows = await query(
        syncs,
        "SELECT m.name, count(*) FROM embeddings e JOIN models m ON m.id = e.model_id"
        " WHERE e.workspace_id = %s GROUP BY 1",
    )
    return {row[0]: row[1] for row in rows}


async def test_every_stage_of_a_change_finds_every_document(
    syncs: Syncs, server_settings: Settings, workspace_name: str, world: World
) -> None:
    """Before anything is embedded anew, when new pages have come, half way, and at the end. No
    source is read again; the former model's embeddings and index go with the last one."""
    model = (await query(syncs, "SELECT model_id FROM workspace_models WHERE workspace_id = %s"))[0]
    async with await syncs.tools.database.connect_as_owner() as owner:
        assert await build_index(owner, syncs.row.workspace_id, model[0])
    async with opened(server_settings, workspace_name, "wordllama") as kb:
        assert await by_meaning(kb) == dict.fromkeys(_TEXTS, "")
        late = {"late": "# About the zeppelin\n\nWhat everyone should know of the zeppelin."}
        world.put_many(late)
        world.clear_log()
        async with open_syncs(kb.settings, workspace_name, world) as newer:
            report = await newer.run()
        assert (report.counts["created"], report.counts["listed"]) == (1, 1)
        assert world.fetches() == ["late"]
        assert await stored(syncs) == {OLD: 10, NEW: 1}
        everything = _TEXTS | late
        assert await by_meaning(kb, everything) == dict.fromkeys(_TEXTS, OLD) | {"late": ""}
        assert await kb.embeddings.update(most=4) == 4
        assert await stored(syncs) == {OLD: 10, NEW: 5}
        found = await by_meaning(kb, everything)
        assert sorted(found.values()) == [""] * 5 + [OLD] * 6
        state = await kb.status()
        assert state.models.changing is not None
        assert (state.models.changing.passages, state.models.passages) == (5, 11)
        assert await kb.embeddings.update() == 6
        assert await stored(syncs) == {NEW: 11}
        assert await by_meaning(kb, everything) == dict.fromkeys(everything, "")
        assert (await kb.status()).models.changing is None
        assert await kb.embeddings.update() == 0
    async with syncs.tools.database.connection() as db:
        await assert_consistent(db, workspace_name)
        found_index = await db.execute(
            "SELECT FROM pg_class WHERE relname = %s",
            (f"embeddings_near_{syncs.row.workspace_id}_{model[0]}",),
        )
        assert await found_index.fetchall() == []


async def test_a_kill_anywhere_is_made_up_for(
    syncs: Syncs, server_settings: Settings, workspace_name: str
) -> None:
    """Wherever the process dies: all is found at once after, and the next one ends with each
    passage embedded once, by the model that is set."""
    places = (
        Failpoint.MODEL_ANNOUNCED,
        Failpoint.EMBEDDINGS_BEFORE_COMMIT,
        Failpoint.EMBEDDINGS_COMMITTED,
        Failpoint.MODEL_COMPLETE,
        Failpoint.FORMER_MODEL_COLLECTED,
    )
    for n, place in enumerate(places):
        name = ("wordllama", "hashing")[n % 2]
        settings = server_settings.model_copy(update={"embedder": name})
        nth = 2 if "embeddings" in place else 1
        armed = f"{place}:{nth}=kill"
        assert await asyncio.to_thread(reembed, settings, workspace_name, failpoints=armed) == -9
        async with opened(server_settings, workspace_name, name) as kb:
            assert (await by_meaning(kb)).keys() == _TEXTS.keys(), place
            await kb.embeddings.update()
            assert await by_meaning(kb) == dict.fromkeys(_TEXTS, "")
        assert await stored(syncs) == {(NEW, OLD)[n % 2]: 10}
        async with syncs.tools.database.connection() as db:
            await assert_consistent(db, workspace_name)


async def test_changed_twice_in_a_row_and_back(
    syncs: Syncs, server_settings: Settings, workspace_name: str
) -> None:
    """Each is left half way for the next; three models are asked, then one. What the first one
    has embedded serves it again."""
    async with Service() as service:
        third = at(service)
        for embedder, done in (("wordllama", 4), ("service", 4)):
            async with opened(server_settings, workspace_name, embedder, **third) as kb:
                assert await kb.embeddings.update(most=4) == done
                found = await by_meaning(kb)
                assert found.keys() == _TEXTS.keys()
        assert await stored(syncs) == {OLD: 10, NEW: 4, THIRD: 4}
        async with opened(server_settings, workspace_name, "hashing", **third) as kb:
            assert (await by_meaning(kb)).keys() == _TEXTS.keys()
            assert await kb.embeddings.update() == 0
            assert await by_meaning(kb) == dict.fromkeys(_TEXTS, "")
    assert await stored(syncs) == {OLD: 10}


async def test_a_former_model_that_is_gone_costs_its_meaning_alone(
    syncs: Syncs, server_settings: Settings, workspace_name: str
) -> None:
    """Searches go on by words and by the new model, and say so."""
    async with Service() as service:
        third = at(service)
        async with opened(server_settings, workspace_name, "service", **third) as kb:
            await kb.embeddings.update()
    assert await stored(syncs) == {THIRD: 10}
    async with opened(server_settings, workspace_name, "wordllama") as kb:
        assert await kb.embeddings.update(most=4) == 4
        page = await kb.search("saffron", everything=True)
        assert page.hits[0].title == "n5"
        assert "what only tiny/4 has embedded was found by words alone" in page.notes[0]
        found = {hit.entry_id for hit in page.hits if hit.scores["meaning"] > 0}
        assert found
        assert await kb.embeddings.update() == 6
        assert (await kb.search("saffron", everything=True)).notes == ()


async def test_a_service_that_does_not_answer_is_told_until_it_does(
    syncs: Syncs, server_settings: Settings, workspace_name: str
) -> None:
    """The status and the health say what is wrong; a sync does not fail for it."""
    async with Service() as service:
        third = at(service)
        service.misbehave(answers(401))
        async with opened(server_settings, workspace_name, "service", **third) as kb:
            with pytest.raises(Unauthorized):
                await kb.embeddings.update()
            health = await kb.health()
            assert health.state is HealthState.DEGRADED
            assert health.findings[0].what == "embeddings"
            assert _KEY not in str(health.as_json())
            wanted = (await kb.embeddings.show()).wanted
            assert wanted is not None
            assert wanted.trouble is not None
            service.behave()
            assert await kb.embeddings.update() == 10
            assert (await kb.health()).findings == []


async def test_the_service_does_it_by_itself(
    syncs: Syncs, server_settings: Settings, workspace_name: str, database: Database
) -> None:
    """`syncline up` with another model needs no command, and no sync."""
    settings = server_settings.model_copy(update={"embedder": "wordllama"})
    info = describe(settings)
    upkeep = Upkeep(database, settings, info, with_default=False, registry=Registry())
    async with database.connection() as db:
        await db.execute("DELETE FROM upkeep")
    assert (await upkeep.run_once())["embeddings"] >= 10
    assert await stored(syncs) == {NEW: 10}
    async with opened(server_settings, workspace_name, "wordllama") as kb:
        assert await by_meaning(kb) == dict.fromkeys(_TEXTS, "")


async def test_a_process_that_started_earlier_gives_way(
    syncs: Syncs, server_settings: Settings, workspace_name: str, world: World
) -> None:
    """It goes on embedding with its own model; what it brings is found, and embedded anew by the
    younger one. It does not take the model back."""
    async with (
        opened(server_settings, workspace_name, "hashing") as older,
        opened(server_settings, workspace_name, "wordllama") as kb,
    ):
        await kb.embeddings.update()
        assert await stored(syncs) == {NEW: 10}
        late = {"late": "# About the zeppelin\n\nWhat everyone should know of the zeppelin."}
        world.put_many(late)
        assert (await syncs.run()).counts["created"] == 1
        assert await stored(syncs) == {NEW: 10, OLD: 1}
        everything = _TEXTS | late
        assert await by_meaning(kb, everything) == dict.fromkeys(_TEXTS, "") | {"late": OLD}
        assert await older.embeddings.update() == 0
        assert await kb.embeddings.update() == 1
        assert await stored(syncs) == {NEW: 11}
    async with syncs.tools.database.connection() as db:
        await assert_consistent(db, workspace_name)


async def test_a_batch_under_way_is_waited_for(syncs: Syncs) -> None:
    """Passages of another model that nobody can see yet keep the wanted one from being complete."""
    workspace = syncs.row.workspace_id
    tools = syncs.tools
    async with tools.database.connection() as batch, tools.database.connection() as db:
        number = await announce_model(db, workspace, tools.embedder, age=0)
        assert number is not None
        async with batch.transaction(force_rollback=False):
            await note_written(batch, workspace, number)
            await batch.execute(
                "UPDATE chunks SET hash = sha256(hash) WHERE workspace_id = %s", (workspace,)
            )
            done = asyncio.create_task(complete_model(db, workspace, number))
            async with tools.database.connection() as watcher:
                while not done.done():
                    found = await watcher.execute(
                        "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                        " AND pid = %s",
                        (db.info.backend_pid,),
                    )
                    if await found.fetchall():
                        break
            assert not done.done()
        assert await done is False
