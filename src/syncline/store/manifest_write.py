"""What a batch writes into the manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import astuple

from syncline.core.model import EntryKey, Json, entry_key
from syncline.store.database import Connection
from syncline.store.manifest import Known
from syncline.store.results import (
    Absent,
    Alias,
    Broken,
    Decision,
    Document,
    Filtered,
    Gone,
    Result,
    Same,
)
from syncline.store.runs import RunRef

__all__ = ["write_manifest", "write_originals"]


class _Row(Struct):
    """A manifest row as it is to be. The order of fields is that of the statements below."""

    entry_key: bytes
    entry_id: str
    partition: str
    parent: str | None
    locator: str
    state: str
    reason: str | None
    alias_of: str | None
    alias_key: bytes | None
    version: str | None
    validators: str
    checked: bool
    """Whether the source was asked for the entry itself."""
    fingerprint: bytes | None
    content_hash: bytes | None
    attributes_hash: bytes | None
    failures: int
    failure: str | None
    gone: str | None
    gone_reason: str | None


_TYPES = {
    "checked": "bool",
    "failures": "int",
    **dict.fromkeys(
        ("entry_key", "alias_key", "fingerprint", "content_hash", "attributes_hash"), "bytea"
    ),
}
_NAMES = tuple(_Row.__struct_fields__)
_UNNEST = (
    "unnest("
    + ", ".join(f"%({name})s::{_TYPES.get(name, 'text')}[]" for name in _NAMES)
    + ") AS n ("
    + ", ".join(_NAMES)
    + ")"
)
_INSERT = f"""
INSERT INTO manifest (workspace_id, connection_id, entry_key, entry_id, partition, parent, locator,
    state, reason, alias_of, alias_key, version, validators, fingerprint, content_hash,
    attributes_hash, failures, failure, gone, gone_reason, gone_since)
SELECT %(workspace)s, %(connection)s, entry_key, entry_id, partition, parent, locator::jsonb,
    state, reason, alias_of, alias_key, version, validators::jsonb, fingerprint, content_hash,
    attributes_hash, failures, failure::jsonb, gone, gone_reason, NULL
FROM {_UNNEST}
ON CONFLICT (workspace_id, connection_id, entry_key) DO NOTHING
RETURNING entry_key
"""
_UPDATE = f"""
UPDATE manifest m SET
    partition = n.partition, parent = n.parent, locator = n.locator::jsonb, state = n.state,
    reason = n.reason, alias_of = n.alias_of, alias_key = n.alias_key, version = n.version,
    validators = n.validators::jsonb,
    checked_at = CASE WHEN n.checked THEN clock_timestamp() ELSE m.checked_at END,
    fingerprint = n.fingerprint, content_hash = n.content_hash,
    attributes_hash = n.attributes_hash, failures = n.failures, failure = n.failure::jsonb,
    gone = n.gone, gone_reason = CASE WHEN n.gone IS NULL THEN NULL
        WHEN n.gone = m.gone THEN m.gone_reason ELSE n.gone_reason END,
    gone_since = CASE WHEN n.gone IS NULL THEN NULL ELSE coalesce(m.gone_since, now()) END,
    revision = m.revision + 1, written_at = clock_timestamp()
FROM {_UNNEST}
WHERE m.workspace_id = %(workspace)s AND m.connection_id = %(connection)s
    AND m.entry_key = n.entry_key AND m.entry_key = ANY(%(entry_key)s::bytea[])
"""


async def write_manifest(
    db: Connection,
    run: RunRef,
    decisions: Sequence[tuple[Result, Decision]],
    known: Mapping[EntryKey, Known],
) -> set[EntryKey]:
    """Write the rows of these results; answer the keys that another lane has just inserted."""
    new: list[_Row] = []
    changed: list[_Row] = []
    vanished: list[bytes] = []
    for result, _ in sorted(decisions, key=lambda pair: pair[0].key):
        before = known.get(result.key)
        if isinstance(result.verdict, Gone) and (before is None or not before.live):
            vanished.append(result.key)
            continue
        row = _next_row(result, before)
        if row is not None:
            (new if before is None else changed).append(row)
    ids = {"workspace": run.workspace_id, "connection": run.connection_id}
    if vanished:
        await db.execute(
            "DELETE FROM manifest WHERE workspace_id = %s AND connection_id = %s"
            " AND entry_key = ANY(%s)",
            (run.workspace_id, run.connection_id, vanished),
        )
    if changed:
        await db.execute(_UPDATE.encode(), _columns(changed) | ids)
    if not new:
        return set()
    found = await db.execute(_INSERT.encode(), _columns(new) | ids)
    inserted = {row[0] for row in await found.fetchall()}
    return {EntryKey(row.entry_key) for row in new if row.entry_key not in inserted}


def _columns(rows: Sequence[_Row]) -> dict[str, Json]:
    columns = zip(*(astuple(row) for row in rows), strict=True)
    return {name: list(values) for name, values in zip(_NAMES, columns, strict=True)}


def _next_row(result: Result, before: Known | None) -> _Row | None:
    """The row after this result; None where it stays as it is."""
    verdict = result.verdict
    row = _carried_over(result, before)
    live = before is not None and before.live
    match verdict:
        case Document():
            row.state = "stored"
            row.fingerprint = verdict.fingerprint
            row.content_hash = verdict.content_hash
            row.attributes_hash = verdict.attributes_hash
        case Same():
            if before is not None:
                row.state = before.state
                # A stored entry's reason says only that it was not listed; now it was asked for.
                row.reason = None if before.state == "stored" else before.reason
                row.alias_of = before.alias_of
                row.alias_key = _key_of(before.alias_of)
        case Filtered(belongs=True) if live:
            return None
        case Filtered():
            row.state, row.reason, row.fingerprint = "filtered", verdict.reason, verdict.fingerprint
        case Alias():
            row.state, row.alias_of, row.fingerprint = "alias", verdict.target, verdict.fingerprint
            row.reason = f"the same document as {verdict.target}"
            row.alias_key = _key_of(verdict.target)
        case Absent():
            row.state, row.reason = "absent", verdict.reason
        case Broken():
            return _failed_row(row, verdict, result, before)
        case Gone():
            row.state, row.reason = "gone", verdict.reason
    if live and row.state != "stored":
        assert before is not None
        row.gone = before.gone or "pending"
        row.gone_reason = row.reason
    return row


def _carried_over(result: Result, before: Known | None) -> _Row:
    """The row as it is after any successful look at the source."""
    return _Row(
        entry_key=result.key,
        entry_id=result.entry_id,
        partition=result.partition,
        parent=result.parent,
        locator=json.dumps(dict(result.locator)),
        state="stored",
        reason=None,
        alias_of=None,
        alias_key=None,
        version=result.version,
        validators=json.dumps(dict(result.validators)),
        checked=True,
        fingerprint=None if before is None else before.fingerprint,
        content_hash=None if before is None else before.content_hash,
        attributes_hash=None if before is None else before.attributes_hash,
        failures=0,
        failure=None,
        gone=None,
        gone_reason=None,
    )


def _failed_row(row: _Row, verdict: Broken, result: Result, before: Known | None) -> _Row:
    """A failure leaves what is stored as it is, and is remembered beside it."""
    row.failure = json.dumps(
        {"code": verdict.code, "message": verdict.message, "version": result.version}
    )
    row.checked = False
    if before is None:
        row.state, row.version, row.failures = "failed", None, 1
        row.validators = "{}"
        return row
    row.state, row.reason, row.version = before.state, before.reason, before.version
    row.alias_of, row.alias_key = before.alias_of, _key_of(before.alias_of)
    row.validators = json.dumps(dict(before.validators))
    row.failures = before.failures + 1
    row.gone = before.gone
    return row


def _key_of(entry_id: str | None) -> bytes | None:
    return None if entry_id is None else entry_key(entry_id)


async def write_originals(db: Connection, run: RunRef, results: Sequence[Result]) -> None:
    """Keep what was fetched, so that another pipeline needs no refetching."""
    kept = [
        (
            run.workspace_id,
            run.connection_id,
            r.key,
            json.dumps(r.verdict.original[0]),
            r.verdict.original[1],
        )
        for r in sorted(results, key=lambda result: result.key)
        if isinstance(r.verdict, Document) and r.verdict.original is not None
    ]
    if not kept:
        return
    async with db.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO originals (workspace_id, connection_id, entry_key, envelope, data)"
            " VALUES (%s, %s, %s, %s::jsonb, %s)"
            " ON CONFLICT (workspace_id, connection_id, entry_key)"
            " DO UPDATE SET envelope = excluded.envelope, data = excluded.data",
            kept,
        )
