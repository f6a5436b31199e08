"""What connections must keep secret, sealed. Only the vault can tell what is in it."""

from __future__ import annotations

from syncline.core.model import ConnectionId, WorkspaceId
from syncline.security.vault import Sealed
from syncline.store.database import Connection

__all__ = [
    "forget_secrets",
    "hold_keys",
    "lock_secrets",
    "owner_of",
    "read_secrets",
    "replace_sealed",
    "write_secrets",
]

_KEYS_LOCK = "syncline keys"


def owner_of(workspace: WorkspaceId, connection: ConnectionId) -> str:
    """The name under which a connection's secrets are sealed."""
    return f"{workspace}/{connection}"


async def hold_keys(db: Connection, *, alone: bool = False) -> None:
    """Within a transaction: no key is added or dropped meanwhile; `alone`: nothing is sealed."""
    lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
    await db.execute(f"SELECT {lock}(hashtextextended(%s, 0))", (_KEYS_LOCK,))


async def read_secrets(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> Sealed | None:
    """None where the connection has none."""
    return await _read(db, workspace, connection, "")


async def lock_secrets(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId
) -> Sealed | None:
    """As `read_secrets`; nobody else changes them until the transaction's end."""
    return await _read(db, workspace, connection, " FOR UPDATE")


async def _read(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, how: str
) -> Sealed | None:
    found = await db.execute(
        "SELECT sealed, key_id, credential FROM secrets"
        f" WHERE workspace_id = %s AND connection_id = %s{how}".encode(),
        (workspace, connection),
    )
    row = await found.fetchone()
    return None if row is None else Sealed(*row)


async def replace_sealed(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, sealed: Sealed
) -> None:
    """Renewed tokens: it is still the same credential, and shares the same quota."""
    await db.execute(
        "UPDATE secrets SET sealed = %s, key_id = %s, changed_at = now()"
        " WHERE workspace_id = %s AND connection_id = %s",
        (sealed.token, sealed.key_id, workspace, connection),
    )


async def write_secrets(
    db: Connection, workspace: WorkspaceId, connection: ConnectionId, sealed: Sealed
) -> None:
    """In place of those it had."""
    await db.execute(
        "INSERT INTO secrets (workspace_id, connection_id, sealed, key_id, credential)"
        " VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (workspace_id, connection_id) DO UPDATE SET sealed = excluded.sealed,"
        " key_id = excluded.key_id, credential = excluded.credential, changed_at = now()",
        (workspace, connection, sealed.token, sealed.key_id, sealed.credential),
    )


async def forget_secrets(db: Connection, workspace: WorkspaceId, connection: ConnectionId) -> None:
    """The connection has none any more."""
    await db.execute(
        "DELETE FROM secrets WHERE workspace_id = %s AND connection_id = %s",
        (workspace, connection),
    )
