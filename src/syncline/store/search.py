"""Candidates for a question, and their scores: full text, vectors and titles.

A content is a candidate through its rarer words, through its nearest vectors, or through a
document's title. Whoever comes by one way is scored on all of them, so that the order does not
depend on how something was found. Access and filters are in `search_scope`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from syncline.core.model import WorkspaceId
from syncline.store.binary import array_literal
from syncline.store.database import Connection
from syncline.store.search_scope import Scope

__all__ = [
    "MOST_COUNTED",
    "Corpus",
    "Key",
    "Scored",
    "Word",
    "chunk_scores",
    "count_words",
    "describe_corpus",
    "find_model",
    "nearest",
    "search_words",
    "stemmings",
    "tsquery",
]

MOST_COUNTED = 1_001
"""Up to here a word's document frequency is exact; beyond, it is estimated."""

_SAMPLED = 500
_BYTES_A_CHUNK = 1_500
_PAGE = 8192
_K1, _B = 1.2, 0.75

Key = tuple[int, int]
"""A chunk: its content's id, and its number."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the question, as the index may hold it."""

    stems: tuple[str, ...]
    """One for each stemming language, where they differ."""
    idf: float = 1.0
    rare: bool = True
    """Its document frequency is known, so that its list of chunks is complete."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """What BM25 must know of a workspace. Estimates, beyond a few hundred chunks."""

    chunks: int
    average_length: float
    pages: int
    """Of the partition that holds the workspace."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate chunk."""

    content: int
    n: int
    words: float
    """BM25."""
    meaning: float | None
    """The cosine; None without a vector."""


def tsquery(words: Sequence[Word], operator: str = "|") -> str:
    """A query for any (`|`) or all (`&`) of these words. Stems are quoted: none is syntax."""
    return operator.join(
        "("
        + "|".join("'" + s.replace("\\", "\\\\").replace("'", "''") + "'" for s in w.stems)
        + ")"
        for w in words
    )


async def stemmings(db: Connection, workspace: WorkspaceId) -> list[str]:
    """The stemming languages of this workspace's contents: one look at the index for each."""
    found = await db.execute(
        "WITH RECURSIVE languages AS ("
        " (SELECT stemming FROM contents WHERE workspace_id = %(workspace)s"
        "  ORDER BY stemming LIMIT 1) UNION ALL"
        " SELECT (SELECT c.stemming FROM contents c WHERE c.workspace_id = %(workspace)s"
        "  AND c.stemming > l.stemming ORDER BY c.stemming LIMIT 1)"
        " FROM languages l WHERE l.stemming IS NOT NULL)"
        " SELECT stemming FROM languages WHERE stemming IS NOT NULL",
        {"workspace": workspace},
    )
    return [row[0] for row in await found.fetchall()]


async def describe_corpus(db: Connection, workspace: WorkspaceId) -> Corpus:
    """How many chunks there are, and how long they are on average."""
    found = await db.execute(
        "WITH sample AS MATERIALIZED (SELECT length, tableoid AS part FROM chunks"
        " WHERE workspace_id = %s ORDER BY content_id, n LIMIT %s)"
        " SELECT count(*), coalesce(avg(length), 1)::float8,"
        " (SELECT reltuples::bigint FROM pg_class WHERE oid = min(sample.part)),"
        " coalesce(pg_relation_size(min(sample.part)), 0) FROM sample",
        (workspace, _SAMPLED),
    )
    row = await found.fetchone()
    assert row is not None
    count, average, estimated, size = row
    if count == _SAMPLED:
        # -1: the partition has never been analysed.
        count = max(count, estimated if estimated > 0 else size // _BYTES_A_CHUNK)
    return Corpus(count, max(average, 1.0), max(size // _PAGE, 1))


async def count_words(
    db: Connection, workspace: WorkspaceId, words: Sequence[Word], corpus: Corpus
) -> list[int]:
    """In how many chunks each word occurs; exact below `MOST_COUNTED`."""
    found = await db.execute(
        "SELECT f.count, (f.last::text::point)[0]::bigint"
        " FROM unnest(%(queries)s::tsquery[]) WITH ORDINALITY AS w (query, i),"
        " LATERAL (SELECT count(*), max(c.ctid) AS last FROM"
        " (SELECT ctid FROM chunks c WHERE c.workspace_id = %(workspace)s"
        " AND c.terms @@ w.query LIMIT %(most)s) AS c) AS f ORDER BY w.i",
        {
            "queries": array_literal([tsquery([w]) for w in words]),
            "workspace": workspace,
            "most": MOST_COUNTED,
        },
    )
    counts: list[int] = []
    for count, last in await found.fetchall():
        if count < MOST_COUNTED:
            counts.append(count)
        else:
            # Matches come in the order of the pages: what part of them had to be read?
            estimate = count * corpus.pages // (last + 1)
            counts.append(max(count, min(estimate, corpus.chunks)))
    return counts


_TF = "ts_rank('{0.1,0.24,0.5,1}', c.terms, w.query) * w.factor"
# tf / (tf + k) written so that tf is computed once.
_BM25 = f"""(SELECT coalesce(sum(w.idf * {_K1 + 1} * (1 - k.k / ({_TF} + k.k))), 0)
    FROM unnest(%(queries)s::tsquery[], %(idfs)s::float8[], %(factors)s::float8[])
        AS w (query, idf, factor),
    (SELECT {_K1} * ({1 - _B} + {_B} * c.length / %(average)s::float8) AS k) AS k)"""
# What ts_rank makes of one position of weight 0.1, which stands for one occurrence.
_ONE_OCCURRENCE = 0.1 / 1.64493406685


def _bm25(words: Sequence[Word], corpus: Corpus) -> dict[str, object]:
    return {
        "queries": array_literal([tsquery([w]) for w in words]),
        "idfs": [w.idf for w in words],
        # ts_rank divides by the number of alternatives.
        "factors": [len(w.stems) / _ONE_OCCURRENCE for w in words],
        "average": corpus.average_length,
    }


async def search_words(
    db: Connection, scope: Scope, words: Sequence[Word], corpus: Corpus, most: int
) -> list[Key]:
    """The best chunk of each of up to `most` contents by BM25.

    Among the chunks that hold a rare word, or all words; where these are few, also among the
    first ones that hold a frequent word.
    """
    lists = _lists(words, 2 * most)
    inside, values = scope.of_chunks()
    found = await db.execute(
        "WITH hits AS MATERIALIZED (SELECT c.content_id, c.n, sum(l.weight) AS weight"
        " FROM unnest(%(lists)s::tsquery[], %(weights)s::float8[], %(limits)s::int[])"
        " AS l (query, weight, most),"
        " LATERAL (SELECT c.content_id, c.n FROM chunks c WHERE c.workspace_id = %(workspace)s"
        f" AND c.terms @@ l.query {inside} LIMIT l.most) AS c"
        " GROUP BY c.content_id, c.n),"
        # One long document must not crowd out the others.
        " best AS MATERIALIZED (SELECT content_id, n FROM (SELECT content_id, n, weight,"
        " row_number() OVER (PARTITION BY content_id ORDER BY weight DESC, n) AS place FROM hits)"
        " AS h WHERE place <= 8 ORDER BY weight DESC, place, content_id LIMIT %(scored)s),"
        f" scored AS (SELECT c.content_id, c.n, {_BM25} AS score FROM best JOIN chunks c"
        " ON c.workspace_id = %(workspace)s AND c.content_id = best.content_id AND c.n = best.n)"
        " SELECT content_id, n FROM (SELECT DISTINCT ON (content_id) content_id, n, score"
        " FROM scored ORDER BY content_id, score DESC, n) AS s"
        " ORDER BY score DESC, content_id LIMIT %(most)s",
        {
            **values,
            **_bm25(words, corpus),
            "lists": array_literal([each.query for each in lists]),
            "weights": [each.weight for each in lists],
            "limits": [each.most for each in lists],
            "scored": 3 * most,
            "most": most,
        },
    )
    return [(row[0], row[1]) for row in await found.fetchall()]


class _List(NamedTuple):
    """A query whose chunks are candidates."""

    query: str
    weight: float
    """How much it speaks for a chunk."""
    most: int


def _lists(words: Sequence[Word], most: int) -> list[_List]:
    """Each rare word in full; of what is frequent `most` chunks, the ones with several words
    among them."""
    rare = [word for word in words if word.rare]
    frequent = [word for word in words if not word.rare]
    lists = [_List(tsquery([word]), word.idf, MOST_COUNTED) for word in rare]
    if len(words) > 1 and frequent:
        lists.append(_List(tsquery(words, "&"), sum(word.idf for word in frequent), most))
    if len(rare) < 2:
        lists += [_List(tsquery([word]), word.idf, most) for word in frequent]
        if len(words) > 2:
            lists += [
                _List(tsquery(pair, "&"), sum(word.idf for word in pair), most)
                for pair in pairwise(frequent)
            ]
    return lists


async def find_model(db: Connection, name: str) -> int | None:
    """The number of a model's embeddings; None where it has made none yet."""
    found = await db.execute("SELECT id FROM models WHERE name = %s", (name,))
    row = await found.fetchone()
    return None if row is None else int(row[0])


_DISTANCE = "e.vector <#> %(vector)s::halfvec"
_EMBEDDINGS = "e.workspace_id = %(workspace)s AND e.model_id = %(model)s"
# The floor spares the sort most rows: of a sample (hashes lie evenly), the 30th nearest. Where
# nothing is sampled, it is infinite.
_NEAREST = f"""
WITH floor AS MATERIALIZED (SELECT coalesce((SELECT {_DISTANCE} FROM (
        SELECT e.vector FROM embeddings e WHERE {_EMBEDDINGS}
        ORDER BY e.workspace_id, e.model_id, e.chunk_hash LIMIT %(sampled)s) AS e
    ORDER BY 1 OFFSET 29 LIMIT 1), 'Infinity') AS distance),
near AS MATERIALIZED (SELECT e.chunk_hash, {_DISTANCE} AS distance FROM embeddings e
    WHERE {_EMBEDDINGS} AND {_DISTANCE} <= (SELECT distance FROM floor)
    ORDER BY distance LIMIT %(compared)s)
SELECT c.content_id, c.n FROM near, LATERAL (SELECT c.content_id, c.n FROM chunks c
    WHERE c.workspace_id = %(workspace)s AND c.hash = near.chunk_hash {{inside}} LIMIT 20) AS c
ORDER BY near.distance, c.content_id, c.n LIMIT %(most)s"""
# Few contents: through them, and exactly.
_NEAREST_WITHIN = f"""
SELECT c.content_id, c.n FROM chunks c JOIN embeddings e ON e.chunk_hash = c.hash AND {_EMBEDDINGS}
WHERE c.workspace_id = %(workspace)s {{inside}}
ORDER BY {_DISTANCE}, c.content_id, c.n LIMIT %(most)s"""


async def nearest(
    db: Connection, scope: Scope, model: int, vector: Sequence[float], corpus: Corpus, most: int
) -> list[Key]:
    """The chunks nearest to a vector, by an exact scan; the nearest first."""
    inside, values = scope.of_chunks()
    # Sampling takes some 3 of 100, which must be far more than are asked for.
    compared = 20_000 if scope.deep else most
    sampled = 1_000 if corpus.chunks > 100 * compared else 0
    found = await db.execute(
        (_NEAREST_WITHIN if scope.narrow else _NEAREST).format(inside=inside).encode(),
        {
            **values,
            "model": model,
            "vector": _literal(vector),
            "sampled": sampled,
            "compared": compared,
            "most": most,
        },
    )
    return [(row[0], row[1]) for row in await found.fetchall()]


async def chunk_scores(
    db: Connection,
    workspace: WorkspaceId,
    keys: Sequence[Key],
    words: Sequence[Word],
    corpus: Corpus,
    model: int | None,
    vector: Sequence[float] | None,
) -> list[Scored]:
    """Each of these chunks' scores, both kinds; those that are gone by now are left out."""
    found = await db.execute(
        f"SELECT c.content_id, c.n, {_BM25}, -({_DISTANCE})"
        " FROM unnest(%(ids)s::bigint[], %(ns)s::int[]) AS k (content_id, n)"
        " JOIN chunks c ON c.workspace_id = %(workspace)s AND c.content_id = k.content_id"
        f" AND c.n = k.n LEFT JOIN embeddings e ON {_EMBEDDINGS} AND e.chunk_hash = c.hash",
        {
            **_bm25(words, corpus),
            "workspace": workspace,
            "ids": [content for content, _ in keys],
            "ns": [n for _, n in keys],
            "model": model,
            "vector": None if vector is None else _literal(vector),
        },
    )
    return [Scored(*row) for row in await found.fetchall()]


def _literal(vector: Sequence[float]) -> str:
    return "[" + ",".join(f"{value:.6g}" for value in vector) + "]"
