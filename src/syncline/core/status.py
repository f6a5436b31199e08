"""How something stands, in the five words that people and dashboards use everywhere.

Stored states say more: whether a job waits for its time or for a worker, whether a run was
stopped or died.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Status", "status_of"]


class Status(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


_OF_STATE = {
    "waiting": Status.PENDING,
    "ready": Status.PENDING,
    "running": Status.RUNNING,
    "done": Status.COMPLETED,
    "failed": Status.FAILED,
    "dead": Status.FAILED,
    "interrupted": Status.CANCELLED,
    "cancelled": Status.CANCELLED,
}


def status_of(state: str) -> Status:
    """Of a run's or a job's stored state."""
    return _OF_STATE[state]
