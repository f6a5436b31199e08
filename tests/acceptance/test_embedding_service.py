"""A knowledge base whose vectors come from a service: synced, searched, and when it is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import syncline
from syncline.core.model import Mode
from syncline.settings import Settings
from syncline.testing.fake_server import answers
from tests.support.looking import query
from tests.support.syncs import Syncs, open_syncs
from tests.support.world import World
from tests.unit.embedders.test_service import Service

_KEY = "sk-planted-canary"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with Service() as service:
        yield service


@pytest.fixture
def settings(server_settings: Settings, service: Service) -> Settings:
    return Settings.model_validate(
        server_settings.model_dump()
        | {
            "embedder": "service",
            "embedding_url": f"{service.url}/v1",
            "embedding_model": "tiny",
            "embedding_dimension": 4,
            "embedding_key": _KEY,
        }
    )


@pytest.fixture
async def syncs(settings: Settings, workspace_name: str, tmp_path: Path) -> AsyncIterator[Syncs]:
    world = World(tmp_path / "world.json")
    world.put_many({f"n{n}": f"# Page {n}\n\nwhat page number {n} says" for n in range(5)})
    async with open_syncs(settings, workspace_name, world) as syncs:
        yield syncs


async def test_pages_and_questions_are_embedded_by_the_service(
    syncs: Syncs, settings: Settings, workspace_name: str, service: Service
) -> None:
    """Each text is asked for once; known ones are not asked for again."""
    assert (await syncs.run()).counts["created"] == 5
    stored = await query(syncs, "SELECT count(*) FROM embeddings WHERE workspace_id = %s")
    assert stored == [(5,)]
    asked = sum(map(len, service.asked))
    assert asked == 5
    assert (await syncs.run(Mode.FULL)).counts["unchanged"] == 5
    assert sum(map(len, service.asked)) == asked
    async with syncline.open(settings=settings, workspace=workspace_name) as kb:
        page = await kb.search("page number 3", everything=True)
    assert page.hits[0].title == "n3"
    assert page.notes == ()
    assert service.asked[-1] == ["page number 3"]


async def test_a_service_that_is_away_costs_a_run_and_no_documents(
    syncs: Syncs, settings: Settings, workspace_name: str, service: Service
) -> None:
    """The run fails with what to do, the next one makes up for it; search goes on by words."""
    service.misbehave(answers(401))
    report = await syncs.run()
    assert report.exit_code == 1
    assert report.error is not None
    assert "SYNCLINE_EMBEDDING_KEY" in report.error["hint"]
    assert _KEY not in str(report.as_json())
    service.behave()
    assert (await syncs.run()).counts["created"] == 5
    service.misbehave(answers(401))
    async with syncline.open(settings=settings, workspace=workspace_name) as kb:
        page = await kb.search("page number 3", everything=True)
    assert page.hits[0].title == "n3"
    assert "by words alone" in page.notes[0]
