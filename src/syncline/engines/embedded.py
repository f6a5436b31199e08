"""Runs jobs in this process: claims them from the table, does them side by side, tells how it went.

Claiming and telling have a connection each, because an end waits for the disk and a claim does not.
Woken by NOTIFY, with polling beneath it. A database that goes away is waited for; what has been
done meanwhile is told when it is back, where it is still ours to tell.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from secrets import token_hex

import psycopg

from syncline.core.errors import DatabaseLost, DatabaseUnavailable, SynclineError
from syncline.core.jobs import (
    ClaimedJob,
    HandedOn,
    Handler,
    Lost,
    Outcome,
    Released,
    Retry,
    Snooze,
    retry_after,
)
from syncline.core.model import Json
from syncline.core.redaction import redact
from syncline.store import jobs
from syncline.store.database import Connection, Database
from syncline.store.explain import explain
from syncline.store.outage import Outage

__all__ = ["EmbeddedEngine", "Ended"]

_BATCH = 50
_UNTOLD = 4
"""Ends of how many times as many jobs as run may wait to be told, before no more are claimed."""
_DATABASE_SECONDS = 30.0

Ended = Callable[[ClaimedJob, Outcome, str], None]
"""Told of each job, what came of it, and the state it has now."""


@dataclass(slots=True)
class _Running:
    job: ClaimedJob
    stop: asyncio.Event
    task: asyncio.Task[Outcome]


@dataclass(slots=True)
class EmbeddedEngine:
    """One worker. `run` is called once."""

    database: Database
    handlers: Mapping[str, Handler]
    """By kind of job; those of other kinds are left to workers that know them."""
    concurrency: int
    """How many jobs at once."""
    per_key: int = 2
    """How many of one limit key (a host, a credential) at once, of all workers."""
    lease: float = jobs.LEASE_SECONDS
    hold_back: Callable[[], bool] = field(default=lambda: False)
    """Whether to begin no job beside one that runs: something is short on this machine."""
    poll: float = 5.0
    """Seconds after which to look even if nobody has called."""
    on_ended: Ended = field(default=lambda job, outcome, state: None)
    on_trouble: Callable[[str], None] = field(default=lambda message: None)
    owner: str = field(
        default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"
    )
    _running: dict[tuple[int, int], _Running] = field(default_factory=dict)
    """By job and epoch: one that was lost and claimed again runs beside its former self."""
    _ended: list[tuple[ClaimedJob, Outcome]] = field(default_factory=list)
    _more: bool = True
    """There may be jobs that are ready, for which there was no room."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    """Jobs have ended that are not told yet."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then drain: what runs is asked to stop, and given back."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._wake.set())
        outage = Outage(self.database, "The database went away", self.on_trouble)
        try:
            while not (stop.is_set() and not self._running and not self._ended):
                try:
                    await self._session(stop, outage)
                except (psycopg.OperationalError, DatabaseUnavailable) as error:
                    await outage.sit_out(error, stop)
                    if stop.is_set():
                        break  # the leases lapse: nothing is lost
        finally:
            stopping.cancel()
            for running in self._running.values():
                running.task.cancel()
            await asyncio.gather(
                *(running.task for running in self._running.values()), return_exceptions=True
            )

    async def _session(self, stop: asyncio.Event, outage: Outage) -> None:
        """Work as long as the database is there."""
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(await self.database.connect())
            telling = await stack.enter_async_context(await self.database.connect())
            listening = await stack.enter_async_context(
                await self.database.connect(application="syncline worker")
            )
            await jobs.hold_worker(listening, self.owner, self.handlers)
            await listening.execute(f"LISTEN {jobs.CHANNEL}")
            await self._settle(telling)
            outage.over()
            beside = [
                asyncio.create_task(each)
                for each in (self._listen(listening), self._tell(telling), self._renew(telling))
            ]
            for task in beside:
                task.add_done_callback(lambda _: self._wake.set())
            try:
                await self._claim(db, stop, beside)
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    async def _settle(self, telling: Connection) -> None:
        """Before anything is claimed: give up what was lost while the database was away.

        A crash of the server may have undone a claim, and our next one of that job would look the
        same: what the former did must neither run on nor be told then.
        """
        mine = dict(self._running)
        kept = await jobs.renew(telling, list(mine), owner=self.owner, lease=self.lease)
        lost = [running.task for key, running in mine.items() if key not in kept]
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
        await self._tell_ended(telling)

    async def _claim(
        self, db: Connection, stop: asyncio.Event, beside: Sequence[asyncio.Task[None]]
    ) -> None:
        """Claim until `stop` is set and all is told, or one of the tasks `beside` has failed."""
        while True:
            self._wake.clear()
            for task in beside:
                if task.done():
                    await task  # raises what ended it
            if stop.is_set():
                for running in self._running.values():
                    running.stop.set()
                if not self._running and not self._ended:
                    return
            elif await self._take(db):
                await asyncio.sleep(0)  # jobs that end at once leave room for others
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self.poll)

    async def _take(self, db: Connection) -> bool:
        """Claim what there is room for; whether there was any."""
        most = 1 if self.hold_back() else self.concurrency
        room = min(most - len(self._running), _BATCH)
        if room <= 0 or len(self._ended) > _UNTOLD * self.concurrency:
            self._more = True
            return False
        claimed = await jobs.claim(
            db,
            self.owner,
            most=room,
            per_key=self.per_key,
            kinds=self.handlers,
            lease=self.lease,
        )
        self._more = bool(claimed)
        for job in claimed:
            stop = asyncio.Event()
            task = asyncio.create_task(self._do(job, stop))
            self._running[job.id, job.epoch] = _Running(job, stop, task)
            task.add_done_callback(lambda task, job=job: self._note(job, task))  # type: ignore[misc]
        return self._more

    async def _do(self, job: ClaimedJob, stop: asyncio.Event) -> Outcome:
        try:
            return await self.handlers[job.kind](job, stop)
        except psycopg.Error as error:
            return self._of_error(job, explain(error))
        except SynclineError as error:
            return self._of_error(job, error)
        except Exception as error:  # noqa: BLE001 - kept with the job, which is tried again
            cause = _cause("unexpected", f"{type(error).__name__}: {error}")
        return Retry(retry_after(job.attempts, chance=random.random()), cause)  # noqa: S311

    def _of_error(self, job: ClaimedJob, error: SynclineError) -> Outcome:
        cause = _cause(type(error).__name__, str(error))
        if isinstance(error, DatabaseLost):
            return Lost(_DATABASE_SECONDS, cause)
        if isinstance(error, DatabaseUnavailable):
            return Snooze(_DATABASE_SECONDS, cause)
        return Retry(retry_after(job.attempts, chance=random.random()), cause)  # noqa: S311

    def _note(self, job: ClaimedJob, task: asyncio.Task[Outcome]) -> None:
        del self._running[job.id, job.epoch]
        self._ended.append((job, Released() if task.cancelled() else task.result()))
        self._news.set()
        if self._more:
            self._wake.set()

    async def _tell(self, telling: Connection) -> None:
        """Tell what has come of jobs, those that end meanwhile together."""
        while True:
            if not self._ended:
                self._news.clear()
                await self._news.wait()
            await self._tell_ended(telling)

    async def _tell_ended(self, telling: Connection) -> None:
        ended = list(self._ended)
        told = [each for each in ended if not isinstance(each[1], HandedOn)]
        states = await jobs.finish(telling, told) if told else {}
        del self._ended[: len(ended)]
        self._wake.set()
        for job, outcome in told:
            self.on_ended(job, outcome, states.get(job.id, "taken over"))

    async def _listen(self, listening: Connection) -> None:
        async for notice in listening.notifies():
            for running in self._running.values():
                if str(running.job.id) == notice.payload:
                    running.stop.set()
            self._wake.set()
        raise DatabaseUnavailable("The connection that listens for jobs was closed.")

    async def _renew(self, telling: Connection) -> None:
        """Keep the leases of what runs, and hear what is to be cancelled."""
        while True:
            await asyncio.sleep(self.lease / 5)
            mine = dict(self._running)
            if not mine:
                continue
            kept = await jobs.renew(telling, list(mine), owner=self.owner, lease=self.lease)
            for key, running in mine.items():
                if key not in kept:
                    running.task.cancel()
                elif kept[key]:
                    running.stop.set()


def _cause(code: str, message: str) -> dict[str, Json]:
    return {"code": code, "message": redact(message)}
