"""`kb.workspaces`: all of the database's, whichever is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncline.core.errors import UsageError
from syncline.parts import Part

if TYPE_CHECKING:
    from syncline.store.hours_read import WorkspaceHours

__all__ = ["Workspaces"]


class Workspaces(Part):
    """The tenants. Nothing crosses from one to another."""

    async def list(self) -> list[WorkspaceHours]:
        """All of them, by name."""
        from syncline.store.hours_read import workspace_hours

        async with self._client.database.connection() as db:
            return await workspace_hours(db)

    async def add(self, name: str) -> None:
        """Make one, if it is not there. Raises `UsageError` for an empty name."""
        from syncline.store.workspaces import make_workspace

        if not name.strip():
            raise UsageError("A workspace's name must not be empty.")
        async with self._client.database.connection() as db:
            await make_workspace(db, name)

    async def pause(self, name: str) -> None:
        """Nothing of it runs by itself any more. Raises `NotHere`."""
        await self._set(name, active=False)

    async def resume(self, name: str) -> None:
        """Its connections run by themselves again. Raises `NotHere`."""
        await self._set(name, active=True)

    async def _set(self, name: str, *, active: bool) -> None:
        from syncline.store.timetable import set_active
        from syncline.store.workspaces import find_workspace

        async with self._client.database.connection() as db:
            await set_active(db, await find_workspace(db, name), active=active)
