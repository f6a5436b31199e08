"""`kb.config`: workspaces and connections as a file describes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from syncline.parts import Part

if TYPE_CHECKING:
    from syncline.sync.apply import ApplyPlan

__all__ = ["Config"]


class Config(Part):
    """Of the whole database, whichever workspace is open: the file names its workspaces."""

    async def plan(self, path: str | os.PathLike[str], *, prune: bool = False) -> ApplyPlan:
        """What has to be done so that everything is as the file says. Nothing is written.

        `prune` removes connections, with their documents, that the file described once and does
        not any more. Raises `UsageError`, and `ConfigurationError` with file and line.
        """
        from syncline.sync.apply import plan_apply
        from syncline.sync.declared import read_declaration

        tools = self._client.load_tools()
        declaration = read_declaration(Path(path))
        async with self._client.database.connection() as db:
            return await plan_apply(
                db, tools.opener.registry, tools.vault, declaration, prune=prune
            )

    async def apply(self, plan: ApplyPlan) -> None:
        """Do what the plan says, all of it or nothing.

        Raises `Conflict` if something has changed since it was made: then nothing was done.
        """
        from syncline.store.contents import collect_orphans
        from syncline.store.workspaces import find_workspace
        from syncline.sync.apply import carry_out

        tools = self._client.load_tools()
        async with self._client.database.connection() as db:
            await carry_out(db, tools.opener.registry, tools.vault, plan)
            for name in {step.workspace for step in plan.todo if step.action == "remove"}:
                workspace = await find_workspace(db, name)
                while await collect_orphans(db, workspace):
                    pass
