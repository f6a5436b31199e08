"""Near-duplicates: of the contents that were found, which repeat one another.

Everything is decided from documents in the scope, so that nobody's hits depend on what they may
not see.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from syncline.store.binary import bigints
from syncline.store.database import Connection
from syncline.store.search_scope import Scope

__all__ = ["DOUBT", "NEAR", "SURE", "Likeness", "first_names", "likenesses", "likenesses_among"]

NEAR = 0.8
"""The Jaccard similarity from which on two contents are near-duplicates."""
DOUBT = (0.75, 0.85)
"""Between these, ends included, a person is asked where titles or numbers disagree."""

SURE = 1 - DOUBT[1]
"""Two contents at a smaller distance are near-duplicates beyond doubt."""

_MOST_ELDERS = 4


class Likeness(Struct, frozen=True):
    """What is known of some contents' similarity."""

    near: Mapping[int, AbstractSet[int]]
    """The near-duplicates of each that has some."""
    different: Collection[tuple[int, int]]
    """What a person has said to be different; the lower id first."""
    elders: Mapping[int, Mapping[int, float]]
    """For contents that some at first places are very near to: those, and how far they are away.

    Of a family of hundreds not all pairs are stored. Distances add up at most, so two contents
    of which these have a sum below `SURE` are near-duplicates beyond doubt.
    """


# Most contents resemble none: they need not be looked at any closer.
_INVOLVED = """
SELECT f.content_id FROM unnest(%(found)s::bigint[]) AS f (content_id)
WHERE EXISTS (SELECT FROM near_pairs p WHERE p.workspace_id = %(workspace)s
        AND p.a = f.content_id AND p.jaccard >= {near})
    OR EXISTS (SELECT FROM near_pairs p WHERE p.workspace_id = %(workspace)s
        AND p.b = f.content_id AND p.jaccard >= {near})
    OR f.content_id IN (SELECT d.content_id FROM near_decisions n JOIN documents d
        ON d.workspace_id = n.workspace_id AND d.id IN (n.a, n.b)
        WHERE n.workspace_id = %(workspace)s AND n.same)
"""
_PAIRS = """
SELECT p.a, array_agg(p.b) FROM near_pairs p
WHERE p.workspace_id = %(workspace)s AND p.a = ANY(%(found)s::bigint[])
  AND p.b = ANY(%(found)s::bigint[]) AND p.jaccard >= {near}
  AND (p.jaccard > {doubt} OR (NOT p.numbers_differ AND EXISTS (
      SELECT FROM documents d WHERE {scope} AND d.content_id = p.a AND d.title_terms IN (
          SELECT d.title_terms FROM documents d WHERE {scope} AND d.content_id = p.b))))
GROUP BY p.a
"""
_DECIDED = """
SELECT least(x.content_id, y.content_id), greatest(x.content_id, y.content_id), bool_and(n.same)
FROM near_decisions n
CROSS JOIN LATERAL (SELECT d.content_id FROM documents d WHERE {scope} AND d.id = n.a) x
CROSS JOIN LATERAL (SELECT d.content_id FROM documents d WHERE {scope} AND d.id = n.b) y
WHERE n.workspace_id = %(workspace)s AND x.content_id = ANY(%(found)s::bigint[])
  AND y.content_id = ANY(%(found)s::bigint[]) AND x.content_id <> y.content_id
GROUP BY 1, 2
"""
_ELDERS = """
SELECT f.content_id, o.a + o.b - f.content_id, 1 - o.jaccard
FROM unnest(%(found)s::bigint[]) AS f (content_id),
LATERAL (SELECT p.a, p.b, p.jaccard FROM near_pairs p WHERE p.workspace_id = %(workspace)s
    AND p.younger = f.content_id AND p.jaccard > {doubt} ORDER BY p.elder_place LIMIT {most}) o
"""


async def likenesses(db: Connection, scope: Scope, found: Sequence[int]) -> Likeness:
    """How these contents, which are in the scope, resemble one another.

    Pairs in doubt are no near-duplicates until a person says so; that word goes before all
    else, and `different` before `same` where documents with one text were told apart.
    """
    asked = await db.execute(
        _INVOLVED.format(near=NEAR).encode(),
        {"workspace": scope.workspace, "found": bigints(found)},
    )
    return await likenesses_among(db, scope, [row[0] for row in await asked.fetchall()])


async def likenesses_among(db: Connection, scope: Scope, involved: Sequence[int]) -> Likeness:
    """The same for contents of which each may have near-duplicates."""
    if len(involved) < 2:
        return Likeness({}, (), {})
    condition, values = scope.of_documents()
    values = {**values, "workspace": scope.workspace, "found": bigints(involved)}
    words = {"scope": condition, "near": NEAR, "doubt": DOUBT[1], "most": _MOST_ELDERS}
    asked = await db.execute(_PAIRS.format(**words).encode(), values)
    near: dict[int, set[int]] = {}
    for content, others in await asked.fetchall():
        near.setdefault(content, set()).update(others)
        for other in others:
            near.setdefault(other, set()).add(content)
    asked = await db.execute(_DECIDED.format(**words).encode(), values)
    decided = {(row[0], row[1]): row[2] for row in await asked.fetchall()}
    asked = await db.execute(_ELDERS.format(**words).encode(), values)
    elders: dict[int, dict[int, float]] = {}
    for content, elder, distance in await asked.fetchall():
        elders.setdefault(content, {})[elder] = distance
    different = {pair for pair, same in decided.items() if not same}
    for a, b in _passed_on(pair for pair, same in decided.items() if same):
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    for a, b in different:
        near.get(a, set()).discard(b)
        near.get(b, set()).discard(a)
    return Likeness({each: own for each, own in near.items() if own}, different, elders)


def _passed_on(pairs: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """A person's `same` is passed on, as similarity is not: all pairs that follow from these."""
    groups: dict[int, set[int]] = {}
    for a, b in pairs:
        both = groups.get(a, {a}) | groups.get(b, {b})
        groups.update(dict.fromkeys(both, both))
    return {(a, b) for a, group in groups.items() for b in group if a < b}


async def first_names(
    db: Connection, scope: Scope, contents: Sequence[int]
) -> dict[int, tuple[str, str]]:
    """For each of these contents the smallest (connection, entry id) of its documents in scope."""
    condition, values = scope.of_documents()
    asked = await db.execute(
        'SELECT DISTINCT ON (d.content_id) d.content_id, c.name, d.entry_id COLLATE "C"'
        " FROM documents d JOIN connections c"
        " ON c.workspace_id = d.workspace_id AND c.id = d.connection_id"
        f" WHERE {condition} AND d.content_id = ANY(%(found)s::bigint[])"
        ' ORDER BY d.content_id, c.name COLLATE "C", d.entry_id COLLATE "C"'.encode(),
        {**values, "found": bigints(contents)},
    )
    return {row[0]: (row[1], row[2]) for row in await asked.fetchall()}
