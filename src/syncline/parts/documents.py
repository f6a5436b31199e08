"""`kb.documents`, `kb.deletions`, `kb.duplicates`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncline.parts import Part

if TYPE_CHECKING:
    from syncline.sync.deletions import Decided, HeldGroup
    from syncline.sync.documents import DocumentPage, DocumentView
    from syncline.sync.duplicates import ClusterPage, DuplicatePage, DuplicatePair, PairView
    from syncline.sync.standing import Standing

__all__ = ["Deletions", "Documents", "Duplicates"]


class Documents(Part):
    """A workspace's documents: `kb.documents`."""

    async def list(
        self,
        *,
        connection: str | None = None,
        state: str = "live",
        tag: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> DocumentPage:
        """A page of documents, by connection and entry; `state`: live, held, deleted or all."""
        from syncline.sync.documents import document_page

        async with self._client.session() as (db, workspace):
            return await document_page(
                db,
                workspace,
                connection=connection,
                state=state,
                tag=tag,
                limit=limit,
                offset=offset,
            )

    async def show(self, document: int) -> DocumentView:
        """One document with its text, live or deleted. Raises `NotHere`."""
        from syncline.sync.documents import document_view

        async with self._client.session() as (db, workspace):
            return await document_view(db, workspace, document)

    async def why(self, what: str | int) -> Sequence[Standing]:
        """Where a document's id, an entry's id, a URL or a path stands."""
        from syncline.sync.standing import explain

        async with self._client.session() as (db, workspace):
            return await explain(db, workspace, str(what))

    async def restore(self, document: int) -> DocumentView:
        """Bring a deleted document back; later runs do not delete it again."""
        from syncline.sync.documents import document_view, restore

        async with self._client.session() as (db, workspace):
            await restore(db, workspace, document)
            return await document_view(db, workspace, document)


class Deletions(Part):
    """What the guard holds: `kb.deletions`."""

    async def list(self, connection: str | None = None) -> Sequence[HeldGroup]:
        """Everything that waits for a person's word, by connection."""
        from syncline.sync.deletions import held_groups

        async with self._client.session() as (db, workspace):
            return await held_groups(db, workspace, connection)

    async def approve(self, *what: str | int) -> Decided:
        """Delete what is held: of these connections, or these documents."""
        from syncline.sync.deletions import approve

        async with self._client.session() as (db, workspace):
            return await approve(db, workspace, what)

    async def reject(self, *what: str | int) -> Decided:
        """Keep what is held: of these connections, or these documents."""
        from syncline.sync.deletions import reject

        async with self._client.session() as (db, workspace):
            return await reject(db, workspace, what)


class Duplicates(Part):
    """Documents that are much alike, and a person's word on them: `kb.duplicates`."""

    async def list(
        self,
        *,
        state: str = "open",
        connection: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> DuplicatePage:
        """A page of the pairs that wait for a word (`open`), or are called same or different."""
        from syncline.sync.duplicates import duplicate_page

        async with self._client.session() as (db, workspace):
            return await duplicate_page(
                db, workspace, state=state, connection=connection, limit=limit, offset=offset
            )

    async def show(self, document: int, other: int) -> PairView:
        """Two documents side by side. Raises `NotHere`, `UsageError`."""
        from syncline.sync.duplicates import pair_view

        async with self._client.session() as (db, workspace):
            return await pair_view(db, workspace, document, other)

    async def same(self, document: int, other: int) -> DuplicatePair:
        """Say that two documents are the same: search shows them as one hit."""
        from syncline.sync.duplicates import decide

        async with self._client.session() as (db, workspace):
            return await decide(db, workspace, document, other, same=True)

    async def different(self, document: int, other: int) -> DuplicatePair:
        """Say that two documents are not the same, however alike: search shows both."""
        from syncline.sync.duplicates import decide

        async with self._client.session() as (db, workspace):
            return await decide(db, workspace, document, other, same=False)

    async def forget(self, document: int, other: int) -> DuplicatePair:
        """Take back what was said of two documents. Raises `NotHere` where nothing was."""
        from syncline.sync.duplicates import forget

        async with self._client.session() as (db, workspace):
            return await forget(db, workspace, document, other)

    async def clusters(self, *, limit: int = 20, offset: int = 0) -> ClusterPage:
        """A page of the clusters of near-duplicates, by their canonical documents."""
        from syncline.sync.duplicates import cluster_page

        async with self._client.session() as (db, workspace):
            return await cluster_page(db, workspace, limit=limit, offset=offset)
