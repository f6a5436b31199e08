"""What near-duplicates are found by: the bands of each content, and the pairs that came of them.

A batch writes the signatures of the contents that it brings. At the end of a run the contents
that wait are compared with all that share a band with them, in steps that may be done twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from syncline.core.failpoints import Failpoint, hit
from syncline.core.model import WorkspaceId
from syncline.core.prepared import SIGNATURE_VERSION
from syncline.store.binary import copy_in, signature_rows
from syncline.store.database import Connection
from syncline.store.families import (
    ALL_PLACES,
    FirstPlaces,
    compare_alone,
    count_bands,
    first_places,
    full_bands_of,
    note_fuller,
    note_smaller,
    place_of,
)

__all__ = [
    "Pair",
    "Waiting",
    "forget_signatures",
    "look_alikes",
    "sign",
    "store_pairs",
    "texts_of",
    "waiting",
    "write_signatures",
]


class Pair(Struct, frozen=True):
    """Two contents that are much alike; the lower id first."""

    a: int
    b: int
    jaccard: float
    numbers_differ: bool


class Waiting(Struct, frozen=True):
    """A content that has not been compared yet."""

    content: int
    signed: bool
    """False where it came before there were signatures of today's kind."""


async def write_signatures(
    db: Connection, workspace: WorkspaceId, bands: Mapping[int, tuple[bytes, Sequence[int]]]
) -> None:
    """In the transaction that brings these contents, given by their hashes and bands, which
    nobody else can see yet."""
    if not bands:
        return
    signatures = [(content, place_of(digest), own) for content, (digest, own) in bands.items()]
    await copy_in(
        db,
        "COPY content_signatures (workspace_id, content_id, place, version, compared, bands)"
        " FROM STDIN (FORMAT binary)",
        signature_rows(workspace, SIGNATURE_VERSION, sorted(signatures)),
    )
    await _spread(db, workspace, sorted(bands))


async def _spread(db: Connection, workspace: WorkspaceId, contents: Sequence[int]) -> None:
    await db.execute(
        "INSERT INTO content_bands (workspace_id, band, content_id, place)"
        " SELECT workspace_id, unnest(bands), content_id, place FROM content_signatures"
        " WHERE workspace_id = %s AND content_id = ANY(%s)",
        (workspace, list(contents)),
    )


async def forget_signatures(
    db: Connection, workspace: WorkspaceId, contents: Sequence[int]
) -> None:
    """In the transaction that removes these contents; their pairs go too."""
    if not contents:
        return
    await compare_alone(db, workspace)
    await _lock(db, workspace, contents)
    bands = await full_bands_of(db, workspace, contents)
    await _gather(db, workspace, contents)
    await db.execute(
        "DELETE FROM content_signatures WHERE workspace_id = %s AND content_id = ANY(%s)",
        (workspace, list(contents)),
    )
    await note_smaller(db, workspace, bands)


async def _lock(db: Connection, workspace: WorkspaceId, contents: Sequence[int]) -> set[int]:
    """Those that are still there, in one order, so that nobody waits for each other."""
    found = await db.execute(
        "SELECT content_id FROM content_signatures WHERE workspace_id = %s"
        " AND content_id = ANY(%s) ORDER BY content_id FOR UPDATE",
        (workspace, sorted(contents)),
    )
    return {row[0] for row in await found.fetchall()}


async def _gather(db: Connection, workspace: WorkspaceId, contents: Sequence[int]) -> None:
    # Each row by its whole key. A join would be free to read all bands of the workspace for each
    # content, and does where the statistics do not know the workspace yet.
    await db.execute(
        "DELETE FROM content_bands WHERE ctid = ANY(ARRAY("
        "SELECT (SELECT b.ctid FROM content_bands b WHERE b.workspace_id = %(workspace)s"
        " AND b.band = s.band AND b.place = s.place AND b.content_id = s.content_id)"
        " FROM (SELECT content_id, place, unnest(bands) AS band FROM content_signatures"
        " WHERE workspace_id = %(workspace)s AND content_id = ANY(%(contents)s)) s))",
        {"workspace": workspace, "contents": list(contents)},
    )


async def waiting(db: Connection, workspace: WorkspaceId, *, most: int) -> list[Waiting]:
    """Contents that have not been compared, by id."""
    found = await db.execute(
        "SELECT content_id, version = %s FROM content_signatures"
        " WHERE workspace_id = %s AND NOT compared ORDER BY content_id LIMIT %s",
        (SIGNATURE_VERSION, workspace, most),
    )
    return [Waiting(*row) for row in await found.fetchall()]


async def texts_of(
    db: Connection, workspace: WorkspaceId, contents: Sequence[int]
) -> dict[int, str]:
    """The texts of those of these contents that are there."""
    found = await db.execute(
        "SELECT id, text FROM contents WHERE workspace_id = %s AND id = ANY(%s)",
        (workspace, list(contents)),
    )
    return dict(await found.fetchall())


async def sign(db: Connection, workspace: WorkspaceId, bands: Mapping[int, Sequence[int]]) -> None:
    """Replace the signatures of contents that are there, and let them wait."""
    async with db.transaction():
        await compare_alone(db, workspace)
        there = sorted(await _lock(db, workspace, list(bands)))
        before = await full_bands_of(db, workspace, there)
        await _gather(db, workspace, there)
        await db.execute(
            "UPDATE content_signatures s SET version = %(version)s, compared = n.bands = '{}',"
            " bands = n.bands::bigint[]"
            " FROM unnest(%(contents)s::bigint[], %(bands)s::text[]) AS n (content_id, bands)"
            " WHERE s.workspace_id = %(workspace)s AND s.content_id = n.content_id",
            {
                "version": SIGNATURE_VERSION,
                "workspace": workspace,
                "contents": there,
                "bands": ["{" + ",".join(map(str, bands[content])) + "}" for content in there],
            },
        )
        await _spread(db, workspace, there)
        await note_smaller(db, workspace, before)


async def look_alikes(
    db: Connection, workspace: WorkspaceId, contents: Sequence[int]
) -> tuple[set[tuple[int, int]], FirstPlaces]:
    """The pairs that are to be compared for these contents, the lower id first; and, for bands
    that are too full to compare each with each, with which places they are compared instead."""
    found = await db.execute(
        # Most bands have one holder, and are done with here.
        "SELECT b.band, count(*) FROM content_bands b WHERE b.workspace_id = %(workspace)s"
        " AND b.band = ANY(ARRAY(SELECT unnest(bands) FROM content_signatures"
        " WHERE workspace_id = %(workspace)s AND content_id = ANY(%(contents)s)))"
        " GROUP BY b.band HAVING count(*) > 1",
        {"contents": list(contents), "workspace": workspace},
    )
    shared = {band: first_places(count) for band, count in await found.fetchall()}
    if not shared:
        return set(), {}
    found = await db.execute(
        "WITH mine AS MATERIALIZED (SELECT content_id, place, unnest(bands) AS band"
        " FROM content_signatures WHERE workspace_id = %(workspace)s"
        " AND content_id = ANY(%(contents)s))"
        " SELECT DISTINCT least(m.content_id, o.content_id), greatest(m.content_id, o.content_id)"
        " FROM mine m JOIN unnest(%(bands)s::bigint[], %(places)s::bigint[]) AS s (band, places)"
        " ON s.band = m.band"
        " CROSS JOIN LATERAL (SELECT b.content_id FROM content_bands b"
        " WHERE b.workspace_id = %(workspace)s AND b.band = m.band AND b.place <="
        f" CASE WHEN m.place < s.places THEN {ALL_PLACES} ELSE s.places - 1 END) o"
        " WHERE o.content_id <> m.content_id",
        {
            "contents": list(contents),
            "workspace": workspace,
            "bands": list(shared),
            "places": list(shared.values()),
        },
    )
    pairs = {(row[0], row[1]) for row in await found.fetchall()}
    return pairs, {band: places for band, places in shared.items() if places != ALL_PLACES}


async def store_pairs(
    db: Connection,
    workspace: WorkspaceId,
    compared: Sequence[int],
    pairs: Sequence[Pair],
    full: FirstPlaces,
) -> None:
    """These contents have been compared, with this outcome; `full` is what `look_alikes` said.

    Whoever has brought another content meanwhile, and could not be seen, will compare it with
    these. Contents that have gone meanwhile are left out. Where a full band is another one
    meanwhile, nothing is stored, and the contents wait on.
    """
    concerned = {*compared, *(pair.a for pair in pairs), *(pair.b for pair in pairs)}
    async with db.transaction():
        await compare_alone(db, workspace)
        if full and await count_bands(db, workspace, list(full)) != full:
            return
        there = await _lock(db, workspace, sorted(concerned))
        stored = [pair for pair in pairs if pair.a in there and pair.b in there]
        await db.execute(
            "INSERT INTO near_pairs (workspace_id, a, b, jaccard, numbers_differ, younger,"
            " elder_place) SELECT %(workspace)s, p.a, p.b, p.jaccard, p.differ,"
            " CASE WHEN a.place < b.place THEN p.b ELSE p.a END, least(a.place, b.place)"
            " FROM unnest(%(a)s::bigint[], %(b)s::bigint[], %(jaccard)s::float8[],"
            " %(differ)s::boolean[]) AS p (a, b, jaccard, differ)"
            " JOIN content_signatures a ON a.workspace_id = %(workspace)s AND a.content_id = p.a"
            " JOIN content_signatures b ON b.workspace_id = %(workspace)s AND b.content_id = p.b"
            " ON CONFLICT DO NOTHING",
            {
                "workspace": workspace,
                "a": [pair.a for pair in stored],
                "b": [pair.b for pair in stored],
                "jaccard": [pair.jaccard for pair in stored],
                "differ": [pair.numbers_differ for pair in stored],
            },
        )
        await db.execute(
            "UPDATE content_signatures SET compared = true"
            " WHERE workspace_id = %s AND content_id = ANY(%s)",
            (workspace, sorted(there & set(compared))),
        )
        await note_fuller(db, workspace, full)
        hit(Failpoint.PAIRS_BEFORE_COMMIT)
    hit(Failpoint.PAIRS_COMMITTED)
