"""Alerts: reads the events, and tells people of troubles, not too often, and of their end.

Any number of services may run at once. Each event is read by one of them; what is to be told is
stored in the same transaction, and delivered at least once: by another service where the one
that was at it has died. The same trouble of one connection is told again only after `every`
seconds; one that was over before anybody was told is not told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from syncline.core.errors import DatabaseUnavailable
from syncline.core.events import TROUBLES, Event, EventKind
from syncline.store.alerts import (
    Delivery,
    about_to_be_told,
    claim_deliveries,
    delivered,
    not_delivered,
    open_kinds,
    recovery_to_be_told,
    tell,
)
from syncline.store.database import Connection, Database
from syncline.store.events import take_events
from syncline.sync.alert_channels import Channel, NotSent
from syncline.sync.event_words import message_of

__all__ = ["Alerts"]

_log = logging.getLogger("syncline.alerts")
_READER = "alerts"
_LOOK_SECONDS = 2.0
_AT_ONCE = 20
_FIRST_SECONDS = 5.0
_MOST_SECONDS = 600.0
_SAY_THE_SAME = {
    EventKind.RUN_FAILING.value,
    EventKind.AUTHENTICATION_FAILED.value,
    EventKind.NEEDS_ATTENTION.value,
}
"""Whoever was told one of these need not be told that the job has died of it."""


@dataclass(slots=True)
class Alerts:
    """Looks every two seconds until it is told to stop."""

    database: Database
    channels: Sequence[Channel]
    every: float
    """Seconds between two alerts of one kind about one connection."""
    on_trouble: Callable[[str], None] = field(default=lambda message: None)

    async def run(self, stop: asyncio.Event) -> None:
        """A database that went away is waited for."""
        while not stop.is_set():
            try:
                async with await self.database.connect(application="syncline alerts") as db:
                    while not stop.is_set():
                        await self.run_once(db)
                        await _until(stop)
            except (psycopg.OperationalError, DatabaseUnavailable):
                await _until(stop)  # whoever plans or works has said so

    async def run_once(self, db: Connection) -> int:
        """Read what has happened, and deliver what is due; how many messages got through."""
        while True:
            async with db.transaction():
                events = await take_events(db, _READER)
                for event in events or ():
                    await self._note(db, event)
            if not events:
                break
        sent = 0
        while claimed := await claim_deliveries(
            db, [each.name for each in self.channels], most=_AT_ONCE
        ):
            results = await asyncio.gather(*(self._send(each) for each in claimed))
            for delivery, why in zip(claimed, results, strict=True):
                if why is None:
                    await delivered(db, delivery)
                    sent += 1
                else:
                    await self._try_again(db, delivery, why)
        return sent

    async def _note(self, db: Connection, event: Event) -> None:
        workspace, connection = event.workspace_id, event.connection_id
        names = [each.name for each in self.channels]
        if event.kind == EventKind.RECOVERED:
            kind = str(event.payload.get("kind"))
            if connection is None:
                return
            spared = await recovery_to_be_told(db, workspace, connection, kind, every=self.every)
            if spared is not None:
                names = [name for name in names if name not in spared]
                await tell(db, workspace, connection, kind, message_of(event), channels=names)
            return
        if event.kind not in TROUBLES:
            return  # of a newer version
        if (
            event.kind == EventKind.JOB_DEAD
            and connection is not None
            and _SAY_THE_SAME & await open_kinds(db, workspace, connection)
        ):
            return
        at = await about_to_be_told(
            db, workspace, connection, event.kind, since=event.created_at, every=self.every
        )
        if at is not None:
            await tell(
                db, workspace, connection, event.kind, message_of(event), channels=names, at=at
            )

    async def _send(self, delivery: Delivery) -> str | None:
        channel = next(each for each in self.channels if each.name == delivery.channel)
        try:
            await channel.send(delivery.message)
        except NotSent as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - what nobody thought of must not end the others
            _log.exception("An alert could not be sent.")
            return type(error).__name__
        return None

    async def _try_again(self, db: Connection, delivery: Delivery, why: str) -> None:
        seconds = min(_FIRST_SECONDS * 2.0 ** (delivery.attempts - 1), _MOST_SECONDS)
        await not_delivered(db, delivery, why, again=seconds)
        if delivery.attempts in (1, 5) or delivery.attempts % 50 == 0:
            self.on_trouble(f"An alert was not delivered, and is sent again: {why}")


async def _until(stop: asyncio.Event) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
