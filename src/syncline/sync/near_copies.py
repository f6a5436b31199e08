"""The near-duplicates of one document, and how many there are of all."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from syncline.core.model import Json, WorkspaceId
from syncline.store.database import Connection
from syncline.store.duplicates import (
    Copy,
    contents_with_near_duplicates,
    copies_of,
    open_pairs,
    similar_contents,
)
from syncline.store.near import likenesses, likenesses_among
from syncline.store.search_scope import Scope
from syncline.sync.near_groups import gather

__all__ = ["Cluster", "NearCopies", "NearCopy", "all_clusters", "count_near", "near_copies"]

_MOST = 20


class Cluster(Struct, frozen=True):
    """Documents that search shows as one hit, the canonical one first."""

    documents: Sequence[Copy]

    def as_json(self) -> list[dict[str, Json]]:
        """The documented fields of each."""
        return [summary_of_copy(each) for each in self.documents]


class NearCopy(Struct, frozen=True):
    """A live document that nearly repeats another."""

    copy: Copy
    similarity: float | None
    """What part of all runs of five words is in both; None where a person has joined them."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        similarity = None if self.similarity is None else round(self.similarity, 4)
        return summary_of_copy(self.copy) | {"similarity": similarity}


class NearCopies(Struct, frozen=True):
    """How many near-duplicates a workspace has."""

    clusters: int
    documents: int
    """In these clusters."""
    open: int
    """Pairs that wait for a person's word."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {"clusters": self.clusters, "documents": self.documents, "open": self.open}


def summary_of_copy(copy: Copy) -> dict[str, Json]:
    """A document among its near-duplicates, in JSON."""
    return {
        "id": copy.id,
        "connection": copy.connection,
        "entry": copy.entry_id,
        "title": copy.title,
    }


async def all_clusters(db: Connection, workspace: WorkspaceId) -> list[Cluster]:
    """Every cluster of near-duplicates, by its canonical document.

    Which ones there are follows from the documents and from what people have said alone.
    """
    contents = await contents_with_near_duplicates(db, workspace)
    copies = await copies_of(db, workspace, contents)
    ordered = sorted(copies, key=lambda content: _place(copies[content][0]))
    everything = Scope(workspace, principals=None)
    groups = gather(ordered, await likenesses_among(db, everything, ordered))
    return [
        Cluster(sorted((copy for content in group for copy in copies[content]), key=_place))
        for group in groups
        if len(group) > 1
    ]


def _place(copy: Copy) -> tuple[str, str]:
    return copy.connection, copy.entry_id


async def count_near(db: Connection, workspace: WorkspaceId) -> NearCopies:
    """The clusters, what is in them, and the pairs in doubt."""
    clusters = await all_clusters(db, workspace)
    waiting = await open_pairs(db, workspace, connection=None, limit=1, offset=0)
    return NearCopies(
        len(clusters),
        sum(len(each.documents) for each in clusters),
        waiting[0].total if waiting else 0,
    )


async def near_copies(db: Connection, workspace: WorkspaceId, content: int) -> list[NearCopy]:
    """Live documents that nearly repeat this content, the most alike first; twenty at most.

    Those that a person has called different are none; those called the same are, however little
    they have in common.
    """
    similar = await similar_contents(db, workspace, content, most=_MOST)
    likeness = await likenesses(db, Scope(workspace, principals=None), [content, *similar])
    near = likeness.near.get(content, ())
    copies = await copies_of(db, workspace, sorted(near))
    found = [NearCopy(copy, similar.get(other)) for other, own in copies.items() for copy in own]
    found.sort(key=lambda each: (-(each.similarity or 0.0), _place(each.copy)))
    return found[:_MOST]
