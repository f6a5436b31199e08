"""A better pipeline reads again what an older one has stored, without asking the source."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from syncline.settings import Settings
from tests.support.looking import configure, documents, query
from tests.support.syncs import Syncs, open_syncs, sync_process, sync_process_result
from tests.support.thorough import of_all
from tests.support.world import World

POSTGRES = of_all(["18"], ["16"])

_RAISED = "import syncline.pipeline.{0} as changed\nchanged.{1} += 1\n"


@pytest.mark.parametrize(
    ("module", "constant"),
    [("extract", "EXTRACTOR_VERSION"), ("chunk", "CHUNKER_VERSION"), ("terms", "TERMS_VERSION")],
)
async def test_a_raised_version_reads_the_kept_originals(
    module: str,
    constant: str,
    server_settings: Settings,
    workspace_name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Although the feed lists nothing, every entry is prepared again from what was kept; equal
    results count as unchanged, known texts keep their embeddings, and the next run has nothing
    to do."""
    world = World(tmp_path / "world.json")
    world.put_many({f"n{n}": f"# {n}\n\ntext {n}" for n in range(5)})
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        await syncs.run()
        embeddings = "SELECT chunk_hash, xmin::text FROM embeddings WHERE workspace_id = %s"
        before = await query(syncs, embeddings + " ORDER BY 1")
    world.clear_log()
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "sitecustomize.py").write_text(_RAISED.format(module, constant))
    monkeypatch.setenv("PYTHONPATH", str(newer))

    async def sync() -> dict[str, Any]:
        process = sync_process(server_settings, workspace_name, world)
        ended = await asyncio.to_thread(sync_process_result, process)
        assert ended.report is not None, ended.errors
        return dict(ended.report)

    report = await sync()
    assert (report["unchanged"], report["read_from_originals"]) == (5, 5)
    assert world.fetches() == []
    assert (await sync())["listed"] == 0
    async with open_syncs(server_settings, workspace_name, world) as syncs:
        assert await query(syncs, embeddings + " ORDER BY 1") == before


async def test_a_feeds_filter_may_be_edited(feed: Syncs, world: World) -> None:
    """What no longer belongs goes although the feed says nothing of it, and comes back when the
    filter is taken back; the source is not asked."""
    world.put_many({f"n{n}": f"# {n}\n\ntext {n}" for n in range(5)})
    await feed.run()
    world.clear_log()
    await configure(feed, filter={"not_contains": ["text 3"]})
    report = await feed.run()
    assert (report.counts["filtered"], report.counts["deleted"]) == (1, 1)
    await configure(feed, filter={})
    report = await feed.run()
    assert report.counts["created"] == 1
    assert len(await documents(feed)) == 5
    assert world.fetches() == []
