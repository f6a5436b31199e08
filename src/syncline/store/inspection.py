"""What `syncline doctor` asks of an open database."""

from __future__ import annotations

from msgspec import Struct

from syncline.store.database import Connection

__all__ = ["DatabaseFacts", "inspect_database"]


class DatabaseFacts(Struct, frozen=True):
    server: str
    """Its version, such as `18.1`."""
    revision: str
    """Of the schema."""
    role: str
    """As which everything is done."""
    superuser: bool
    owner: bool
    """Whether the role owns the schema or one of its tables."""
    pgvector: str | None


async def inspect_database(db: Connection) -> DatabaseFacts:
    """How the application is connected, and to what."""
    found = await db.execute(
        "SELECT current_setting('server_version'),"
        " (SELECT version_num FROM syncline.alembic_version), current_user,"
        " (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
        " EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        "  WHERE n.nspname = 'syncline' AND (c.relowner = current_user::regrole"
        "  OR n.nspowner = current_user::regrole)),"
        " (SELECT extversion FROM pg_extension WHERE extname = 'vector')"
    )
    row = await found.fetchone()
    assert row is not None
    return DatabaseFacts(row[0], row[1], row[2], bool(row[3]), bool(row[4]), row[5])
