"""`kb.embeddings`: which models the passages are embedded with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from syncline.parts import Part

if TYPE_CHECKING:
    from syncline.sync.models import ModelsView

__all__ = ["Embeddings"]


class Embeddings(Part):
    """A workspace's models, and the change from one to another: `kb.embeddings`."""

    async def show(self) -> ModelsView:
        """The models, with how many passages each has embedded."""
        from syncline.embedders.catalogue import describe
        from syncline.sync.models import read_models

        name = describe(self._client.settings).name
        async with self._client.session() as (db, workspace):
            return await read_models(db, workspace, name)

    async def update(
        self, *, most: int | None = None, on_progress: Callable[[int], None] | None = None
    ) -> int:
        """Embed what the model that is set has not embedded, from what is stored.

        Searches and syncs go on meanwhile. Stops after about `most` passages; answers how many
        it embedded. With the last one, the embeddings of other models go. `on_progress` is told
        how many there were so far. Raises `SourceError` where a service does not answer.
        """
        from syncline.store.models import workspaces_to_embed
        from syncline.sync.maintenance.embeddings import Reembedding, run_once

        tools = self._client.load_tools()
        async with self._client.session() as (db, workspace):
            if workspace not in await workspaces_to_embed(db, tools.embedder.name):
                return 0
            reembedding = Reembedding(
                tools.embedder,
                self._client.load_embedder,
                self._client.database.connect_as_owner,
                started=tools.started,
                on_progress=on_progress or (lambda done: None),
            )
            return await run_once(db, workspace, reembedding, most=most)
