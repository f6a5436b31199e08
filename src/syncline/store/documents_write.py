"""What a batch writes into the documents: new state swapped in, never a gap."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from syncline.core.model import EntryKey, Json, Outcome
from syncline.store.binary import array_literal, terms_literal
from syncline.store.database import Connection
from syncline.store.manifest import Known
from syncline.store.results import Decision, Document, Result
from syncline.store.runs import RunRef

__all__ = ["write_documents"]

_COLUMNS = {
    "entry_key": "bytea",
    "entry_id": "text",
    "content_id": "bigint",
    "title": "text",
    "title_terms": "text",
    "url": "text",
    "language": "text",
    "authors": "text",
    "categories": "text",
    "tags": "text",
    "properties": "text",
    "principals": "text",
    "source_created": "timestamptz",
    "source_updated": "timestamptz",
}
_UPSERT = """
INSERT INTO documents AS d (workspace_id, connection_id, entry_key, entry_id, content_id, title,
    title_terms, url, language, authors, categories, tags, properties, principals,
    source_created, source_updated, created_run, changed_run)
SELECT %(workspace)s, %(connection)s, entry_key, entry_id, content_id, title,
    title_terms::tsvector, url, language, authors::text[], categories::text[], tags::text[],
    properties::jsonb, principals::text[], source_created, source_updated, %(run)s, %(run)s
FROM unnest({arrays}) AS n ({names})
ORDER BY entry_key
ON CONFLICT (workspace_id, connection_id, entry_key) DO UPDATE SET
    content_id = excluded.content_id, title = excluded.title,
    title_terms = excluded.title_terms, url = excluded.url, language = excluded.language,
    authors = excluded.authors, categories = excluded.categories, tags = excluded.tags,
    properties = excluded.properties, principals = excluded.principals,
    source_created = excluded.source_created, source_updated = excluded.source_updated,
    created_run = CASE WHEN d.state = 'live' THEN d.created_run ELSE excluded.created_run END,
    changed_run = CASE WHEN excluded.entry_key = ANY(%(silent)s) THEN d.changed_run
                       ELSE excluded.changed_run END,
    changed_at = CASE WHEN excluded.entry_key = ANY(%(silent)s) THEN d.changed_at ELSE now() END,
    state = 'live', deleted_at = NULL, deleted_reason = NULL
""".format(
    arrays=", ".join(f"%({name})s::{kind}[]" for name, kind in _COLUMNS.items()),
    names=", ".join(_COLUMNS),
)


async def write_documents(
    db: Connection,
    run: RunRef,
    decisions: Sequence[tuple[Result, Decision]],
    contents: Mapping[bytes, int],
    known: Mapping[EntryKey, Known],
) -> None:
    """Write the documents that these decisions swap; note the contents they leave behind."""
    rows: list[tuple[Json, ...]] = []
    silent: list[bytes] = []
    created: list[bytes] = []
    left: list[int] = []
    touched: list[tuple[bytes, datetime | None]] = []
    for result, decision in decisions:
        if not isinstance(result.verdict, Document):
            continue
        if not decision.swaps:
            touched.append((result.key, result.verdict.metadata.updated_at))
            continue
        content = contents[result.verdict.content_hash]
        rows.append(_row(result, result.verdict, content))
        if decision.outcome is Outcome.UNCHANGED:
            silent.append(result.key)
        before = known.get(result.key)
        if before is None:
            created.append(result.key)
        elif before.content_id is not None and before.content_id != content:
            left.append(before.content_id)
    await _touch(db, run, touched)
    if not rows:
        return
    left += await _contents_of_tombstones(db, run, created)
    columns = dict(zip(_COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    await db.execute(
        _UPSERT.encode(),
        {
            **columns,
            "workspace": run.workspace_id,
            "connection": run.connection_id,
            "run": run.id,
            "silent": silent,
        },
    )
    if left:
        await db.execute(
            "INSERT INTO orphan_candidates (workspace_id, content_id)"
            " SELECT %s, id FROM unnest(%s::bigint[]) AS id",
            (run.workspace_id, sorted(set(left))),
        )


async def _touch(
    db: Connection, run: RunRef, touched: Sequence[tuple[bytes, datetime | None]]
) -> None:
    """Documents that are as they were, but for when the source says it last saw a change."""
    if not touched:
        return
    await db.execute(
        "UPDATE documents d SET source_updated = n.at"
        " FROM unnest(%(keys)s::bytea[], %(times)s::timestamptz[]) AS n (entry_key, at)"
        " WHERE d.workspace_id = %(workspace)s AND d.connection_id = %(connection)s"
        " AND d.entry_key = n.entry_key AND d.entry_key = ANY(%(keys)s::bytea[])"
        " AND d.source_updated IS DISTINCT FROM n.at",
        {
            "workspace": run.workspace_id,
            "connection": run.connection_id,
            "keys": [key for key, _ in touched],
            "times": [at for _, at in touched],
        },
    )


async def _contents_of_tombstones(db: Connection, run: RunRef, keys: Sequence[bytes]) -> list[int]:
    """What documents that come back from the dead pointed to."""
    found = await db.execute(
        "SELECT content_id FROM documents WHERE workspace_id = %s AND connection_id = %s"
        " AND entry_key = ANY(%s)",
        (run.workspace_id, run.connection_id, list(keys)),
    )
    return [row[0] for row in await found.fetchall()]


def _row(result: Result, verdict: Document, content: int) -> tuple[Json, ...]:
    about = verdict.metadata
    return (
        result.key,
        result.entry_id,
        content,
        about.title,
        terms_literal(verdict.title_terms),
        about.url,
        about.language,
        array_literal(about.authors),
        array_literal(about.categories),
        array_literal(about.tags),
        json.dumps(dict(about.properties)),
        None if verdict.principals is None else array_literal(verdict.principals),
        about.created_at,
        about.updated_at,
    )
