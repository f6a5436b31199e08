"""Which models a workspace's passages are embedded with, as a person sees it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from syncline.core.model import Json, WorkspaceId
from syncline.store.database import Connection
from syncline.store.models import ModelState, model_states

__all__ = ["ModelsView", "read_models"]


class ModelsView(Struct, frozen=True):
    """A workspace's models, and how far a change from one to another is."""

    setting: str | None
    """What is set here; None where nobody asked."""
    passages: int
    """Different ones."""
    models: Sequence[ModelState]
    """The one that new passages get first."""

    @property
    def wanted(self) -> ModelState | None:
        """That one; None before the first sync."""
        return next((each for each in self.models if each.wanted), None)

    @property
    def changing(self) -> ModelState | None:
        """The wanted one, while others have passages that it lacks."""
        wanted = self.wanted
        return None if wanted is None or wanted.complete or len(self.models) == 1 else wanted

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "setting": self.setting,
            "passages": self.passages,
            "models": [
                {
                    "name": each.name,
                    "dimension": each.dimension,
                    "wanted": each.wanted,
                    "complete": each.complete,
                    "passages": each.passages,
                    "trouble": each.trouble,
                }
                for each in self.models
            ],
        }


async def read_models(
    db: Connection, workspace: WorkspaceId, setting: str | None = None
) -> ModelsView:
    """The models of this workspace; `setting` is the one that is set where this runs."""
    passages, models = await model_states(db, workspace)
    return ModelsView(setting, passages, models)
