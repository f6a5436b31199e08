"""A run's account of itself: the counts of invariant 1, and the exit code they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from syncline.core.model import Json, Outcome, RunState
from syncline.core.redaction import redact

__all__ = ["Progress", "Report", "exit_code_of"]

_LISTED = tuple(outcome.value for outcome in Outcome)
_MOST_SAMPLES = 20
_GONE = ("deleted", "held")
_ALWAYS = ("listed", *_LISTED, "gone", *_GONE)


@dataclass(slots=True)
class Progress:
    """How far a run is. Handed to whoever shows it, as it changes."""

    listed: int = 0
    settled: int = 0
    """Of the listed ones, how many are accounted for."""
    changed: int = 0
    """Entries that had to be read."""
    written: int = 0
    """Documents created or updated."""
    message: str = ""

    def as_noted(self, total: int | None, seconds: float) -> dict[str, Json]:
        """What others may see of it (`sync/progress.py`), `seconds` after the run began."""
        return {
            "current": self.settled,
            "listed": self.listed,
            "total": total,
            "changed": self.changed,
            "written": self.written,
            "message": redact(self.message),
            "seconds": round(seconds, 1),
        }


@dataclass(slots=True)
class Report:
    """What a run did. `counts` has the names that `--json` documents."""

    connection: str
    mode: str
    kind: str = ""
    """Of the connector."""
    run: int | None = None
    """None for a plan."""
    state: RunState = RunState.RUNNING
    shared: bool = False
    """Its partitions are others' jobs now, and one of them closes it."""
    seconds: float = 0.0
    tally: Counter[str] = field(default_factory=Counter)
    error: Mapping[str, Json] | None = None
    warnings: list[str] = field(default_factory=list)
    samples: dict[str, list[str]] = field(default_factory=dict)
    """For a plan: the names of some of the entries of each kind."""

    def sample(self, kind: str, name: str | None) -> None:
        """Remember a name, among the first few of its kind."""
        names = self.samples.setdefault(kind, [])
        if name is not None and len(names) < _MOST_SAMPLES:
            names.append(name)

    def add(self, counts: Mapping[str, int]) -> None:
        """Count."""
        self.tally.update(counts)

    def leave_out(self, reason: str, hint: str | None = None) -> None:
        """Something could not be read: why, and what to do about it."""
        self.tally["incomplete"] = 1
        advice = f" ({hint})" if hint else ""
        self.warnings.append(f"could not be read completely: {reason}{advice}")

    def count(self, outcome: Outcome, more: int = 1) -> None:
        """Count one listed entry."""
        self.tally[outcome.value] += more

    @property
    def listed(self) -> int:
        """Every listed entry has exactly one outcome, so this is their sum."""
        return self.tally["listed"]

    @property
    def counts(self) -> dict[str, int]:
        """All counts; those of invariant 1 always, the others where they are not zero."""
        gone = self.tally["deleted"] + self.tally["held"] + self.tally["moved"]
        counts = {name: self.tally[name] for name in _ALWAYS} | {"gone": gone}
        return counts | {k: v for k, v in sorted(self.tally.items()) if v and k not in counts}

    @property
    def accounted_for(self) -> bool:
        """Invariant 1."""
        return self.tally["listed"] == sum(self.tally[name] for name in _LISTED)

    @property
    def exit_code(self) -> int:
        """0 all good, 1 failed, 3 failed entries, 4 held deletions, 130 not at its end."""
        if self.state in (RunState.INTERRUPTED, RunState.RUNNING):
            return 130
        if self.state is RunState.FAILED:
            return 1
        return exit_code_of(self.tally)

    def as_json(self) -> dict[str, Json]:
        """The documented fields."""
        return {
            "connection": self.connection,
            "run": self.run,
            "mode": self.mode,
            "state": self.state.value,
            "seconds": round(self.seconds, 3),
            **self.counts,
            "error": None if self.error is None else dict(self.error),
            "warnings": self.warnings,
            "exit_code": self.exit_code,
        }


def exit_code_of(counts: Mapping[str, int]) -> int:
    """Of a run that has ended well: 3 with failed entries, 4 with held deletions, else 0."""
    if counts.get("failed", 0) > counts.get("dead", 0) or counts.get("incomplete", 0):
        return 3
    return 4 if counts.get("held", 0) else 0
