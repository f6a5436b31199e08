"""The worker processes: started when there is work, replaced when they die.

A worker reads length-prefixed pickles and answers with such. It ends when what it reads does, so it
never outlives the process that started it by more than one batch.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from syncline.core.errors import (
    DatabaseLost,
    DatabaseUnavailable,
    Fenced,
    StoreError,
    SynclineError,
)
from syncline.core.failpoints import Failpoint, hit
from syncline.sync.nursery import Nursery, WorkerProcess
from syncline.sync.work import BatchDone, RunContext, WorkItem

__all__ = ["WorkerDied", "WorkerPool", "read_message", "write_message"]

_head = struct.Struct(">I")
_GRACE_SECONDS = 10.0


class WorkerDied(SynclineError):
    """A worker process ended, or was ended for taking too long, with a batch in its hands.

    The batch may have been committed; sending it again under the same number is harmless.
    """


def write_message(message: object) -> bytes:
    """A message, framed."""
    data = pickle.dumps(message, protocol=5)
    return _head.pack(len(data)) + data


def read_message(data: bytes) -> Any:
    """The message of a frame's body. Only ever from a process that we started ourselves."""
    return pickle.loads(data)  # noqa: S301 - our own worker


class _Worker:
    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self.contexts: set[int] = set()
        self.over: set[int] = set()
        """Of these, the ones whose runs have ended."""

    async def ask(self, message: object) -> Any:
        process = self.process
        process.writer.write(write_message(message))
        await process.writer.drain()
        hit(Failpoint.BATCH_SENT)
        head = await process.reader.readexactly(_head.size)
        return read_message(await process.reader.readexactly(_head.unpack(head)[0]))

    async def end(self, *, kill: bool) -> int:
        """End it, and tell its exit status."""
        process = self.process
        if kill:
            process.kill()
        process.writer.close()
        try:
            return await asyncio.wait_for(asyncio.shield(process.ended), _GRACE_SECONDS)
        except TimeoutError:
            process.kill()
            return await process.ended


class WorkerPool:
    """Up to `size` workers, shared by the runs of this process."""

    def __init__(self, environment: Mapping[str, str], *, size: int, batch_seconds: float) -> None:
        environment = {**os.environ, **environment, "OPENBLAS_NUM_THREADS": "1"}
        self._nursery = Nursery(environment, most=size)
        self._batch_seconds = batch_seconds
        self.size = size
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._slots = asyncio.Semaphore(size)

    def have_process(self, end_threads: Callable[[], Awaitable[bool]]) -> None:
        """This process is ours alone, and may be copied; see `Nursery.end_threads`."""
        self._nursery.end_threads = end_threads

    async def run(
        self, context_id: int, context: RunContext, seq: int, items: Sequence[WorkItem]
    ) -> BatchDone:
        """Have a batch prepared and stored.

        Raises `WorkerDied`, `Fenced`, `StoreError`, or `SynclineError` for whatever
        else the worker could not do; but for `WorkerDied`, nothing was written.
        """
        async with self._slots:
            worker = self._idle.pop() if self._idle else _Worker(await self._nursery.make())
            self._busy.add(worker)
            try:
                answer = await asyncio.wait_for(
                    self._ask(worker, context_id, context, seq, items), self._batch_seconds
                )
            except (TimeoutError, EOFError, ConnectionError, asyncio.IncompleteReadError) as error:
                late = isinstance(error, TimeoutError)
                status = await worker.end(kill=late)
                raise WorkerDied(
                    f"took longer than {self._batch_seconds:.0f} s"
                    if late
                    else f"ended with exit status {status}"
                ) from error
            except BaseException:
                await worker.end(kill=True)
                raise
            finally:
                self._busy.discard(worker)
            await self._give_back(worker)
        hit(Failpoint.BATCH_RECEIVED)
        return _unwrap(answer)

    async def _ask(
        self,
        worker: _Worker,
        context_id: int,
        context: RunContext,
        seq: int,
        items: Sequence[WorkItem],
    ) -> Any:
        if context_id not in worker.contexts:
            answer = await worker.ask(("open", context_id, context))
            if answer[0] != "opened":
                return answer
            worker.contexts.add(context_id)
        return await worker.ask(("batch", context_id, seq, items))

    async def forget(self, context_id: int) -> None:
        """A run has ended: let the workers close what they hold for it; busy ones do after that."""
        for worker in (*self._idle, *self._busy):
            if context_id in worker.contexts:
                worker.over.add(context_id)
        while not self._slots.locked():
            untidy = next((each for each in self._idle if each.over), None)
            if untidy is None:
                return
            async with self._slots:
                self._idle.remove(untidy)
                await self._give_back(untidy)

    async def _give_back(self, worker: _Worker) -> None:
        """Let others have a worker, once it has closed what ended runs have left with it."""
        self._busy.add(worker)
        try:
            while worker.over:
                context_id = worker.over.pop()
                worker.contexts.discard(context_id)
                await worker.ask(("close", context_id))
        except (EOFError, ConnectionError, asyncio.IncompleteReadError):
            await worker.end(kill=True)
            return
        except BaseException:
            await worker.end(kill=True)
            raise
        finally:
            self._busy.discard(worker)
        self._idle.append(worker)

    async def close(self) -> None:
        """End all workers, at once."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(worker.end(kill=False) for worker in idle))
        await asyncio.gather(*(worker.end(kill=True) for worker in list(self._busy)))
        await self._nursery.close()


def _unwrap(answer: Any) -> BatchDone:
    if answer[0] == "done":
        assert isinstance(answer[1], BatchDone)
        return answer[1]
    kind, message, hint = answer[1:]
    if kind == "fenced":
        raise Fenced(message, hint=hint)
    if kind == "lost":
        raise DatabaseLost(message, hint=hint)
    if kind == "database":
        raise DatabaseUnavailable(message, hint=hint)
    if kind == "refused":
        raise StoreError(message, hint=hint)
    raise SynclineError(message, hint=hint)
