"""Documents as a person asks for them: lists, one with its text, and bringing one back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from syncline.core.errors import NotHere, UsageError
from syncline.core.model import Json, WorkspaceId
from syncline.core.urls import shown_url
from syncline.store.database import Connection
from syncline.store.documents_read import (
    DocumentRow,
    count_documents,
    find_document,
    list_documents,
    sharing_content,
    text_of,
)
from syncline.store.held import restore_document
from syncline.store.runs_read import ReportLine, last_lines_of
from syncline.sync.near_copies import NearCopy, near_copies
from syncline.sync.sources import find_named

__all__ = [
    "DocumentPage",
    "DocumentView",
    "document_page",
    "document_view",
    "restore",
    "summary_of",
]

_STATES = ("live", "held", "deleted", "all")


class DocumentPage(Struct, frozen=True):
    """Some of the documents that were asked for."""

    documents: Sequence[DocumentRow]
    total: int
    offset: int

    @property
    def more(self) -> bool:
        """Whether there are documents after these."""
        return self.offset + len(self.documents) < self.total

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "documents": [summary_of(each) for each in self.documents],
            "total": self.total,
            "offset": self.offset,
            "more": self.more,
        }


class DocumentView(Struct, frozen=True):
    """One document with everything that is known of it."""

    document: DocumentRow
    text: str
    chunks: int
    same_content: Sequence[DocumentRow]
    """Other documents that point to the same text, whatever they are called."""
    near_duplicates: Sequence[NearCopy]
    """Other documents with nearly the same text, the most alike first."""
    history: Sequence[ReportLine]
    """What the last runs had to tell about it, newest first."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        row = self.document
        return summary_of(row) | {
            "language": row.language,
            "authors": list(row.authors),
            "categories": list(row.categories),
            "properties": dict(row.properties),
            "principals": None if row.principals is None else list(row.principals),
            "source_created": _iso(row.source_created),
            "source_updated": _iso(row.source_updated),
            "created_at": _iso(row.created_at),
            "created_run": row.created_run,
            "changed_run": row.changed_run,
            "deleted_at": _iso(row.deleted_at),
            "deleted_reason": row.deleted_reason,
            "chunks": self.chunks,
            "same_content": [summary_of(each) for each in self.same_content],
            "near_duplicates": [each.as_json() for each in self.near_duplicates],
            "history": [
                {
                    "run": line.run_id,
                    "kind": line.kind,
                    "reason": line.reason,
                    "detail": line.detail,
                }
                for line in self.history
            ],
            "text": self.text,
        }


def summary_of(row: DocumentRow) -> dict[str, Json]:
    """A document in a list, in JSON."""
    return {
        "id": row.id,
        "connection": row.connection,
        "kind": row.kind,
        "entry": row.entry_id,
        "state": row.state,
        "title": row.title,
        "url": None if row.url is None else shown_url(row.url),
        "tags": list(row.tags),
        "changed_at": _iso(row.changed_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


async def document_page(
    db: Connection,
    workspace: WorkspaceId,
    *,
    connection: str | None = None,
    state: str = "live",
    tag: str | None = None,
    limit: int = 50,
    offset: int = 0,
) -> DocumentPage:
    """A page of documents, by connection and entry. Raises `UsageError` for unknown states."""
    if state not in _STATES:
        raise UsageError(
            f"There is no state {state!r}.", hint=f"The states are: {', '.join(_STATES)}."
        )
    if limit < 1 or offset < 0:
        raise UsageError("A page has at least one document and does not begin before the first.")
    only = None if connection is None else (await find_named(db, workspace, connection)).id
    total = await count_documents(db, workspace, connection=only, state=state, tag=tag)
    rows = await list_documents(
        db, workspace, connection=only, state=state, tag=tag, limit=limit, offset=offset
    )
    return DocumentPage(rows, total, offset)


async def document_view(db: Connection, workspace: WorkspaceId, document: int) -> DocumentView:
    """One document, live or deleted, with its text. Raises `NotHere`."""
    row = await find_document(db, workspace, document)
    text, chunks = await text_of(db, workspace, row.content_id)
    return DocumentView(
        row,
        text,
        chunks,
        await sharing_content(db, workspace, row),
        await near_copies(db, workspace, row.content_id),
        await last_lines_of(db, workspace, row.connection_id, row.entry_id, limit=5),
    )


async def restore(db: Connection, workspace: WorkspaceId, document: int) -> DocumentRow:
    """Bring a deleted document back; later runs do not delete it again.

    Raises `NotHere`, or `UsageError` for one that is not deleted.
    """
    row = await find_document(db, workspace, document)
    if not await restore_document(db, workspace, document):
        if row.state == "held":
            raise UsageError(
                f"Document {document} has not been deleted: its deletion is held.",
                hint=f"To keep it: `syncline deletions reject {document}`.",
            )
        try:
            await find_document(db, workspace, document)
        except NotHere as error:
            raise NotHere(f"Document {document} has just been removed for good.") from error
        raise UsageError(f"Document {document} is not deleted; there is nothing to restore.")
    return await find_document(db, workspace, document)
