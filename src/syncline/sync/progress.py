"""How far a run that is under way has come, as others see it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from syncline.core.model import Json

__all__ = ["RunProgress", "progress_of"]


class RunProgress(Struct, frozen=True):
    """Noted by the run every few seconds."""

    current: int
    """Entries that are accounted for."""
    listed: int
    total: int | None
    """How many there will be, by the last complete run; None before the first."""
    changed: int
    written: int
    message: str
    """What it is at."""
    seconds: float
    """Since it began, when this was noted."""

    @property
    def percentage(self) -> float | None:
        """From 0 to 100, where there is a total; 100 only when it has ended."""
        if self.total is None:
            return None
        expected = max(self.total, self.listed)
        return min(99.0, 100.0 * self.current / expected) if expected else 0.0

    @property
    def rate(self) -> float:
        """Entries a second."""
        return self.current / self.seconds if self.seconds > 0 else 0.0

    def in_words(self) -> str:
        """For a line on a screen."""
        parts = [] if self.percentage is None else [f"{self.percentage:.0f} %"]
        of = f" of {max(self.total, self.listed)}" if self.total else ""
        parts += [f"{self.current}{of} entries", f"{self.rate:.0f}/s"]
        return ", ".join([*parts, self.message] if self.message else parts)

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        percentage = self.percentage
        return {
            "current": self.current,
            "total": self.total,
            "percentage": None if percentage is None else round(percentage, 1),
            "rate": round(self.rate, 1),
            "seconds": round(self.seconds, 1),
            "changed": self.changed,
            "written": self.written,
            "message": self.message,
        }


def progress_of(noted: Mapping[str, Json] | None) -> RunProgress | None:
    """What a run's row has; None where nothing was noted yet, or the run has ended."""
    return None if noted is None else RunProgress(**noted)
