"""How the active workspaces spread over the 24 hours."""

from __future__ import annotations

from dataclasses import dataclass, field

from syncline.core.model import Json
from syncline.scheduling.due import hour_of_workspace
from syncline.scheduling.schedule import Schedule, Spread
from syncline.store.database import Connection
from syncline.store.hours_read import workspace_hours

__all__ = ["Hour", "read_hours"]


@dataclass(slots=True)
class Hour:
    """An hour of the day, in UTC, and whose it is."""

    hour: int
    workspaces: list[str] = field(default_factory=list)
    """Active ones, by name."""
    runs: int = 0
    """Connections that are synced in it, because their schedule is `spread`."""

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {"hour": self.hour, "workspaces": list(self.workspaces), "runs": self.runs}


async def read_hours(db: Connection, default: Schedule) -> list[Hour]:
    """All 24, from midnight. `default`: of connections without a schedule of their own."""
    hours = [Hour(number) for number in range(24)]
    for each in await workspace_hours(db):
        if each.active:
            hour = hours[hour_of_workspace(each.id)]
            hour.workspaces.append(each.name)
            hour.runs += each.spread + (each.by_default if isinstance(default, Spread) else 0)
    return hours
