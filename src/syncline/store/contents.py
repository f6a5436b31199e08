"""Contents, chunks and embeddings: kept once a workspace, by hash, and collected when unused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncline.core.errors import Conflict
from syncline.core.model import ContentHash, WorkspaceId
from syncline.store.binary import chunk_rows, copy_in, embedding_rows
from syncline.store.database import Connection
from syncline.store.postings import number_chunks, write_postings
from syncline.store.results import Indexed
from syncline.store.signatures import forget_signatures, write_signatures

__all__ = [
    "collect_orphans",
    "insert_embeddings",
    "known_contents",
    "known_embeddings",
    "sections_of",
    "write_contents",
    "write_embeddings",
]


async def known_contents(
    db: Connection, workspace: WorkspaceId, hashes: Sequence[ContentHash], chunking: bytes
) -> set[ContentHash]:
    """Which of these are stored with chunks of this `chunking` fingerprint."""
    found = await db.execute(
        "SELECT hash FROM contents WHERE workspace_id = %s AND hash = ANY(%s) AND chunking = %s",
        (workspace, list(hashes), chunking),
    )
    return {ContentHash(row[0]) for row in await found.fetchall()}


async def known_embeddings(
    db: Connection, workspace: WorkspaceId, model: int, hashes: Sequence[bytes]
) -> set[bytes]:
    """Which of these chunks' texts have been embedded already."""
    found = await db.execute(
        "SELECT chunk_hash FROM embeddings"
        " WHERE workspace_id = %s AND model_id = %s AND chunk_hash = ANY(%s)",
        (workspace, model, list(hashes)),
    )
    return {row[0] for row in await found.fetchall()}


async def sections_of(
    db: Connection, workspace: WorkspaceId, contents: Sequence[int]
) -> dict[int, list[tuple[bytes, tuple[str, ...]]]]:
    """The hash and headings of these contents' chunks, in order."""
    found = await db.execute(
        "SELECT content_id, hash, headings FROM chunks"
        " WHERE workspace_id = %s AND content_id = ANY(%s) ORDER BY content_id, n",
        (workspace, list(contents)),
    )
    sections: dict[int, list[tuple[bytes, tuple[str, ...]]]] = {}
    for content, chunk_hash, headings in await found.fetchall():
        sections.setdefault(content, []).append((chunk_hash, tuple(headings)))
    return sections


async def write_contents(
    db: Connection,
    workspace: WorkspaceId,
    chunking: bytes,
    wanted: Mapping[ContentHash, Indexed | None],
) -> dict[ContentHash, int]:
    """In a batch's transaction: make sure that these are stored, and lock them against collection.

    `None` stands for a content that was stored when the batch was prepared; raises `Conflict`
    where it has been collected since.
    """
    stored = await _lock(db, workspace, chunking, sorted(wanted))
    fresh = {h: i for h, i in sorted(wanted.items()) if h not in stored and i is not None}
    made = await _insert(db, workspace, chunking, fresh)
    await write_signatures(db, workspace, {c: (h, fresh[h].bands) for h, c in made.items()})
    missing = sorted(set(wanted) - set(stored) - set(made))
    if missing:  # another batch stored them while we waited for their keys
        stored |= await _lock(db, workspace, chunking, missing)
    if len(stored) + len(made) < len(wanted):
        raise Conflict("A content was collected while a batch was being prepared.")
    written = [(content, fresh[content_hash]) for content_hash, content in made.items()]
    dropped: set[bytes] = set()
    for content_hash, (content, current) in sorted(stored.items()):
        indexed = wanted[content_hash]
        if current:
            continue
        if indexed is None:
            raise Conflict("A content was chunked in another way while a batch was prepared.")
        before = await _unchunk(db, workspace, content, chunking)
        if before is not None:
            dropped |= before
            written.append((content, indexed))
    if written:
        segment, numbered = await number_chunks(
            db, workspace, [(content, i.chunks) for content, i in written]
        )
        await copy_in(
            db,
            "COPY chunks (workspace_id, content_id, n, start, length, hash, text, headings, id)"
            " FROM STDIN (FORMAT binary)",
            chunk_rows(workspace, numbered),
        )
        await write_postings(db, workspace, segment, numbered)
    await _collect_embeddings(db, workspace, sorted(dropped))
    return made | {content_hash: content for content_hash, (content, _) in stored.items()}


async def _lock(
    db: Connection, workspace: WorkspaceId, chunking: bytes, hashes: Sequence[ContentHash]
) -> dict[ContentHash, tuple[int, bool]]:
    """Those that are stored: their id, and whether they are chunked as we would."""
    found = await db.execute(
        "SELECT hash, id, chunking = %s FROM contents"
        " WHERE workspace_id = %s AND hash = ANY(%s) ORDER BY hash FOR KEY SHARE",
        (chunking, workspace, list(hashes)),
    )
    return {ContentHash(row[0]): (row[1], row[2]) for row in await found.fetchall()}


async def _insert(
    db: Connection, workspace: WorkspaceId, chunking: bytes, fresh: Mapping[ContentHash, Indexed]
) -> dict[ContentHash, int]:
    """Store new contents; those that another batch has just stored are left out of the answer."""
    if not fresh:
        return {}
    found = await db.execute(
        "INSERT INTO contents (workspace_id, hash, stemming, chunking, text)"
        " SELECT %s, hash, stemming, %s, text"
        " FROM unnest(%s::bytea[], %s::text[], %s::text[]) AS c (hash, stemming, text)"
        " ON CONFLICT (workspace_id, hash) DO NOTHING RETURNING hash, id",
        (
            workspace,
            chunking,
            list(fresh),
            [indexed.stemming for indexed in fresh.values()],
            [indexed.text for indexed in fresh.values()],
        ),
    )
    return {ContentHash(row[0]): row[1] for row in await found.fetchall()}


async def _unchunk(
    db: Connection, workspace: WorkspaceId, content: int, chunking: bytes
) -> set[bytes] | None:
    """Make room for a content's new chunks, answering the old ones' hashes.

    None where another batch has just written the new ones.
    """
    found = await db.execute(
        "UPDATE contents SET chunking = %s WHERE workspace_id = %s AND id = %s AND chunking <> %s",
        (chunking, workspace, content, chunking),
    )
    if found.rowcount == 0:
        return None
    found = await db.execute(
        "DELETE FROM chunks WHERE workspace_id = %s AND content_id = %s RETURNING hash",
        (workspace, content),
    )
    return {row[0] for row in await found.fetchall()}


async def write_embeddings(
    db: Connection,
    workspace: WorkspaceId,
    model: int,
    made: tuple[Sequence[bytes], Any],
    reused: Sequence[bytes],
) -> None:
    """In a batch's transaction: store new vectors, and lock the reused ones against collection.

    Raises `Conflict` where a reused one has been collected since the batch was prepared.
    """
    hashes, vectors = made
    await insert_embeddings(db, workspace, model, hashes, vectors)
    if reused:
        found = await db.execute(
            "SELECT chunk_hash FROM embeddings WHERE workspace_id = %s AND model_id = %s"
            " AND chunk_hash = ANY(%s) ORDER BY chunk_hash FOR KEY SHARE",
            (workspace, model, list(reused)),
        )
        if len(await found.fetchall()) < len(set(reused)):
            raise Conflict("An embedding was collected while a batch was being prepared.")


async def insert_embeddings(
    db: Connection, workspace: WorkspaceId, model: int, hashes: Sequence[bytes], vectors: Any
) -> None:
    """In a transaction: store these vectors, where none is stored yet."""
    if not hashes:
        return
    await db.execute(
        "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_embeddings"
        " (chunk_hash bytea, vector halfvec) ON COMMIT DELETE ROWS"
    )
    await copy_in(
        db,
        "COPY incoming_embeddings FROM STDIN (FORMAT binary)",
        embedding_rows(hashes, vectors),
    )
    await db.execute(
        "INSERT INTO embeddings (workspace_id, model_id, chunk_hash, vector)"
        " SELECT %s, %s, chunk_hash, vector FROM incoming_embeddings ORDER BY chunk_hash"
        " ON CONFLICT DO NOTHING",
        (workspace, model),
    )


async def collect_orphans(db: Connection, workspace: WorkspaceId, *, most: int = 1000) -> int:
    """Remove contents that no document points to any more, with chunks and embeddings.

    Looks at up to `most` candidates; answers how many candidates it looked at. What a batch
    is just using is skipped and stays a candidate.
    """
    async with db.transaction():
        found = await db.execute(
            "DELETE FROM orphan_candidates WHERE workspace_id = %s AND n IN"
            " (SELECT n FROM orphan_candidates WHERE workspace_id = %s ORDER BY n LIMIT %s"
            " FOR UPDATE SKIP LOCKED) RETURNING content_id",
            (workspace, workspace, most),
        )
        candidates = sorted({row[0] for row in await found.fetchall()})
        if not candidates:
            return 0
        found = await db.execute(
            "SELECT id FROM contents WHERE workspace_id = %s AND id = ANY(%s) ORDER BY id"
            " FOR UPDATE SKIP LOCKED",
            (workspace, candidates),
        )
        locked = [row[0] for row in await found.fetchall()]
        # A second statement, so that it sees what was committed before the locks were granted.
        found = await db.execute(
            "SELECT c.id FROM contents c WHERE workspace_id = %s AND id = ANY(%s)"
            " AND NOT EXISTS (SELECT FROM documents d"
            " WHERE d.workspace_id = c.workspace_id AND d.content_id = c.id)",
            (workspace, locked),
        )
        orphans = [row[0] for row in await found.fetchall()]
        found = await db.execute(
            "DELETE FROM chunks WHERE workspace_id = %s AND content_id = ANY(%s) RETURNING hash",
            (workspace, orphans),
        )
        hashes = sorted({row[0] for row in await found.fetchall()})
        await forget_signatures(db, workspace, orphans)
        await db.execute(
            "DELETE FROM contents WHERE workspace_id = %s AND id = ANY(%s)", (workspace, orphans)
        )
        await _collect_embeddings(db, workspace, hashes)
        return len(candidates)


async def _collect_embeddings(
    db: Connection, workspace: WorkspaceId, hashes: Sequence[bytes]
) -> None:
    if not hashes:
        return
    # What a batch reuses is locked by it, and left alone: of each model by itself.
    found = await db.execute(
        "SELECT model_id, chunk_hash FROM embeddings WHERE workspace_id = %s"
        " AND model_id = ANY(ARRAY(SELECT id FROM models)) AND chunk_hash = ANY(%s)"
        " ORDER BY chunk_hash, model_id FOR UPDATE SKIP LOCKED",
        (workspace, list(hashes)),
    )
    locked: dict[int, list[bytes]] = {}
    for model, chunk_hash in await found.fetchall():
        locked.setdefault(model, []).append(chunk_hash)
    for model, own in locked.items():
        await db.execute(
            "DELETE FROM embeddings e WHERE workspace_id = %s AND model_id = %s"
            # OFFSET keeps it a look-up for each: as a join it may read all chunks for each.
            " AND chunk_hash = ANY(%s) AND NOT EXISTS (SELECT FROM chunks c"
            " WHERE c.workspace_id = e.workspace_id AND c.hash = e.chunk_hash OFFSET 0)",
            (workspace, model, own),
        )
