"""A database from before the postings is found in as well as one that was made with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from syncline.core.model import WorkspaceId
from syncline.embedders.hashing import HashingEmbedder
from syncline.settings import Settings
from syncline.store import schema
from syncline.store.database import Database
from syncline.store.embedded import EmbeddedServer
from syncline.sync.search import SearchRequest, search
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for

_FIRST = Path(schema.__file__).parent / "migrations/versions/0001_first_tables.sql"
_ROWS = """
INSERT INTO workspaces (name) VALUES ('default');
INSERT INTO connections (workspace_id, kind, name, source, options, options_version)
    VALUES (1, 'files', 'old', '/old', '{}', 1);
INSERT INTO contents (workspace_id, id, hash, stemming, chunking, text)
    SELECT 1, n, sha256(n::text::bytea), 'english', '', '' FROM generate_series(1, 3) AS n;
INSERT INTO chunks (workspace_id, content_id, n, start, length, hash, text, headings, terms)
    SELECT 1, content, n, 0, 8, sha256((content || ',' || n)::bytea), 'rotate the key', '{}',
        (CASE WHEN content = 2 AND n = 17 THEN 'rotat:3B key:1' ELSE 'other:1' END)::tsvector
    FROM generate_series(1, 3) AS content, generate_series(0, 19) AS n;
INSERT INTO documents (workspace_id, connection_id, entry_key, entry_id, content_id, title_terms,
    created_run, changed_run)
    SELECT 1, 1, sha256(n::text::bytea), 'page-' || n, n, '', 1, 1 FROM generate_series(1, 3) AS n;
"""


@pytest.fixture
async def old_settings() -> AsyncIterator[Settings]:
    """Of a bundled server whose schema is the first one, with rows."""
    folder = make_data_folder()
    settings = settings_for(folder, embedder="hashing")
    async with EmbeddedServer(settings) as address:
        parameters = psycopg.conninfo.make_conninfo(**address.parameters("owner"))
        async with await psycopg.AsyncConnection.connect(parameters, autocommit=True) as owner:
            await schema.prepare_database(owner)
            await owner.execute("SET search_path = syncline, public")
            await owner.execute(
                "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"
            )
            await owner.execute("INSERT INTO alembic_version VALUES ('0001')")
            await owner.execute(_FIRST.read_bytes())
            await owner.execute(_ROWS.encode())
        yield settings
    await asyncio.to_thread(remove_data_folder, folder)


async def test_what_was_indexed_before_is_found_after(old_settings: Settings) -> None:
    """The passage with the words, in its place, and its score counts how often they occur."""
    async with Database(old_settings) as database, database.connection() as db:
        request = SearchRequest("rotate keys")
        page = await search(db, WorkspaceId(1), request, None, HashingEmbedder.name)
        assert [hit.entry_id for hit in page.hits] == ["page-2"]
        found = await db.execute(
            "SELECT c.content_id, c.n, get_byte(p.entries, 6) FROM postings p JOIN chunks c"
            " ON c.id = ('x' || encode(substr(p.entries, 1, 8), 'hex'))::bit(64)::bigint >> 16"
            " WHERE p.term = 'rotat'"
        )
        assert await found.fetchall() == [(2, 17, 3)]
