"""Search where there is much: little of it visible, other workspaces beside it, and its plans."""

from __future__ import annotations

from typing import Any, Self

import psycopg

from syncline.core.ports import Embedder
from syncline.embedders.hashing import HashingEmbedder
from syncline.settings import Settings
from syncline.store.database import Connection
from syncline.sync.search import SearchRequest, search
from tests.support.search_rows import Filled, analyse, fill, put_embeddings, put_rows

_MODEL = HashingEmbedder.name


def _embed() -> Embedder:
    return HashingEmbedder()


async def _ids(db: Connection, filled: Filled, text: str, **request: Any) -> list[str]:
    page = await search(db, filled.workspace, SearchRequest(text, **request), _embed, _MODEL)
    return [hit.entry_id for hit in page.hits]


async def test_few_public_documents_are_found_among_many_restricted_ones(
    db: Connection, workspace_name: str
) -> None:
    """What may be seen is found, however much that may not be seen matches better."""
    filled = await fill(db, workspace_name)
    await put_rows(db, filled, 10_000, prefix="secret", principals=["boss"])
    await put_rows(db, filled, 5, text="alpha filler", prefix="public")
    await put_embeddings(db, filled, _MODEL)

    assert sorted(await _ids(db, filled, "alpha")) == [f"public-{n:06}" for n in range(1, 6)]
    assert sorted(await _ids(db, filled, "nothing alpha g7")) == [
        f"public-{n:06}" for n in range(1, 6)
    ]
    assert len(await _ids(db, filled, "alpha", principals=("boss",), limit=100)) == 100


async def test_a_minority_that_is_not_few_is_found_too(db: Connection, workspace_name: str) -> None:
    """More visible documents than are looked at one by one, all behind restricted ones."""
    filled = await fill(db, workspace_name)
    await put_rows(db, filled, 8_000, prefix="secret", principals=["boss"])
    await put_rows(db, filled, 1_500, prefix="public")
    await put_embeddings(db, filled, _MODEL)

    found = await _ids(db, filled, "alpha", limit=20)
    assert len(found) == 20
    assert all(entry.startswith("public") for entry in found)
    assert "public-000777" in await _ids(db, filled, "w777")


async def test_no_other_workspace_is_found(db: Connection, workspace_name: str) -> None:
    """Not by words, not by meaning, not by title, and not as another document of a content."""
    mine = await fill(db, workspace_name)
    theirs = await fill(db, f"{workspace_name}-theirs")
    await put_rows(db, mine, 3, prefix="mine")
    await put_rows(db, theirs, 2_000, prefix="theirs")
    await put_embeddings(db, mine, _MODEL)
    await put_embeddings(db, theirs, _MODEL)

    for text in ("alpha", "w1", "theirs 000001", "w1500"):
        found = await _ids(db, mine, text, everything=True, limit=100)
        assert all(entry.startswith("mine") for entry in found), text
    page = await search(db, mine.workspace, SearchRequest("alpha"), _embed, _MODEL)
    assert all(also.entry_id.startswith("mine") for hit in page.hits for also in hit.also)


async def test_no_statement_reads_all_chunks(
    db: Connection, workspace_name: str, server_settings: Settings
) -> None:
    """Words come from the full-text index, and everything else by key."""
    filled = await fill(db, workspace_name)
    await put_rows(db, filled, 20_000)
    await put_embeddings(db, filled, _MODEL)
    await analyse(server_settings)
    for request in (
        {},
        {"everything": True},
        {"limit": 100, "offset": 300},
        {"tags": ("none",)},
    ):
        plans = await _plans(db, filled, SearchRequest("alpha w17 g3", **request))
        assert plans
        for statement, plan in plans:
            for table in ("chunks", "postings", "contents"):
                assert f"Seq Scan on {table}" not in plan, f"{statement}\n{plan}"


async def _plans(db: Connection, filled: Filled, request: SearchRequest) -> list[tuple[str, str]]:
    """The plans of every statement that a search sends."""
    sent: list[tuple[Any, Any]] = []

    class Noting(psycopg.AsyncCursor[Any]):
        async def execute(self, query: Any, params: Any = None, **more: Any) -> Self:
            sent.append((query, params))
            return await super().execute(query, params, **more)

    db.cursor_factory = Noting
    try:
        await search(db, filled.workspace, request, _embed, _MODEL)
    finally:
        db.cursor_factory = psycopg.AsyncCursor
    plans = []
    for query, params in sent:
        text = query.decode() if isinstance(query, bytes) else str(query)
        found = await db.execute(f"EXPLAIN {text}".encode(), params, prepare=False)
        plans.append((text, "\n".join(row[0] for row in await found.fetchall())))
    return plans
