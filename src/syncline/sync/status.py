"""How fresh and how large the knowledge base is, connection by connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from syncline.core.model import ConnectionId, Json, WorkspaceId
from syncline.core.status import status_of
from syncline.core.urls import shown_url
from syncline.store.breakers import OpenBreaker, open_breakers
from syncline.store.database import Connection
from syncline.store.results import MOST_FAILURES
from syncline.store.status_read import ConnectionState, connection_states, workspace_size
from syncline.sync.models import ModelsView, read_models
from syncline.sync.near_copies import NearCopies, count_near
from syncline.sync.progress import progress_of

__all__ = ["Status", "read_status"]


class Status(Struct, frozen=True):
    """A workspace at a glance."""

    workspace: str
    connections: list[ConnectionState]
    documents: int
    chunks: int
    database_bytes: int
    """Of the whole database, other workspaces included."""
    models: ModelsView
    near: NearCopies
    breakers: Mapping[ConnectionId, Sequence[OpenBreaker]]
    """Hosts that are not asked at present, because they fail."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "workspace": self.workspace,
            "connections": [
                _as_json(each)
                | {"breakers": [breaker.as_json() for breaker in self.breakers.get(each.id, ())]}
                for each in self.connections
            ],
            "near_duplicates": self.near.as_json(),
            "embeddings": self.models.as_json(),
            "totals": {
                "connections": len(self.connections),
                "documents": self.documents,
                "chunks": self.chunks,
                "failing": sum(each.failing for each in self.connections),
                "dead_letters": sum(each.dead_letters for each in self.connections),
                "held": sum(each.held for each in self.connections),
                "database_bytes": self.database_bytes,
            },
        }


def _as_json(state: ConnectionState) -> dict[str, Json]:
    run = None
    progress = progress_of(state.run_progress) if state.run_state == "running" else None
    if state.run is not None and state.run_started is not None:
        run = {
            "id": state.run,
            "state": state.run_state,
            "status": None if state.run_state is None else status_of(state.run_state).value,
            "mode": state.run_mode,
            "started_at": state.run_started.isoformat(),
            "seconds_ago": round(state.run_age or 0.0, 1),
            "counts": dict(state.run_counts or {}),
            "error": None if state.run_error is None else dict(state.run_error),
            "progress": None if progress is None else progress.as_json(),
        }
    return {
        "id": state.id,
        "name": state.name,
        "kind": state.kind,
        "source": shown_url(state.source),
        "documents": state.documents,
        "chunks": state.chunks,
        "deleted": state.deleted,
        "failing": state.failing,
        "dead_letters": state.dead_letters,
        "held": state.held,
        "freshness_seconds": None if state.freshness is None else round(state.freshness, 1),
        "last_run": run,
    }


async def read_status(db: Connection, workspace: WorkspaceId, name: str) -> Status:
    """The status of the workspace with this id and name."""
    documents, chunks, size = await workspace_size(db, workspace)
    states = await connection_states(db, workspace, dead_after=MOST_FAILURES)
    models = await read_models(db, workspace)
    near = await count_near(db, workspace)
    breakers = await open_breakers(db, workspace)
    return Status(name, states, documents, chunks, size, models, near, breakers)
