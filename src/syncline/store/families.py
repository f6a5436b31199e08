"""Large families: which of the contents that share a band are compared, when they are many.

Boilerplate by the thousand is not compared each with each, but with those at the first places: by
their hashes, so that it is no matter when they came. Which pairs there are follows from the
contents alone. With each doubling of a band half as many of its places are first ones, and pairs
between others go; when it shrinks, those that become first ones again wait to be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection

__all__ = [
    "ALL_PLACES",
    "FirstPlaces",
    "compare_alone",
    "count_bands",
    "first_places",
    "full_bands_of",
    "note_fuller",
    "note_smaller",
    "place_of",
]

FirstPlaces: TypeAlias = Mapping[int, int]
"""For full bands, the place below which contents are compared with all others."""

ALL_PLACES = (1 << 63) - 1
_LEAST_PLACE = -(1 << 63)
_MOST_IN_A_BAND = 100
"""So many are compared each with each; of more, 50 to 100 with all, as hashes fall."""
_LOCK = "hashtextextended('syncline families ' || %s::bigint, 0)"


def place_of(digest: bytes) -> int:
    """A content's place in the order of all, from its hash: any of 2**64."""
    return int.from_bytes(digest[:8], "big", signed=True)


def first_places(count: int) -> int:
    """Below which place the contents of a band of so many are compared with all others."""
    halvings = (-(-count // _MOST_IN_A_BAND) - 1).bit_length()
    return ALL_PLACES if halvings == 0 else _LEAST_PLACE + (1 << (64 - halvings))


async def compare_alone(db: Connection, workspace: WorkspaceId) -> None:
    """In a transaction: nobody else stores pairs or removes contents until it ends."""
    await db.execute(f"SELECT pg_advisory_xact_lock({_LOCK})".encode(), (workspace,))


async def count_bands(
    db: Connection, workspace: WorkspaceId, bands: Sequence[int]
) -> dict[int, int]:
    """The first places of those of these bands that have contents."""
    found = await db.execute(
        "SELECT band, count(*) FROM content_bands WHERE workspace_id = %s AND band = ANY(%s)"
        " GROUP BY band",
        (workspace, list(bands)),
    )
    return {band: first_places(count) for band, count in await found.fetchall()}


async def full_bands_of(
    db: Connection, workspace: WorkspaceId, contents: Sequence[int]
) -> dict[int, int]:
    """The full bands that these contents share with others, as they have been compared."""
    found = await db.execute(
        "SELECT f.band, f.first_places FROM full_bands f WHERE f.workspace_id = %(workspace)s"
        " AND f.band = ANY(ARRAY(SELECT unnest(bands) FROM content_signatures"
        " WHERE workspace_id = %(workspace)s AND content_id = ANY(%(contents)s)))",
        {"workspace": workspace, "contents": list(contents)},
    )
    return dict(await found.fetchall())


async def note_fuller(db: Connection, workspace: WorkspaceId, full: FirstPlaces) -> None:
    """These bands have fewer first places, or are new: pairs that nothing else asks for go."""
    if not full:
        return
    found = await db.execute(
        "SELECT band, first_places FROM full_bands WHERE workspace_id = %s AND band = ANY(%s)",
        (workspace, list(full)),
    )
    before: dict[int, int] = dict(await found.fetchall())
    fuller = {b: p for b, p in full.items() if p < before.get(b, ALL_PLACES)}
    if not fuller:
        return
    await db.execute(
        "INSERT INTO full_bands (workspace_id, band, first_places)"
        " SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[])"
        " ON CONFLICT (workspace_id, band) DO UPDATE SET first_places = excluded.first_places",
        (workspace, list(fuller), list(fuller.values())),
    )
    found = await db.execute(
        "SELECT DISTINCT b.content_id FROM unnest(%(bands)s::bigint[], %(now)s::bigint[],"
        " %(before)s::bigint[]) AS f (band, now, before) JOIN content_bands b"
        " ON b.workspace_id = %(workspace)s AND b.band = f.band"
        " AND b.place >= f.now AND b.place <= f.before",
        {
            "workspace": workspace,
            "bands": list(fuller),
            "now": list(fuller.values()),
            "before": [before.get(band, ALL_PLACES) for band in fuller],
        },
    )
    await _drop_pairs(db, workspace, [row[0] for row in await found.fetchall()])


async def _drop_pairs(db: Connection, workspace: WorkspaceId, contents: Sequence[int]) -> None:
    """Remove the pairs of these contents that no band asks for any more."""
    await db.execute(
        "DELETE FROM near_pairs p USING (SELECT a, b FROM near_pairs"
        " WHERE workspace_id = %(workspace)s AND a = ANY(%(contents)s)"
        " UNION SELECT a, b FROM near_pairs"
        " WHERE workspace_id = %(workspace)s AND b = ANY(%(contents)s)) AS q"
        " WHERE p.workspace_id = %(workspace)s AND p.a = q.a AND p.b = q.b"
        " AND NOT EXISTS (SELECT FROM content_signatures x, content_signatures y,"
        " unnest(x.bands) AS k (band)"
        " WHERE x.workspace_id = %(workspace)s AND x.content_id = q.a"
        " AND y.workspace_id = %(workspace)s AND y.content_id = q.b AND k.band = ANY(y.bands)"
        " AND least(x.place, y.place) < coalesce((SELECT f.first_places FROM full_bands f"
        f" WHERE f.workspace_id = %(workspace)s AND f.band = k.band), {ALL_PLACES}))",
        {"workspace": workspace, "contents": list(contents)},
    )


async def note_smaller(db: Connection, workspace: WorkspaceId, before: FirstPlaces) -> None:
    """These full bands have lost contents: who has a first place now waits to be compared."""
    if not before:
        return
    now = await count_bands(db, workspace, list(before))
    for band, places in sorted(before.items()):
        first = now.get(band, ALL_PLACES)
        if first <= places:
            continue
        if first == ALL_PLACES:
            await db.execute(
                "DELETE FROM full_bands WHERE workspace_id = %s AND band = %s", (workspace, band)
            )
        else:
            await db.execute(
                "UPDATE full_bands SET first_places = %s WHERE workspace_id = %s AND band = %s",
                (first, workspace, band),
            )
        await db.execute(
            "UPDATE content_signatures SET compared = false WHERE workspace_id = %(workspace)s"
            " AND compared AND content_id = ANY(ARRAY(SELECT content_id FROM content_bands"
            " WHERE workspace_id = %(workspace)s AND band = %(band)s"
            " AND place >= %(before)s AND place <= %(now)s))",
            {"workspace": workspace, "band": band, "before": places, "now": first},
        )
