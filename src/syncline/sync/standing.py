"""Why a document is there, or why it is not: where an entry stands, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from syncline.connectors.files.names import entry_id as file_entry_id
from syncline.core.errors import NotHere
from syncline.core.model import Json, WorkspaceId
from syncline.core.urls import normalise_url, shown_url
from syncline.store.connections import ConnectionRow, list_connections
from syncline.store.database import Connection
from syncline.store.documents_read import DocumentRow, find_document, find_documents
from syncline.store.manifest_read import EntryRow, find_entries, find_entries_ending
from syncline.store.results import MOST_FAILURES
from syncline.store.runs_read import ReportLine, last_lines_of, list_runs

__all__ = ["Standing", "explain"]


class Standing(Struct, frozen=True):
    """Where one entry stands."""

    entry: str
    standing: str
    """`stored`, `filtered`, `alias`, `absent`, `failed`, `dead letter`, `held`, `kept`,
    `deleted`, `gone`, `discarded` or `never listed`."""
    explanation: str
    connection: str | None = None
    document: int | None = None
    """The document to look at: its own, or, for an alias, the one that it stands for."""
    url: str | None = None
    checked_at: datetime | None = None
    """When the source was last asked for this very entry."""
    version: str | None = None
    advice: str | None = None
    decided: Sequence[ReportLine] = ()
    """What the last runs had to tell about it, newest first."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "entry": self.entry,
            "standing": self.standing,
            "explanation": self.explanation,
            "connection": self.connection,
            "document": self.document,
            "url": None if self.url is None else shown_url(self.url),
            "checked_at": None if self.checked_at is None else self.checked_at.isoformat(),
            "version": self.version,
            "advice": self.advice,
            "decided": [
                {
                    "run": line.run_id,
                    "kind": line.kind,
                    "reason": line.reason,
                    "detail": line.detail,
                }
                for line in self.decided
            ],
        }


async def explain(db: Connection, workspace: WorkspaceId, what: str) -> list[Standing]:
    """Where `what` stands: a document's id, an entry's id, a URL, or a file's path.

    Several answers where it is listed several times; one that says so where it never was.
    """
    connections = await list_connections(db, workspace)
    entries: list[EntryRow] = []
    documents: list[DocumentRow] = []
    if what.isdigit():
        documents = await _by_number(db, workspace, int(what))
    if not documents:
        names = _names(what, connections)
        entries = await find_entries(db, workspace, names)
        documents = await find_documents(db, workspace, names)
    for row in documents:
        if not _covered(row, entries):
            entries += await find_entries(
                db, workspace, [row.entry_id], connection=row.connection_id
            )
    tombstones = [row for row in documents if not _covered(row, entries)]
    if not entries and not tombstones:
        entries = await find_entries_ending(db, workspace, what)
    standings = [await _of_entry(db, workspace, entry) for entry in entries]
    standings += [await _of_tombstone(db, workspace, row) for row in tombstones]
    return standings or [await _never_listed(db, workspace, what, connections)]


async def _by_number(db: Connection, workspace: WorkspaceId, number: int) -> list[DocumentRow]:
    try:
        return [await find_document(db, workspace, number)]
    except NotHere:
        return []


def _covered(row: DocumentRow, entries: Sequence[EntryRow]) -> bool:
    return any(e.connection_id == row.connection_id and e.entry_id == row.entry_id for e in entries)


def _names(what: str, connections: Sequence[ConnectionRow]) -> list[str]:
    """The ids that an entry of this name may have."""
    names = [what]
    try:
        names.append(normalise_url(what))
    except ValueError:
        names.extend(_as_file(what, connections))
    return list(dict.fromkeys(names))


def _as_file(what: str, connections: Sequence[ConnectionRow]) -> list[str]:
    """The ids of a path in the folders that are synced."""
    path = Path(what.removeprefix("file://")).expanduser().resolve()
    found = [path.as_uri()]
    for row in connections:
        root = Path(row.source)
        if row.kind == "files" and path == root:
            found.append(file_entry_id(path.name))
        elif row.kind == "files" and path.is_relative_to(root):
            found.append(file_entry_id(path.relative_to(root).as_posix()))
    return found


async def _of_entry(db: Connection, workspace: WorkspaceId, entry: EntryRow) -> Standing:
    standing, explanation, advice = _judged(entry)
    return Standing(
        entry=entry.entry_id,
        standing=standing,
        explanation=explanation,
        connection=entry.connection,
        document=entry.alias_document if entry.state == "alias" else entry.document,
        url=entry.url,
        checked_at=entry.checked_at,
        version=entry.version,
        advice=advice,
        decided=await last_lines_of(db, workspace, entry.connection_id, entry.entry_id, limit=5),
    )


def _judged(entry: EntryRow) -> tuple[str, str, str | None]:
    """Standing, explanation and advice."""
    reason = entry.reason or "the connector did not say why"
    live = entry.document_state == "live"
    again = f"`syncline sync {entry.connection}` reads it again."
    if live and entry.gone == "held":
        held = entry.gone_reason or reason
        return (
            "held",
            f"It is still found, but is to be deleted: {held}. The guard asks a person first.",
            f"Decide with `syncline deletions approve {entry.document}`, or reject.",
        )
    if live and entry.gone == "kept":
        kept = entry.gone_reason or reason
        return "kept", f"It is found, and kept although the source would let it go: {kept}.", None
    if entry.failures and (entry.failure or {}).get("discarded"):
        return (
            "discarded",
            f"A person has discarded it after {entry.failures} tries: {_failure(entry)}."
            + (" Its last good version is found." if live else ""),
            f"`syncline dead-letters retry {entry.entry_id}` tries it again.",
        )
    if entry.failures >= MOST_FAILURES:
        return (
            "dead letter",
            f"It failed {entry.failures} times{_until(entry)}: {_failure(entry)}."
            + (" Its last good version is found." if live else ""),
            f"Mend it; then `syncline dead-letters retry {entry.entry_id}` tries it again.",
        )
    if entry.failures:
        return (
            "failed",
            f"It could not be read ({entry.failures} of {MOST_FAILURES} tries): "
            f"{_failure(entry)}." + (" Its last good version is found." if live else ""),
            again,
        )
    match entry.state:
        case "stored":
            but = f"; it is {entry.reason}" if entry.reason else ""
            return "stored", f"It is in the knowledge base, as the source last gave it{but}.", None
        case "filtered":
            advice = "`syncline sync --help` lists the filters; --clear-filter forgets them."
            still = " What was read of it before is still found." if live else ""
            return "filtered", f"It is listed, but left out: {reason}.{still}", advice
        case "alias":
            return "alias", f"It is another address of {entry.alias_of}, found under that.", None
        case "absent":
            return "absent", f"The source lists it, but does not have it: {reason}.", again
        case _:
            return "gone", f"The source no longer has it: {reason}.", None


def _until(entry: EntryRow) -> str:
    # Whether it has changed shows in its version, if it has one.
    has_version = (entry.failure or {}).get("version") is not None
    return " and is not tried again until it changes" if has_version else ""


def _failure(entry: EntryRow) -> str:
    return str((entry.failure or {}).get("message") or "for an unknown reason").rstrip(".")


async def _of_tombstone(db: Connection, workspace: WorkspaceId, row: DocumentRow) -> Standing:
    when = f" on {row.deleted_at:%Y-%m-%d at %H:%M} UTC" if row.deleted_at else ""
    return Standing(
        entry=row.entry_id,
        standing="deleted",
        explanation=f"It was deleted{when}: {row.deleted_reason or 'no longer listed'}.",
        connection=row.connection,
        document=row.id,
        url=row.url,
        advice=f"`syncline documents restore {row.id}` brings it back.",
        decided=await last_lines_of(db, workspace, row.connection_id, row.entry_id, limit=5),
    )


async def _never_listed(
    db: Connection, workspace: WorkspaceId, what: str, connections: Sequence[ConnectionRow]
) -> Standing:
    if not connections:
        advice = "`syncline sync SOURCE` makes a connection."
        return Standing(what, "never listed", "Nothing has been synced yet.", advice=advice)
    parts = []
    for row in connections:
        runs = await list_runs(db, workspace, connection=row.id, limit=20)
        done = next((run for run in runs if run.state == "done"), None)
        when = f"last read {done.started_at:%Y-%m-%d %H:%M} UTC" if done else "never read"
        parts.append(f"{row.name} ({when})")
    return Standing(
        what,
        "never listed",
        f"No source has listed it: {', '.join(parts)}.",
        advice=_advice_for_missing(what, connections),
    )


def _advice_for_missing(what: str, connections: Sequence[ConnectionRow]) -> str:
    path = Path(what).expanduser().resolve()
    if "://" not in what and path.exists():
        for row in connections:
            if row.kind == "files" and path.is_relative_to(Path(row.source)):
                return (
                    f"It lies in {row.source}: sync {row.name} again; otherwise it is hidden, a "
                    "link out of that folder, or excluded by the connection's options."
                )
        return f"It lies in no synced folder; `syncline sync {path.parent}` would read it."
    return "Check the spelling, and whether the source lists it; then sync again."
