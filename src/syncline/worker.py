"""A worker process, or the nursery that makes them: `python -m syncline.worker [FD]`.

A worker reads requests and answers them, one at a time, until its input ends. It may die at any
moment and lose nothing. Started by `sync/nursery.py`, which tells how the two talk.
"""

from __future__ import annotations

import asyncio
import gc
import os
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO, NoReturn

import psycopg

from syncline.bootstrap import embedder_loader, open_preparer
from syncline.core.errors import (
    DatabaseLost,
    DatabaseUnavailable,
    Fenced,
    StoreError,
    SynclineError,
)
from syncline.core.ports import Embedder
from syncline.settings import Settings
from syncline.store.database import connect
from syncline.store.explain import explain
from syncline.store.sessions import IDLE_NAME, Sessions
from syncline.sync.heap import Heap
from syncline.sync.nursery import ENDED, MADE, NEWS
from syncline.sync.pool import read_message, write_message
from syncline.sync.preparer import Preparer
from syncline.sync.work import RunContext

__all__ = ["main", "nurse"]

_head = struct.Struct(">I")
_ALLOCATIONS = 100_000
"""Between two looks for garbage."""


class _Worker:
    def __init__(self, settings: Settings, load_embedder: Callable[[], Embedder]) -> None:
        self._settings = settings
        self._load_embedder = load_embedder
        self._preparers: dict[int, Preparer] = {}
        self._database: Mapping[str, str] = {}
        self._sessions: Sessions | None = None

    async def answer(self, request: Any) -> tuple[Any, ...]:
        try:
            return await self._do(request)
        except Fenced as error:
            return "error", "fenced", str(error), error.hint
        except StoreError as error:
            return _of_database(error)
        except psycopg.Error as error:
            return _of_database(explain(error))
        except SynclineError as error:
            return "error", "failed", str(error), error.hint

    async def _do(self, request: Any) -> tuple[Any, ...]:
        kind, context_id = request[:2]
        if kind == "open":
            context: RunContext = request[2]
            self._preparers[context_id] = await open_preparer(
                context,
                self._settings,
                os.environ,
                self._load_embedder,
                await self._sessions_of(context.database),
            )
            return ("opened",)
        if kind == "close":
            preparer = self._preparers.pop(context_id, None)
            if preparer is not None:
                await preparer.close()
            return ("closed",)
        return "done", await self._preparers[context_id].run(*request[2:])

    async def _sessions_of(self, database: Mapping[str, str]) -> Sessions:
        """The same for all runs; a database that was revived may listen elsewhere."""
        if self._sessions is None or database != self._database:
            if self._sessions is not None:
                await self._sessions.close()
            self._database = database
            self._sessions = Sessions(partial(connect, dict(database), application=IDLE_NAME))
        return self._sessions


def _of_database(error: StoreError) -> tuple[str, str, str, str | None]:
    match error:
        case DatabaseLost():
            kind = "lost"
        case DatabaseUnavailable():
            kind = "database"
        case _:
            kind = "refused"
    return "error", kind, str(error), error.hint


def _limit_memory(megabytes: int) -> None:
    """Let a document that needs too much end this process rather than the machine."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limit = megabytes * 1024 * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard in (resource.RLIM_INFINITY, -1) or limit <= hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _serve(worker: _Worker, requests: BinaryIO, answers: BinaryIO) -> None:
    heap = Heap()
    with asyncio.Runner() as runner:
        while True:
            head = requests.read(_head.size)
            if len(head) < _head.size:
                return
            body = requests.read(_head.unpack(head)[0])
            answer = runner.run(worker.answer(read_message(body)))
            answers.write(write_message(answer))
            answers.flush()
            del body, answer
            heap.give_back()


def main() -> None:
    """Serve until the input ends."""
    if len(sys.argv) > 1:
        nurse(int(sys.argv[1]))
        _end()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = Settings.from_environment()
    load_embedder = embedder_loader(settings)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not get between the answers.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _work(settings, load_embedder, sys.stdin.buffer, answers)


def nurse(descriptor: int) -> None:
    """Make workers for whoever asks through this socket, until nobody does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = Settings.from_environment()
    with socket.socket(fileno=descriptor) as control:
        _nurse(control, settings, embedder_loader(settings))


def _end() -> NoReturn:
    """At once: taking apart all that was imported would take longer than many a batch."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _work(
    settings: Settings,
    load_embedder: Callable[[], Embedder],
    requests: BinaryIO,
    answers: BinaryIO,
) -> None:
    _limit_memory(settings.worker_memory_mb)
    # A batch makes a hundred thousand things, and hardly any refer to themselves.
    gc.set_threshold(_ALLOCATIONS)
    with suppress(BrokenPipeError, ConnectionResetError):  # the coordinator is gone
        _serve(_Worker(settings, load_embedder), requests, answers)


def _nurse(
    control: socket.socket, settings: Settings, load_embedder: Callable[[], Embedder]
) -> None:
    """Fork a worker for each socket that comes, and tell how they end, until nobody asks."""
    _import_all(load_embedder)
    looking, woken = socket.socketpair()
    looking.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    with looking, woken, selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(looking, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if looking in ready:
                looking.recv(4096)
                _tell_ends(control, os.WNOHANG)
            if control in ready:
                asked, descriptors, _, _ = socket.recv_fds(control, 1, 1)
                if not asked:
                    signal.set_wakeup_fd(-1)
                    break
                if _fork(control, descriptors[0]) == 0:
                    selector.close()
                    looking.close()
                    woken.close()
                    with socket.socket(fileno=descriptors[0]) as ours:
                        _work(settings, load_embedder, ours.makefile("rb"), ours.makefile("wb"))
                    return
    _tell_ends(control, 0)


def _fork(control: socket.socket, descriptor: int) -> int:
    """Make a worker of a copy of us; 0 in that one, as `os.fork` has it."""
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
    else:
        os.close(descriptor)
        _tell(control, MADE, pid, 0)
    return pid


def _tell_ends(control: socket.socket, flags: int) -> None:
    """Collect the workers that have ended."""
    with suppress(ChildProcessError):  # there are none
        while True:
            pid, status = os.waitpid(-1, flags)
            if pid == 0:
                return
            _tell(control, ENDED, pid, os.waitstatus_to_exitcode(status))


def _tell(control: socket.socket, kind: int, pid: int, status: int) -> None:
    with suppress(BrokenPipeError, ConnectionResetError):  # nobody wants to know any more
        control.sendall(NEWS.pack(kind, pid, status))


def _import_all(load_embedder: Callable[[], Embedder]) -> None:
    """What every worker will need, and none needs to have alone."""
    import syncline.connectors.files.connector
    import syncline.pipeline.extract.html
    import syncline.pipeline.extract.markdown
    import syncline.pipeline.minhash
    import syncline.sync.preparer  # noqa: F401 - for the ones that are forked

    load_embedder()
    # What is there already is next to no garbage: a look for it would copy every page.
    gc.freeze()


if __name__ == "__main__":
    main()
