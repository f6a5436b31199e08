"""What a search reads: the entries of its words, the nearest vectors, and chunks by their id.

Whoever comes by one way is scored on all of them, so that the order does not depend on how
something was found. Access and filters are in `search_scope`. Statements name the workspace
itself, as a number: a plan that is kept then touches its partition and its vector index alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection
from syncline.store.entries import Entries, entries_of
from syncline.store.search_scope import Scope
from syncline.store.vector_index import VectorIndex

__all__ = [
    "Corpus",
    "Place",
    "describe_corpus",
    "entries_of_terms",
    "first_chunks",
    "frequencies",
    "nearest",
    "numbers_of",
    "places_of",
    "tsquery",
    "vector_literal",
]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A workspace, as a search must know it."""

    stemmings: tuple[str, ...]
    """The stemming languages of its contents."""
    chunks: int
    """What was deleted counts until its segment is merged."""
    average_length: float
    model: int | None
    """The number of the model's embeddings; None where it has made none yet."""
    index: VectorIndex | None
    """Of these embeddings, where there is one."""


@dataclass(frozen=True, slots=True)
class Place:
    """A chunk: its number in the full-text index, where it stands, and how near it is."""

    id: int
    content: int
    n: int
    meaning: float | None
    """The cosine; None without a vector."""


def tsquery(stems: Sequence[str]) -> str:
    """A query for any of these. They are quoted: none is syntax."""
    return "|".join("'" + s.replace("\\", "\\\\").replace("'", "''") + "'" for s in stems)


_FACTS = """
WITH RECURSIVE languages AS (
    (SELECT stemming FROM contents WHERE workspace_id = {workspace} ORDER BY stemming LIMIT 1)
    UNION ALL
    SELECT (SELECT c.stemming FROM contents c WHERE c.workspace_id = {workspace}
        AND c.stemming > l.stemming ORDER BY c.stemming LIMIT 1)
    FROM languages l WHERE l.stemming IS NOT NULL),
model AS (SELECT m.id, m.dimension FROM models m WHERE m.name = %(model)s)
SELECT ARRAY(SELECT stemming FROM languages WHERE stemming IS NOT NULL),
    coalesce(sum(s.chunks), 0)::bigint, coalesce(sum(s.words), 0)::bigint,
    (SELECT id FROM model), (SELECT m.dimension FROM model m JOIN pg_class c
        ON c.relname = 'embeddings_near_' || {workspace} || '_' || m.id
        JOIN pg_index i ON i.indexrelid = c.oid
        WHERE c.relnamespace = 'syncline'::regnamespace AND i.indisvalid)
FROM segments s WHERE s.workspace_id = {workspace}"""


async def describe_corpus(db: Connection, workspace: WorkspaceId, model: str) -> Corpus:
    """What a search must know of the workspace. `model` is an embedder's full name."""
    found = await db.cursor(binary=True).execute(
        _FACTS.format(workspace=int(workspace)).encode(), {"model": model}
    )
    row = await found.fetchone()
    assert row is not None
    languages, chunks, words, number, dimension = row
    return Corpus(
        tuple(languages) or ("english",),
        chunks,
        max(words / chunks, 1.0) if chunks else 1.0,
        number,
        None if dimension is None else VectorIndex(dimension),
    )


async def entries_of_terms(
    db: Connection, workspace: WorkspaceId, terms: Sequence[str]
) -> dict[str, Entries]:
    """The index's entries for those of these terms that it has."""
    found = await db.cursor(binary=True).execute(
        f"SELECT term, entries FROM postings WHERE workspace_id = {int(workspace)}"
        " AND term = ANY(%s::text[])".encode(),
        (list(terms),),
    )
    parts: dict[str, list[bytes]] = {}
    for term, entries in await found.fetchall():
        parts.setdefault(term, []).append(entries)
    return {term: entries_of(b"".join(each)) for term, each in parts.items()}


async def frequencies(
    db: Connection, workspace: WorkspaceId, terms: Sequence[str]
) -> Mapping[str, int]:
    """In how many chunks each of these terms occurs, where it does."""
    found = await db.execute(
        f"SELECT term, sum(length(entries)) / 8 FROM postings WHERE workspace_id = {int(workspace)}"
        " AND term = ANY(%s::text[]) GROUP BY term".encode(),
        (list(terms),),
    )
    return {term: int(count) for term, count in await found.fetchall()}


_PLACE = "c.id, c.content_id, c.n"
_NEAREST = f"""
WITH near AS MATERIALIZED (SELECT e.chunk_hash, {{distance}} AS distance FROM embeddings e
    WHERE {{embeddings}} ORDER BY {{distance}} LIMIT {{compared}})
SELECT {_PLACE}, -near.distance FROM near, LATERAL (SELECT {_PLACE} FROM chunks c
    WHERE c.workspace_id = {{workspace}} AND c.hash = near.chunk_hash {{inside}} LIMIT 20) AS c
ORDER BY near.distance, c.content_id, c.n LIMIT {{most}}"""
# Few contents: through them, and exactly.
_NEAREST_WITHIN = f"""
SELECT {_PLACE}, -({{distance}}) FROM chunks c JOIN embeddings e ON e.chunk_hash = c.hash
    AND {{embeddings}}
WHERE c.workspace_id = {{workspace}} {{inside}}
ORDER BY {{distance}}, c.content_id, c.n LIMIT {{most}}"""
_DISTANCE = "e.vector <#> %(vector)s::halfvec"


async def nearest(
    db: Connection, scope: Scope, corpus: Corpus, vector: str, most: int
) -> list[Place]:
    """The chunks nearest to a vector, the nearest first.

    By the workspace's vector index where it has one; exactly otherwise, and where much must be
    compared because little is in the scope.
    """
    if corpus.model is None or not vector:
        return []
    inside, values = scope.of_chunks()
    index = None if scope.deep else corpus.index
    query = _NEAREST_WITHIN if scope.narrow else _NEAREST
    found = await db.cursor(binary=True).execute(
        query.format(
            distance=_DISTANCE if index is None else index.distance("%(vector)s"),
            embeddings=_embeddings(scope.workspace, corpus.model),
            workspace=int(scope.workspace),
            inside=inside,
            compared=20_000 if scope.deep else most,
            most=most,
        ).encode(),
        {**values, "vector": vector},
    )
    return [Place(*row) for row in await found.fetchall()]


def _embeddings(workspace: WorkspaceId, model: int) -> str:
    return f"e.workspace_id = {int(workspace)} AND e.model_id = {int(model)}"


async def places_of(
    db: Connection, scope: Scope, ids: Sequence[int], corpus: Corpus, vector: str
) -> list[Place]:
    """Where those of these chunks stand that are there, and in the scope if it is deep."""
    inside, values = scope.of_chunks()
    return await _places(
        db, scope.workspace, f"c.id = ANY(%(ids)s::bigint[]) {inside}", corpus, vector,
        {**values, "ids": list(ids)},
    )  # fmt: skip


async def first_chunks(
    db: Connection, scope: Scope, contents: Sequence[int], corpus: Corpus, vector: str
) -> list[Place]:  # fmt: skip
    """The first chunk of each of these contents."""
    return await _places(
        db, scope.workspace, "c.content_id = ANY(%(ids)s::bigint[]) AND c.n = 0", corpus, vector,
        {"ids": list(contents)},
    )  # fmt: skip


async def _places(
    db: Connection,
    workspace: WorkspaceId,
    condition: str,
    corpus: Corpus,
    vector: str,
    values: Mapping[str, object],
) -> list[Place]:
    near, join = "NULL", ""
    if corpus.model is not None and vector:
        near = f"-({_DISTANCE})"
        join = f"LEFT JOIN embeddings e ON {_embeddings(workspace, corpus.model)}"
        join += " AND e.chunk_hash = c.hash"
    found = await db.cursor(binary=True).execute(
        f"SELECT {_PLACE}, {near} FROM chunks c {join}"
        f" WHERE c.workspace_id = {int(workspace)} AND {condition}".encode(),
        {**values, "vector": vector or None},
    )
    return [Place(*row) for row in await found.fetchall()]


async def numbers_of(db: Connection, workspace: WorkspaceId, contents: Sequence[int]) -> list[int]:
    """The numbers of all chunks of these contents."""
    found = await db.cursor(binary=True).execute(
        f"SELECT id FROM chunks WHERE workspace_id = {int(workspace)}"
        " AND content_id = ANY(%s::bigint[])".encode(),
        (list(contents),),
    )
    return [row[0] for row in await found.fetchall()]


def vector_literal(vector: Sequence[float]) -> str:
    """A vector as the statements here take it; an empty string stands for none."""
    return "[" + ",".join(f"{value:.6g}" for value in vector) + "]"
