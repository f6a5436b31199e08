"""huey on SQLite with fsync. A job is gone when it is begun: one whose worker dies is lost."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from huey import SqliteHuey

from benchmarks.jobs.scripts.commands import main, repeat_while_idle
from benchmarks.jobs.scripts.scorecard import note

_FILE = Path(os.environ["PEER_FOLDER"]) / "huey.db"

app = SqliteHuey("jobs", filename=str(_FILE), fsync=True, results=False)


@app.task(name="noop")
def noop(sent: float | None = None) -> None:
    """Nothing."""
    note(sent)


def _enqueue(count: int) -> None:
    for _ in range(count):
        noop()


def _work() -> None:
    app.create_consumer(workers=2, worker_type="process", periodic=False).run()


if __name__ == "__main__":
    sys.modules["benchmarks.jobs.scripts.with_huey"] = sys.modules["__main__"]
    main(
        prepare=app.flush,
        enqueue=_enqueue,
        work=_work,
        ask=lambda count: repeat_while_idle(noop, count),
        left=app.pending_count,
    )
