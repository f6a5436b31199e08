"""Where worker processes come from: one process imports everything once, and forks them.

So the second worker costs a few milliseconds instead of half a second, what all of them hold (the
code, the model) is in memory once, and a replacement for one that died is there at once. Where
forking is not safe (it is on Linux alone), each worker is a process started anew; so is the only
one of a service, with whom a nursery would share nothing but its memory.

A command that has the process for itself forks the nursery too, which then has most of its imports
already, in a moment without threads. Everybody else starts it as a program of its own.

The nursery is `python -m syncline.worker FD`: it gets one end of a socket pair for each worker
wanted, by a message on the socket FD, and tells there whom it has made and how each has ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module

from syncline.core.errors import SynclineError
from syncline.core.failpoints import ENVIRONMENT_VARIABLE, arm

__all__ = ["ENDED", "MADE", "NEWS", "Nursery", "WorkerProcess"]

NEWS = struct.Struct(">Bii")
"""What the nursery tells: `MADE` or `ENDED`, a process, and its exit status."""
MADE, ENDED = 0, 1
_MODULE = "syncline.worker"
_COMMAND: tuple[str, ...] = (sys.executable, "-m", _MODULE)
_LIMIT = 1 << 20


@dataclass(slots=True)
class WorkerProcess:
    """One worker, and the two ends of our talk with it."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ended: asyncio.Future[int] = field(default_factory=asyncio.Future)
    """Its exit status, negative for a signal, once it has ended."""

    def kill(self) -> None:
        """End it at once, unless it has ended."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """Makes worker processes, and waits for their ends."""

    def __init__(self, environment: Mapping[str, str], *, most: int) -> None:
        """It is asked for `most` workers at a time."""
        self._environment = environment
        self._most = most
        self.end_threads: Callable[[], Awaitable[bool]] | None = None
        """Set by whoever has this process for itself: ends its idle threads, and tells whether
        none but the main one is left."""
        self._lock = asyncio.Lock()
        self._process: Process | _Fork | None = None
        self._control: socket.socket | None = None
        self._news: asyncio.Task[None] | None = None
        self._made: asyncio.Future[int] | None = None
        self._workers: dict[int, WorkerProcess] = {}
        self._watched: set[asyncio.Task[None]] = set()

    async def make(self) -> WorkerProcess:
        """A new worker. Raises `SynclineError` where none can be made."""
        if sys.platform != "linux" or (self._most == 1 and self.end_threads is None):
            return await self._spawn()
        async with self._lock:
            if self._news is None or self._news.done():
                await self._open()
            assert self._control is not None
            assert self._news is not None
            ours, theirs = socket.socketpair()
            with theirs:
                self._made = asyncio.get_running_loop().create_future()
                socket.send_fds(self._control, [b"\0"], [theirs.fileno()])
            try:
                pid = await self._made
            except BaseException:
                ours.close()
                raise
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LIMIT)
        worker = WorkerProcess(pid, reader, writer)
        if self._news.done():
            worker.ended.set_result(-signal.SIGKILL)
        self._workers[pid] = worker
        return worker

    async def close(self) -> None:
        """End; the workers have been ended."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            await self._process.wait()
        if self._news is not None:
            self._news.cancel()
            with suppress(asyncio.CancelledError):
                await self._news

    async def _open(self) -> None:
        if self._process is not None and self._control is not None:  # it has died
            self._control.close()
            await self._process.wait()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            if self.end_threads is not None and await self.end_threads():
                self._process = _Fork(theirs, self._environment)
            else:
                self._process = await self._start(theirs)
        ours.setblocking(False)
        self._control = ours
        self._news = asyncio.create_task(self._listen(ours))

    async def _start(self, theirs: socket.socket) -> Process:
        return await asyncio.create_subprocess_exec(
            *_COMMAND,
            str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            # Whatever a library prints is no answer of ours.
            stdout=sys.stderr.fileno(),
            env=self._environment,
            pass_fds=(theirs.fileno(),),
            # A terminal's Ctrl-C is for the coordinator, which ends its workers in order.
            start_new_session=True,
        )

    async def _listen(self, control: socket.socket) -> None:
        """Hear what becomes of the workers, until the nursery has gone."""
        loop = asyncio.get_running_loop()
        try:
            while news := await loop.sock_recv(control, NEWS.size):
                kind, pid, status = NEWS.unpack(news)
                if kind == MADE and self._made is not None and not self._made.done():
                    self._made.set_result(pid)
                elif kind == ENDED and (worker := self._workers.pop(pid, None)) is not None:
                    worker.ended.set_result(status)
        except OSError:
            pass  # it was killed
        finally:
            if self._made is not None and not self._made.done():
                self._made.set_exception(
                    SynclineError(
                        "The process that makes the workers ended before it could make one.",
                        hint="What it printed says why; `syncline doctor` checks the installation.",
                    )
                )
            # How they end nobody will tell us now; that they do, their sockets will.
            for worker in self._workers.values():
                worker.ended.set_result(-signal.SIGKILL)
            self._workers.clear()

    async def _spawn(self) -> WorkerProcess:
        """A worker from scratch."""
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=PIPE,
            stdout=PIPE,
            env=self._environment,
            start_new_session=True,
            limit=_LIMIT,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        worker = WorkerProcess(process.pid, process.stdout, process.stdin)

        async def watch() -> None:
            worker.ended.set_result(await process.wait())

        task = asyncio.create_task(watch())
        self._watched.add(task)
        task.add_done_callback(self._watched.discard)
        return worker


class _Fork:
    """The nursery as a copy of this process, which has no other thread at this moment."""

    def __init__(self, control: socket.socket, environment: Mapping[str, str]) -> None:
        self._pid = os.fork()
        if self._pid == 0:
            status = 1
            try:
                _become_nursery(control.fileno(), environment)
                status = 0
            except BaseException:  # noqa: BLE001 - nothing may run on in what is a copy
                import traceback

                traceback.print_exc()
            finally:
                os._exit(status)

    async def wait(self) -> None:
        with suppress(ChildProcessError):
            await asyncio.to_thread(os.waitpid, self._pid, 0)


def _become_nursery(control: int, environment: Mapping[str, str]) -> None:
    """What a program started anew would have been given, and nothing of what this one holds.

    Objects that own what is closed here are never freed: a copy ends without cleaning up.
    """
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.closerange(3, control)
    os.closerange(control + 1, os.sysconf("SC_OPEN_MAX"))
    os.environ.update(environment)
    arm(os.environ.get(ENVIRONMENT_VARIABLE, ""))
    import_module(_MODULE).nurse(control)
