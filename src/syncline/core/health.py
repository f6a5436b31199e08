"""How well everything is, in a word."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["HealthState"]


class HealthState(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"

    @property
    def exit_code(self) -> int:
        """What `syncline health` ends with."""
        return list(HealthState).index(self)
