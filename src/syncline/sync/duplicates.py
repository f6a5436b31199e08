"""Near-duplicates as a person meets them: pairs in doubt, one beside the other, all clusters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from difflib import unified_diff

from msgspec import Struct

from syncline.core.errors import NotHere, UsageError
from syncline.core.model import Json, WorkspaceId
from syncline.store.database import Connection
from syncline.store.documents_read import DocumentRow, find_document, text_of
from syncline.store.duplicates import (
    PairRow,
    decided_pairs,
    decision_on,
    forget_decision,
    open_pairs,
    record_decision,
    similarity_of,
)
from syncline.sync.documents import summary_of
from syncline.sync.near_copies import Cluster, all_clusters
from syncline.sync.sources import find_named

__all__ = [
    "ClusterPage",
    "DuplicatePage",
    "DuplicatePair",
    "PairView",
    "cluster_page",
    "decide",
    "duplicate_page",
    "forget",
    "pair_view",
]

_STATES = ("open", "same", "different")
_CONTEXT = 2


class DuplicatePair(Struct, frozen=True):
    """Two documents that are much alike, or that a person has said something of."""

    documents: tuple[DocumentRow, DocumentRow]
    similarity: float | None
    """What part of all runs of five words is in both; None where it is below 0.75."""
    numbers_differ: bool
    titles_differ: bool
    state: str
    """`open`, `same` or `different`."""
    decided_at: datetime | None

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "documents": [summary_of(each) for each in self.documents],
            "similarity": None if self.similarity is None else round(self.similarity, 4),
            "numbers_differ": self.numbers_differ,
            "titles_differ": self.titles_differ,
            "state": self.state,
            "decided_at": None if self.decided_at is None else self.decided_at.isoformat(),
        }


class DuplicatePage(Struct, frozen=True):
    """Some of the pairs that were asked for."""

    pairs: Sequence[DuplicatePair]
    total: int
    offset: int

    @property
    def more(self) -> bool:
        """Whether there are pairs after these."""
        return self.offset + len(self.pairs) < self.total

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "pairs": [each.as_json() for each in self.pairs],
            "total": self.total,
            "offset": self.offset,
            "more": self.more,
        }


class PairView(Struct, frozen=True):
    """Two documents side by side."""

    pair: DuplicatePair
    numbers: tuple[Sequence[str], Sequence[str]]
    """Those that only the one text, or only the other, names."""
    difference: Sequence[str]
    """Their texts as a unified diff."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return self.pair.as_json() | {
            "numbers": [list(each) for each in self.numbers],
            "difference": list(self.difference),
        }


class ClusterPage(Struct, frozen=True):
    """Some of the clusters."""

    clusters: Sequence[Cluster]
    total: int
    offset: int

    @property
    def more(self) -> bool:
        """Whether there are clusters after these."""
        return self.offset + len(self.clusters) < self.total

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "clusters": [each.as_json() for each in self.clusters],
            "total": self.total,
            "offset": self.offset,
            "more": self.more,
        }


async def duplicate_page(
    db: Connection,
    workspace: WorkspaceId,
    *,
    state: str = "open",
    connection: str | None = None,
    limit: int = 20,
    offset: int = 0,
) -> DuplicatePage:
    """A page of the pairs that wait for a person's word, or that have it.

    Raises `UsageError` for an unknown state, `NotHere` for an unknown connection.
    """
    if state not in _STATES:
        raise UsageError(
            f"There is no state {state!r}.", hint=f"The states are: {', '.join(_STATES)}."
        )
    _check_page(limit, offset)
    only = None if connection is None else (await find_named(db, workspace, connection)).id

    async def page(limit: int, offset: int) -> list[PairRow]:
        if state == "open":
            return await open_pairs(db, workspace, connection=only, limit=limit, offset=offset)
        same = state == "same"
        return await decided_pairs(
            db, workspace, same=same, connection=only, limit=limit, offset=offset
        )

    rows = await page(limit, offset)
    total = rows[0].total if rows else sum(row.total for row in await page(1, 0))
    return DuplicatePage([await _pair(db, workspace, row) for row in rows], total, offset)


def _check_page(limit: int, offset: int) -> None:
    if limit < 1 or offset < 0:
        raise UsageError("A page has at least one pair and does not begin before the first.")


async def _pair(db: Connection, workspace: WorkspaceId, row: PairRow) -> DuplicatePair:
    return DuplicatePair(
        (await find_document(db, workspace, row.a), await find_document(db, workspace, row.b)),
        row.jaccard,
        row.numbers_differ,
        row.titles_differ,
        _state(row.same),
        row.decided_at,
    )


def _state(same: bool | None) -> str:
    return "open" if same is None else "same" if same else "different"


async def pair_view(db: Connection, workspace: WorkspaceId, one: int, other: int) -> PairView:
    """Two documents side by side, whatever they have in common. Raises `NotHere`, `UsageError`."""
    from syncline.pipeline.shingles import numbers

    first, second = await _two(db, workspace, one, other)
    decided = await decision_on(db, workspace, one, other)
    texts = [(await text_of(db, workspace, each.content_id))[0] for each in (first, second)]
    mine, others = (numbers(text) for text in texts)
    pair = DuplicatePair(
        (first, second),
        await similarity_of(db, workspace, first.content_id, second.content_id),
        numbers_differ=mine != others,
        titles_differ=(first.title or "").casefold() != (second.title or "").casefold(),
        state=_state(None if decided is None else decided[0]),
        decided_at=None if decided is None else decided[1],
    )
    lines = unified_diff(
        texts[0].splitlines(),
        texts[1].splitlines(),
        first.entry_id,
        second.entry_id,
        n=_CONTEXT,
        lineterm="",
    )
    return PairView(pair, (sorted(mine - others), sorted(others - mine)), list(lines))


async def _two(
    db: Connection, workspace: WorkspaceId, one: int, other: int
) -> tuple[DocumentRow, DocumentRow]:
    if one == other:
        raise UsageError("A document cannot be compared with itself.", hint="Name two documents.")
    return await find_document(db, workspace, one), await find_document(db, workspace, other)


async def decide(
    db: Connection, workspace: WorkspaceId, one: int, other: int, *, same: bool
) -> DuplicatePair:
    """Keep a person's word on two documents, whatever they have in common.

    It stands through edits and moves for as long as both documents exist, and replaces an
    earlier one. Raises `NotHere`, `UsageError`.
    """
    await _two(db, workspace, one, other)
    if not await record_decision(db, workspace, one, other, same=same):
        raise NotHere("One of these documents has just been removed for good.")
    return (await pair_view(db, workspace, one, other)).pair


async def forget(db: Connection, workspace: WorkspaceId, one: int, other: int) -> DuplicatePair:
    """Take a person's word on two documents back: what they have in common decides again.

    Raises `NotHere` where nothing was said of them, `UsageError`.
    """
    await _two(db, workspace, one, other)
    if not await forget_decision(db, workspace, one, other):
        raise NotHere(
            f"Nobody has said whether documents {one} and {other} are the same.",
            hint="`syncline duplicates list --state same` (or different) shows what was said.",
        )
    return (await pair_view(db, workspace, one, other)).pair


async def cluster_page(
    db: Connection, workspace: WorkspaceId, *, limit: int = 20, offset: int = 0
) -> ClusterPage:
    """A page of the clusters."""
    _check_page(limit, offset)
    clusters = await all_clusters(db, workspace)
    return ClusterPage(clusters[offset : offset + limit], len(clusters), offset)
