"""What a search reads: the entries of its words, the nearest vectors, and chunks by their id.

Whoever comes by one way is scored on all of them, so that the order does not depend on how
something was found. Access and filters are in `search_scope`. Statements name the workspace
itself, as a number: a plan that is kept then touches its partition and its vector index alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import NamedTuple

from msgspec import Struct

from syncline.core.model import WorkspaceId
from syncline.core.ports import EmbedderInfo
from syncline.store.binary import bigints
from syncline.store.database import Connection
from syncline.store.entries import Entries, entries_of
from syncline.store.search_scope import Scope
from syncline.store.vector_index import VectorIndex

__all__ = [
    "Asked",
    "Corpus",
    "Place",
    "UsedModel",
    "describe_corpus",
    "entries_of_terms",
    "first_chunks",
    "frequencies",
    "nearest",
    "numbers_of",
    "places_of",
    "terms_from",
    "tsquery",
    "vector_literal",
]


class UsedModel(Struct, frozen=True):
    """A model of which a workspace has embeddings."""

    number: int
    info: EmbedderInfo
    index: VectorIndex | None
    """Of these embeddings, where there is one."""


class Corpus(Struct, frozen=True):
    """A workspace, as a search must know it."""

    stemmings: tuple[str, ...]
    """The stemming languages of its contents."""
    chunks: int
    """What was deleted counts until its segment is merged."""
    average_length: float
    models: tuple[UsedModel, ...]
    """Those that passages are found by: one, or several while the first replaces the others."""


class Asked(Struct, frozen=True):
    """A question as one model understands it."""

    model: UsedModel
    vector: str


class Place(NamedTuple):
    """A chunk: its number in the full-text index, where it stands, and how near it is."""

    id: int
    content: int
    n: int
    meaning: float | None
    """The cosine; None without a vector."""
    model: int = 0
    """Which of the models that were asked says so: the first that has embedded the chunk."""


def tsquery(stems: Sequence[str], prefix: str = "") -> str:
    """A query for any of these, and for what begins with `prefix`. None of them is syntax."""
    words = [_quoted(stem) for stem in stems]
    return "|".join([*words, _quoted(prefix) + ":*"] if prefix else words)


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"


_FACTS = """
WITH RECURSIVE languages AS (
    (SELECT stemming FROM contents WHERE workspace_id = {workspace} ORDER BY stemming LIMIT 1)
    UNION ALL
    SELECT (SELECT c.stemming FROM contents c WHERE c.workspace_id = {workspace}
        AND c.stemming > l.stemming ORDER BY c.stemming LIMIT 1)
    FROM languages l WHERE l.stemming IS NOT NULL),
used AS (SELECT * FROM workspace_models u WHERE u.workspace_id = {workspace}
    AND (u.wanted OR NOT EXISTS (SELECT FROM workspace_models w
        WHERE w.workspace_id = {workspace} AND w.wanted AND w.complete)))
SELECT ARRAY(SELECT stemming FROM languages WHERE stemming IS NOT NULL),
    coalesce(sum(s.chunks), 0)::bigint, coalesce(sum(s.words), 0)::bigint,
    (SELECT json_agg(json_build_array(m.id, m.name, m.dimension, m.kind, m.origin,
            EXISTS (SELECT FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
                WHERE c.relname = 'embeddings_near_' || {workspace} || '_' || m.id
                AND c.relnamespace = 'syncline'::regnamespace AND i.indisvalid))
        ORDER BY u.wanted DESC, u.since DESC, m.id)
        FROM used u JOIN models m ON m.id = u.model_id)
FROM segments s WHERE s.workspace_id = {workspace}"""


async def describe_corpus(db: Connection, workspace: WorkspaceId) -> Corpus:
    """What a search must know of the workspace."""
    found = await db.cursor(binary=True).execute(_FACTS.format(workspace=int(workspace)).encode())
    row = await found.fetchone()
    assert row is not None
    languages, chunks, words, models = row
    return Corpus(
        tuple(languages) or ("english",),
        chunks,
        max(words / chunks, 1.0) if chunks else 1.0,
        tuple(
            UsedModel(
                number,
                EmbedderInfo(name, dimension, kind, origin),
                VectorIndex(dimension) if indexed else None,
            )
            for number, name, dimension, kind, origin, indexed in models or ()
        ),
    )


async def entries_of_terms(
    db: Connection, workspace: WorkspaceId, terms: Sequence[str], *, most: int | None = None
) -> dict[str, Entries]:
    """The index's entries for those of these terms that it has; of each row the first `most`."""
    entries = "entries" if most is None else f"substr(entries, 1, {8 * int(most)})"
    found = await db.cursor(binary=True).execute(
        f"SELECT term, {entries} FROM postings WHERE workspace_id = {int(workspace)}"
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


_TERMS_LOOKED_AT = 5_000


async def terms_from(
    db: Connection, workspace: WorkspaceId, prefix: str, *, most: int
) -> list[str]:
    """The most frequent terms that begin with `prefix`, of the first 5,000 rows that do."""
    found = await db.execute(
        "SELECT term FROM (SELECT term, length(entries) AS size FROM postings"
        f' WHERE workspace_id = {int(workspace)} AND term >= %(prefix)s COLLATE "C"'
        ' AND term < (%(prefix)s || chr(1114111)) COLLATE "C" ORDER BY term LIMIT %(rows)s) AS t'
        " GROUP BY term ORDER BY sum(size) DESC, term LIMIT %(most)s",
        {"prefix": prefix, "rows": _TERMS_LOOKED_AT, "most": most},
    )
    return [row[0] for row in await found.fetchall()]


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
_DISTANCE = "e{n}.vector <#> %(vector{n})s::halfvec"


async def nearest(db: Connection, scope: Scope, asked: Asked, most: int) -> list[Place]:
    """The chunks nearest to a question, as one model has it, the nearest first.

    By the workspace's vector index where it has one; exactly otherwise, and where much must be
    compared because little is in the scope.
    """
    inside, values = scope.of_chunks()
    index = None if scope.deep else asked.model.index
    query = _NEAREST_WITHIN if scope.narrow else _NEAREST
    found = await db.cursor(binary=True).execute(
        query.format(
            distance=_DISTANCE.format(n="") if index is None else index.distance("%(vector)s"),
            embeddings=_embeddings(scope.workspace, asked.model, "e"),
            workspace=int(scope.workspace),
            inside=inside,
            compared=20_000 if scope.deep else most,
            most=most,
        ).encode(),
        {**values, "vector": asked.vector},
    )
    return list(starmap(Place, await found.fetchall()))


def _embeddings(workspace: WorkspaceId, model: UsedModel, e: str) -> str:
    return f"{e}.workspace_id = {int(workspace)} AND {e}.model_id = {int(model.number)}"


async def places_of(
    db: Connection, scope: Scope, ids: Sequence[int], asked: Sequence[Asked]
) -> list[Place]:
    """Where those of these chunks stand that are there, and in the scope if it is deep."""
    inside, values = scope.of_chunks()
    return await _places(
        db, scope.workspace, f"c.id = ANY(%(ids)s::bigint[]) {inside}", asked,
        {**values, "ids": bigints(ids)},
    )  # fmt: skip


async def first_chunks(
    db: Connection, scope: Scope, contents: Sequence[int], asked: Sequence[Asked]
) -> list[Place]:  # fmt: skip
    """The first chunk of each of these contents."""
    return await _places(
        db, scope.workspace, "c.content_id = ANY(%(ids)s::bigint[]) AND c.n = 0", asked,
        {"ids": bigints(contents)},
    )  # fmt: skip


async def _places(
    db: Connection,
    workspace: WorkspaceId,
    condition: str,
    asked: Sequence[Asked],
    values: Mapping[str, object],
) -> list[Place]:
    near, which, joins = ["NULL"], "0", []
    for n, each in reversed(list(enumerate(asked))):
        near.insert(0, f"-({_DISTANCE.format(n=n)})")
        which = f"CASE WHEN e{n}.chunk_hash IS NOT NULL THEN {n} ELSE {which} END"
        joins.append(
            f"LEFT JOIN embeddings e{n} ON {_embeddings(workspace, each.model, f'e{n}')}"
            f" AND e{n}.chunk_hash = c.hash"
        )
    found = await db.cursor(binary=True).execute(
        f"SELECT {_PLACE}, coalesce({', '.join(near)}), {which} FROM chunks c {' '.join(joins)}"
        f" WHERE c.workspace_id = {int(workspace)} AND {condition}".encode(),
        {**values, **{f"vector{n}": each.vector for n, each in enumerate(asked)}},
    )
    return list(starmap(Place, await found.fetchall()))


async def numbers_of(db: Connection, workspace: WorkspaceId, contents: Sequence[int]) -> list[int]:
    """The numbers of all chunks of these contents."""
    found = await db.cursor(binary=True).execute(
        f"SELECT id FROM chunks WHERE workspace_id = {int(workspace)}"
        " AND content_id = ANY(%s::bigint[])".encode(),
        (bigints(contents),),
    )
    return [row[0] for row in await found.fetchall()]


def vector_literal(vector: Sequence[float]) -> str:
    """A vector as the statements here take it; an empty string stands for none."""
    return "[" + ",".join(f"{value:.6g}" for value in vector) + "]"
