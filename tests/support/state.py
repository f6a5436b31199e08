"""What a workspace holds, so that two histories can be compared; and what it may never hold."""

from __future__ import annotations

import struct
from typing import Any

from syncline.core.model import WorkspaceId
from syncline.store.database import Connection
from syncline.sync.near_copies import all_clusters

__all__ = ["assert_consistent", "state_of"]

_STATE = {
    "documents": """
        SELECT d.entry_id, d.state, d.title, d.url, d.tags, d.principals, d.deleted_reason,
               encode(c.hash, 'hex')
        FROM documents d JOIN contents c ON c.workspace_id = d.workspace_id AND c.id = d.content_id
        WHERE d.workspace_id = %s ORDER BY 1, 2""",
    "contents": """
        SELECT encode(hash, 'hex'), stemming, encode(chunking, 'hex'), text FROM contents
        WHERE workspace_id = %s ORDER BY 1""",
    "chunks": """
        SELECT encode(c.hash, 'hex'), k.n, k.start, k.length, encode(k.hash, 'hex'), k.headings
        FROM chunks k JOIN contents c ON c.workspace_id = k.workspace_id AND c.id = k.content_id
        WHERE k.workspace_id = %s ORDER BY 1, 2""",
    "embeddings": """
        SELECT model_id, encode(chunk_hash, 'hex'), vector::text FROM embeddings
        WHERE workspace_id = %s ORDER BY 1, 2""",
    "signatures": """
        SELECT encode(c.hash, 'hex'), s.version, s.bands, s.compared FROM content_signatures s
        JOIN contents c ON c.workspace_id = s.workspace_id AND c.id = s.content_id
        WHERE s.workspace_id = %s ORDER BY 1""",
    "pairs": """
        SELECT least(a.hash, b.hash), greatest(a.hash, b.hash), p.jaccard, p.numbers_differ
        FROM near_pairs p JOIN contents a ON a.workspace_id = p.workspace_id AND a.id = p.a
        JOIN contents b ON b.workspace_id = p.workspace_id AND b.id = p.b
        WHERE p.workspace_id = %s ORDER BY 1, 2""",
    "manifest": """
        SELECT entry_id, partition, state, reason, alias_of, version, encode(fingerprint, 'hex'),
               encode(content_hash, 'hex'), failures, gone, gone_reason
        FROM manifest WHERE workspace_id = %s ORDER BY 1""",
    "cursors": """
        SELECT partition, version, value FROM cursors WHERE workspace_id = %s ORDER BY 1""",
    "originals": """
        SELECT encode(entry_key, 'hex'), envelope::text, encode(data, 'hex') FROM originals
        WHERE workspace_id = %s ORDER BY 1""",
}

_NEVER = {
    "a chunk without its content": """
        SELECT count(*) FROM chunks k WHERE workspace_id = %s AND NOT EXISTS (
            SELECT FROM contents c
            WHERE c.workspace_id = k.workspace_id AND c.id = k.content_id)""",
    "a content without a document": """
        SELECT count(*) FROM contents c WHERE workspace_id = %s AND NOT EXISTS (
            SELECT FROM documents d WHERE d.workspace_id = c.workspace_id
            AND d.content_id = c.id)""",
    "a chunk without its embedding": """
        SELECT count(*) FROM chunks k WHERE workspace_id = %s AND NOT EXISTS (
            SELECT FROM embeddings e WHERE e.workspace_id = k.workspace_id
            AND e.chunk_hash = k.hash)""",
    "an embedding without a chunk": """
        SELECT count(*) FROM embeddings e WHERE workspace_id = %s AND NOT EXISTS (
            SELECT FROM chunks k WHERE e.workspace_id = k.workspace_id
            AND e.chunk_hash = k.hash)""",
    "a content without chunks": """
        SELECT count(*) FROM contents c WHERE workspace_id = %s AND text <> '' AND NOT EXISTS (
            SELECT FROM chunks k WHERE c.workspace_id = k.workspace_id AND c.id = k.content_id)""",
    "a content without a signature": """
        SELECT count(*) FROM contents c WHERE workspace_id = %s AND NOT EXISTS (
            SELECT FROM content_signatures s WHERE s.workspace_id = c.workspace_id
            AND s.content_id = c.id)""",
    "a content that has not been compared": """
        SELECT count(*) FROM content_signatures WHERE workspace_id = %s AND NOT compared""",
    "a band without its signature": """
        SELECT count(*) FROM content_bands b WHERE workspace_id = %s AND NOT EXISTS (
            SELECT FROM content_signatures s WHERE s.workspace_id = b.workspace_id
            AND s.content_id = b.content_id AND b.band = ANY(s.bands))""",
    "a signature without its bands": """
        SELECT count(*) FROM content_signatures s, unnest(s.bands) AS k (band)
        WHERE workspace_id = %s AND NOT EXISTS (
            SELECT FROM content_bands b WHERE b.workspace_id = s.workspace_id
            AND b.band = k.band AND b.content_id = s.content_id)""",
    "a live document without a manifest row": """
        SELECT count(*) FROM documents d WHERE workspace_id = %s AND state = 'live'
            AND NOT EXISTS (SELECT FROM manifest m WHERE m.workspace_id = d.workspace_id
            AND m.connection_id = d.connection_id AND m.entry_key = d.entry_key)""",
    "a stored entry without its document": """
        SELECT count(*) FROM manifest m WHERE workspace_id = %s AND m.state = 'stored'
            AND NOT EXISTS (SELECT FROM documents d WHERE m.workspace_id = d.workspace_id
            AND m.connection_id = d.connection_id AND m.entry_key = d.entry_key
            AND d.state = 'live')""",
    "a running run": "SELECT count(*) FROM runs WHERE workspace_id = %s AND state = 'running'",
    "a working row of a run": "SELECT count(*) FROM run_seen WHERE workspace_id = %s",
    "a batch row of a run": "SELECT count(*) FROM run_batches WHERE workspace_id = %s",
    "a pending deletion": """
        SELECT count(*) FROM manifest WHERE workspace_id = %s AND gone = 'pending'""",
}


async def _workspace(db: Connection, name: str) -> WorkspaceId:
    found = await db.execute("SELECT id FROM workspaces WHERE name = %s", (name,))
    row = await found.fetchone()
    assert row is not None
    return WorkspaceId(row[0])


async def state_of(db: Connection, workspace: str) -> dict[str, list[Any]]:
    """Everything that is to be the same whatever happened on the way. Ids and times are not."""
    workspace_id = await _workspace(db, workspace)
    state: dict[str, list[Any]] = {}
    for name, query in _STATE.items():
        found = await db.execute(query.encode(), (workspace_id,))
        state[name] = list(await found.fetchall())
    state["postings"] = await _postings(db, workspace_id)
    state["clusters"] = [
        [(copy.connection, copy.entry_id) for copy in cluster.documents]
        for cluster in await all_clusters(db, workspace_id)
    ]
    return state


async def _postings(db: Connection, workspace_id: WorkspaceId) -> list[Any]:
    """What the full-text index says of each chunk that is there, in whichever segments."""
    found = await db.execute(
        "SELECT k.id, encode(c.hash, 'hex'), k.n FROM chunks k JOIN contents c"
        " ON c.workspace_id = k.workspace_id AND c.id = k.content_id WHERE k.workspace_id = %s",
        (workspace_id,),
    )
    chunks = {number: (content, n) for number, content, n in await found.fetchall()}
    found = await db.execute(
        "SELECT term, entries FROM postings WHERE workspace_id = %s", (workspace_id,)
    )
    return sorted(
        (*chunks[entry >> 16], term, entry & 0xFFFF)
        for term, entries in await found.fetchall()
        for (entry,) in struct.iter_unpack(">q", entries)
        if entry >> 16 in chunks
    )


async def assert_consistent(db: Connection, workspace: str) -> None:
    """Nothing dangles, nothing is left over."""
    workspace_id = await _workspace(db, workspace)
    for what, query in _NEVER.items():
        found = await db.execute(query.encode(), (workspace_id,))
        row = await found.fetchone()
        assert row is not None
        assert row[0] == 0, f"{row[0]} times: {what}"
