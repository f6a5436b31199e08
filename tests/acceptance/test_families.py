"""Large families of near-duplicates: what is compared does not depend on who came when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from itertools import combinations, count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.core.model import WorkspaceId
from syncline.settings import Settings
from syncline.store import families
from syncline.store.database import Connection, Database
from syncline.store.families import first_places, place_of
from syncline.store.signatures import (
    Pair,
    forget_signatures,
    look_alikes,
    store_pairs,
    waiting,
    write_signatures,
)
from syncline.store.workspaces import make_workspace

_MOST = 3
_HASHES = [blake2b(bytes([n]), digest_size=32).digest() for n in range(30)]
_BANDS = [
    sorted({1, 1 + n % 2, 3 + n % 3, 10 + n // 6} | ({20} if n % 5 else set())) for n in range(30)
]
"""One band that all share, and others that fewer do."""
_numbers = count(1)

_some = st.lists(st.integers(0, len(_HASHES) - 1), unique=True, min_size=1, max_size=20)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), _some),
        st.tuples(st.just("remove"), _some),
        st.tuples(st.just("compare"), st.integers(1, 10)),
    ),
    max_size=8,
)


class _Family:
    """A workspace's signatures; every pair that is compared counts as alike."""

    def __init__(self, db: Connection, workspace: WorkspaceId) -> None:
        self.db, self.workspace = db, workspace
        self.there: dict[int, int] = {}
        """By number, the content's id."""

    async def add(self, numbers: Sequence[int]) -> None:
        async with self.db.transaction():
            made = {}
            for n in numbers:
                if n in self.there:
                    continue
                found = await self.db.execute(
                    "INSERT INTO contents (workspace_id, hash, stemming, chunking, text)"
                    " VALUES (%s, %s, 'english', '', '') RETURNING id",
                    (self.workspace, _HASHES[n]),
                )
                row = await found.fetchone()
                assert row is not None
                self.there[n] = row[0]
                made[row[0]] = (_HASHES[n], _BANDS[n])
            await write_signatures(self.db, self.workspace, made)

    async def remove(self, numbers: Sequence[int]) -> None:
        gone = [self.there.pop(n) for n in numbers if n in self.there]
        async with self.db.transaction():
            await forget_signatures(self.db, self.workspace, gone)
            await self.db.execute(
                "DELETE FROM contents WHERE workspace_id = %s AND id = ANY(%s)",
                (self.workspace, gone),
            )

    async def compare(self, most: int) -> bool:
        contents = [each.content for each in await waiting(self.db, self.workspace, most=most)]
        if contents:
            pairs, full = await look_alikes(self.db, self.workspace, contents)
            found = [Pair(a, b, 1.0, False) for a, b in sorted(pairs)]
            await store_pairs(self.db, self.workspace, contents, found, full)
        return bool(contents)

    async def pairs(self) -> set[tuple[int, int]]:
        numbers = {content: n for n, content in self.there.items()}
        found = await self.db.execute(
            "SELECT a, b, younger FROM near_pairs WHERE workspace_id = %s", (self.workspace,)
        )
        stored = set()
        for a, b, younger in await found.fetchall():
            elder = numbers[a + b - younger]
            assert place_of(_HASHES[elder]) < place_of(_HASHES[numbers[younger]])
            stored.add((min(numbers[a], numbers[b]), max(numbers[a], numbers[b])))
        return stored


def _expected(there: Sequence[int]) -> set[tuple[int, int]]:
    """Who shares a band with whom, where one of them is at a first place of it."""
    holders: dict[int, list[int]] = {}
    for n in sorted(there):
        for band in _BANDS[n]:
            holders.setdefault(band, []).append(n)
    return {
        pair
        for own in holders.values()
        for pair in combinations(own, 2)
        if min(place_of(_HASHES[n]) for n in pair) < first_places(len(own))
    }


def test_pairs_follow_from_the_contents_alone(
    server_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added, removed and compared in any order and in any parts: in the end there are the pairs
    that follow from the contents that are there, and no others."""
    monkeypatch.setattr(families, "_MOST_IN_A_BAND", _MOST)

    async def live(db: Connection, steps: Sequence[tuple[str, Any]]) -> None:
        family = _Family(db, await make_workspace(db, f"families-{next(_numbers)}"))
        for name, what in steps:
            await getattr(family, name)(what)
        while await family.compare(7):
            pass
        assert await family.pairs() == _expected(list(family.there))
        found = await db.execute(
            "SELECT count(*) FROM full_bands f WHERE f.workspace_id = %s AND (SELECT count(*)"
            " FROM content_bands b"
            " WHERE b.workspace_id = f.workspace_id AND b.band = f.band) <= %s",
            (family.workspace, _MOST),
        )
        assert await found.fetchone() == (0,)

    with asyncio.Runner() as runner:
        database = Database(server_settings)
        runner.run(database.open())
        db = runner.run(database.connect(application="families"))

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(_steps)
        def check(steps: Sequence[tuple[str, Any]]) -> None:
            runner.run(live(db, steps))

        try:
            check()
        finally:
            runner.run(db.close())
            runner.run(database.close())


def test_so_many_are_compared_with_all() -> None:
    """Each with each up to a hundred; then half of the places, a quarter, and so on."""
    spans = {n: first_places(n) for n in (1, 100, 101, 200, 201, 400, 401, 10_000)}
    assert spans[1] == spans[100] == families.ALL_PLACES
    parts = {n: (places + (1 << 63)) / (1 << 64) for n, places in spans.items() if n > 100}
    assert parts == {101: 0.5, 200: 0.5, 201: 0.25, 400: 0.25, 401: 0.125, 10_000: 1 / 128}
