"""The queues that take part, each as programs with a server and a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.jobs.scripts.scorecard import FOLDER, Scores, read
from benchmarks.jobs.servers import postgres, redis
from benchmarks.peers.environments import NotMeasured, environment_of, python_of, version_of
from syncline import __version__

__all__ = ["QUEUES", "Queue", "Session"]

_LONGEST = 300.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue, and how many jobs keep it busy for some seconds."""

    name: str
    program: str
    title: Callable[[], str]
    open: Callable[[], AbstractContextManager[Mapping[str, str]]]
    """Starts what it needs; gives the environment of its programs."""
    count: int


@contextmanager
def _nothing() -> Iterator[Mapping[str, str]]:
    yield {}


QUEUES: tuple[Queue, ...] = (
    Queue("syncline", "syncline", lambda: f"Syncline {__version__}, 50 at once", postgres, 30_000),
    Queue(
        "syncline-10",
        "syncline",
        lambda: f"Syncline {__version__}, 10 at once",
        lambda: postgres(CONCURRENCY="10"),
        20_000,
    ),
    Queue(
        "celery-always",
        "celery",
        lambda: f"Celery {version_of('celery')} on Redis, fsync of each write",
        lambda: redis("always"),
        10_000,
    ),
    Queue(
        "celery",
        "celery",
        lambda: f"Celery {version_of('celery')} on Redis, fsync each second",
        lambda: redis("everysec"),
        10_000,
    ),
    Queue(
        "procrastinate",
        "procrastinate",
        lambda: f"procrastinate {version_of('procrastinate')} on the same PostgreSQL",
        postgres,
        4_000,
    ),
    Queue(
        "huey",
        "huey",
        lambda: f"huey {version_of('huey')} on SQLite with fsync",
        _nothing,
        20_000,
    ),
)


class Session:
    """A queue with an empty store, and the scores of its workers."""

    def __init__(self, queue: Queue, state: Path, environment: Mapping[str, str]) -> None:
        self._queue = queue
        self._cards = state / "cards"
        self._cards.mkdir()
        name = queue.program
        python = Path(sys.executable) if name == "syncline" else python_of(name)
        self._command = [str(python), "-m", f"benchmarks.jobs.scripts.with_{name}"]
        self._environment = {
            **environment_of(state),
            **environment,
            "PEER_FOLDER": str(state),
            FOLDER: str(self._cards),
        }

    @staticmethod
    @contextmanager
    def of(queue: Queue) -> Iterator[Session]:
        """Raises `NotMeasured`."""
        state = Path(tempfile.mkdtemp(prefix="queue-benchmark-", dir="/var/tmp"))
        try:
            with queue.open() as environment:
                session = Session(queue, state, environment)
                session.run("prepare")
                yield session
        finally:
            shutil.rmtree(state)

    def run(self, *arguments: str) -> str:
        """Run one command of its program to its end; what it printed."""
        done = subprocess.run(
            [*self._command, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
        if done.returncode != 0:
            print(done.stderr, file=sys.stderr)
            raise NotMeasured(f"{self._queue.name} {arguments[0]} ended with {done.returncode}")
        return done.stdout

    @contextmanager
    def workers(self) -> Iterator[None]:
        """Two worker processes, while this lasts."""
        with subprocess.Popen(
            [*self._command, "work"],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if "BENCHMARK_VERBOSE" not in os.environ else None,
            start_new_session=True,
        ) as process:
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    pass
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # all have ended by themselves

    def scores(self, count: int) -> Scores:
        """The scores when so many jobs were begun, and none is left. Raises `NotMeasured`."""
        deadline = time.monotonic() + _LONGEST
        while (scores := read(self._cards)).count < count:
            if time.monotonic() > deadline:
                raise NotMeasured(f"only {scores.count} of {count} jobs were done")
            time.sleep(_LOOK_SECONDS)
        while int(self.run("left")):
            if time.monotonic() > deadline:
                raise NotMeasured("jobs are left")
        scores = read(self._cards)
        if scores.count != count:
            raise NotMeasured(f"{count} jobs were begun {scores.count} times")
        return scores

    def forget_scores(self) -> None:
        """Of workers that have ended."""
        for path in self._cards.iterdir():
            path.unlink()
