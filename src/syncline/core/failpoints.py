"""Named places where a test may make the process fail.

`SYNCLINE_FAILPOINTS="batch.before_commit=kill;coordinator.checkpoint:3=raise"` arms them in
this process and the ones it starts: `kill` ends the process as kill -9 would, `kill:PID` another
one, such as the database, `raise` raises `OSError`, `pause` stops the process (SIGSTOP) until it
is continued; `:3` means the third time the place is reached. `kill-once:PATH` kills the first
process to get there, of all that share the file; `touch:PATH` creates a file, by which a test
sees that the place was reached.
Unarmed, a failpoint costs one dictionary look-up in an empty dictionary.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum
from pathlib import Path

__all__ = ["ENVIRONMENT_VARIABLE", "Failpoint", "arm", "hit"]

ENVIRONMENT_VARIABLE = "SYNCLINE_FAILPOINTS"


class Failpoint(StrEnum):
    """All of them. The fault tests run every one; a new one cannot be forgotten."""

    RUN_OPENED = "run.opened"
    LISTING_NOTED = "listing.noted"
    BATCH_SENT = "batch.sent"
    BATCH_RECEIVED = "batch.received"
    BATCH_PREPARED = "batch.prepared"
    BATCH_CONTENTS_WRITTEN = "batch.contents_written"
    BATCH_DOCUMENTS_WRITTEN = "batch.documents_written"
    BATCH_BEFORE_COMMIT = "batch.before_commit"
    BATCH_COMMITTED = "batch.committed"
    CHECKPOINT_BEFORE = "checkpoint.before"
    CHECKPOINT_STORED = "checkpoint.stored"
    LISTING_ENDED = "listing.ended"
    ABSENCE_DECIDED = "absence.decided"
    MOVES_WRITTEN = "moves.written"
    DELETIONS_BEFORE_COMMIT = "deletions.before_commit"
    DELETIONS_COMMITTED = "deletions.committed"
    PAIRS_BEFORE_COMMIT = "pairs.before_commit"
    PAIRS_COMMITTED = "pairs.committed"
    PARTS_BEFORE_COMMIT = "parts.before_commit"
    PARTS_COMMITTED = "parts.committed"
    PART_BEGUN = "part.begun"
    PART_BEFORE_COMMIT = "part.before_commit"
    PART_COMMITTED = "part.committed"
    CLOSING_BEGUN = "closing.begun"
    RUN_BEFORE_CLOSE = "run.before_close"
    RUN_CLOSED = "run.closed"
    SEGMENTS_MERGED = "segments.merged"
    VECTOR_INDEX_BEGUN = "vector_index.begun"
    MODEL_ANNOUNCED = "model.announced"
    EMBEDDINGS_BEFORE_COMMIT = "embeddings.before_commit"
    EMBEDDINGS_COMMITTED = "embeddings.committed"
    MODEL_COMPLETE = "model.complete"
    FORMER_MODEL_COLLECTED = "former_model.collected"
    BACKUP_BEFORE_FINISH = "backup.before_finish"
    LOADING_TABLES_LOADED = "loading.tables_loaded"
    LOADING_BEFORE_COMMIT = "loading.before_commit"
    UPGRADE_COPIED = "upgrade.copied"
    UPGRADE_OLD_MOVED = "upgrade.old_moved"


_armed: dict[str, tuple[int, str]] = {}
_reached: dict[str, int] = {}


def arm(settings: str) -> None:
    """Arm the failpoints that `settings` names (see the module's docstring), and no others."""
    _armed.clear()
    _reached.clear()
    for part in filter(None, settings.split(";")):
        place, _, action = part.partition("=")
        name, _, nth = place.partition(":")
        _armed[Failpoint(name)] = (int(nth or 1), action)


def hit(place: Failpoint) -> None:
    """Do what a test has armed here; otherwise nothing."""
    armed = _armed.get(place)
    if armed is None:
        return
    count = _reached[place] = _reached.get(place, 0) + 1
    nth, action = armed
    if count != nth:
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action.startswith("kill-once:"):
        try:
            Path(action.removeprefix("kill-once:")).open("x").close()
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)
    elif action.startswith("kill:"):
        os.kill(int(action.removeprefix("kill:")), signal.SIGKILL)
    elif action == "pause":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action.startswith("touch:"):
        Path(action.removeprefix("touch:")).touch()
    elif action == "raise":
        raise OSError(f"failpoint {place}")
    else:
        raise ValueError(f"unknown failpoint action {action!r}")


arm(os.environ.get(ENVIRONMENT_VARIABLE, ""))
