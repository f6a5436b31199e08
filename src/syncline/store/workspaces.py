"""Workspaces: the walls. One of the few files that look across them."""

from __future__ import annotations

from syncline.core.errors import NotHere
from syncline.core.model import WorkspaceId
from syncline.store.database import Connection

__all__ = [
    "DEFAULT_WORKSPACE",
    "find_workspace",
    "list_workspaces",
    "make_workspace",
    "workspace_name",
]

DEFAULT_WORKSPACE = "default"


async def make_workspace(db: Connection, name: str) -> WorkspaceId:
    """The workspace of this name, made if it is not there yet."""
    found = await db.execute(
        "WITH made AS (INSERT INTO workspaces (name) VALUES (%(name)s)"
        " ON CONFLICT (name) DO NOTHING RETURNING id)"
        " SELECT id FROM made UNION ALL SELECT id FROM workspaces WHERE name = %(name)s",
        {"name": name},
    )
    row = await found.fetchone()
    if row is None:  # another session made it after our snapshot
        return await find_workspace(db, name)
    return WorkspaceId(row[0])


async def find_workspace(db: Connection, name: str) -> WorkspaceId:
    """The workspace of this name. Raises `NotHere`."""
    found = await db.execute("SELECT id FROM workspaces WHERE name = %s", (name,))
    row = await found.fetchone()
    if row is None:
        known = ", ".join(await list_workspaces(db)) or "none yet"
        raise NotHere(
            f"There is no workspace named {name!r}.", hint=f"The workspaces are: {known}."
        )
    return WorkspaceId(row[0])


async def workspace_name(db: Connection, workspace: WorkspaceId) -> str:
    """Its name; its number where it has been removed."""
    found = await db.execute("SELECT name FROM workspaces WHERE id = %s", (workspace,))
    row = await found.fetchone()
    return str(workspace) if row is None else str(row[0])


async def list_workspaces(db: Connection) -> list[str]:
    """All names, sorted."""
    found = await db.execute("SELECT name FROM workspaces ORDER BY name")
    return [row[0] for row in await found.fetchall()]
