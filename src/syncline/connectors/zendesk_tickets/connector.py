"""Reads tickets through the cursor export, and each one's comments when it is fetched.

A ticket is two entries: what its requester may read, and what only agents may.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from urllib.parse import quote

from syncline.connectors.json_api import Answer, JsonApi
from syncline.connectors.marks import cursor_value
from syncline.connectors.paging import cursor_if, follow, resumed, rows_of
from syncline.connectors.wire import read, readable, rows
from syncline.connectors.zendesk.account import HINT, after_cursor
from syncline.connectors.zendesk_tickets.entries import conversation, entry_of, name_of
from syncline.connectors.zendesk_tickets.spec import TicketOptions
from syncline.connectors.zendesk_tickets.wire import Comment, Ticket
from syncline.core.errors import NotFound, Unauthorized
from syncline.core.model import (
    Change,
    Checkpoint,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Locator,
    Partition,
    Validators,
)
from syncline.core.ports import Context, Probes

__all__ = ["TicketConnector"]

_EXPORT = "/api/v2/incremental/tickets/cursor"
_VERSION = 2
_OVERLAP = 3_600
"""Seconds that are read again where the source takes a cursor no more."""
_REMEMBERED = 64
_ROWS = 2_048
"""Tickets that the export has told; as many as may wait to be fetched."""


class TicketConnector:
    """The tickets of one account."""

    def __init__(self, options: TicketOptions, context: Context, *, authenticated: bool) -> None:
        if not authenticated:
            raise Unauthorized("Tickets cannot be read without credentials", hint=HINT)
        self._options = options
        self._context = context
        self._api = JsonApi(context.http, options.url)
        self._comments: OrderedDict[
            tuple[str, bool], asyncio.Future[tuple[Ticket, list[Comment]]]
        ] = OrderedDict()
        self._rows: OrderedDict[str, Ticket] = OrderedDict()

    async def check(self) -> Identity:
        answer = await self._api.get("/api/v2/users/me")
        user = answer.object().get("user")
        role = user.get("role") if isinstance(user, dict) else None
        if not isinstance(user, dict) or not user.get("id"):
            raise Unauthorized(
                "Zendesk does not say who we are: the credentials are nobody's",
                hint="Give an agent's e-mail address and API token.",
            )
        if role not in ("admin", "agent"):
            raise Unauthorized(
                f"The account's user is {role!r}, and only agents may export tickets",
                hint="Give the credentials of an agent or an administrator.",
            )
        return Identity(str(user.get("email") or user["id"]), {"role": role})

    async def probes(self) -> Probes:
        recent = self._start(self._context.clock.now().timestamp() - _OVERLAP)
        return {"tickets": partial(self._api.get, f"{_EXPORT}?{recent}")}

    async def partitions(self) -> Sequence[Partition]:
        return (Partition("tickets", title="Tickets"),)

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        after, reached = _place(cursor)
        window = self._context.since
        beginning = self._start(max(reached - _OVERLAP, window.timestamp() if window else 0))
        place = f"cursor={quote(after)}" if after else beginning
        async for page in resumed(self._export, place, beginning, self._context.warn):
            for row in rows(Ticket, page.data, "tickets", page.what):
                if isinstance(row, Ticket):
                    reached = max(reached, row.generated_timestamp or 0)
                    self._note(row)
                for each in self._of(row):
                    yield each
            following = page.object().get("after_cursor")
            if isinstance(following, str) and following:
                yield Checkpoint(Cursor(_VERSION, {"after": following, "reached": reached}))

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        async for row in rows_of(self._export(self._start()), Ticket, "tickets"):
            for each in self._of(row):
                if not isinstance(each, Gone):
                    yield each

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        number, internal = str(locator["ticket"]), bool(locator.get("internal"))
        name = name_of(number, internal=internal)
        try:
            ticket, comments = await self._conversation(number, internal=internal)
        except NotFound:
            return Gone(name, "there is no such ticket any more")
        if ticket.gone:
            return Gone(name, "the ticket was deleted")
        # A comment that does not say that it is public is not.
        chosen = [each for each in comments if (each.public is not True) == internal]
        if internal and not chosen:
            return Gone(name, "the ticket has no internal notes")
        return conversation(ticket, chosen, self._options.url, internal=internal)

    def _start(self, since: float = 0) -> str:
        """Where the export begins: at a time in seconds, or where the options say, if later."""
        if self._options.days is not None:
            first = self._context.clock.now() - timedelta(days=self._options.days)
            since = max(since, first.timestamp())
        return f"start_time={int(max(since, 0))}"

    async def _export(self, place: str) -> AsyncGenerator[Answer, None]:
        async def page(place: str) -> Answer:
            return await self._api.get(f"{_EXPORT}?{place}")

        async for answer in follow(place, page, _following):
            yield answer

    def _of(self, row: Ticket | Failed) -> Sequence[Entry | Gone | Failed]:
        if isinstance(row, Failed):
            return (row,)
        kinds = (False, True) if self._options.internal_comments else (False,)
        if row.gone:
            names = [name_of(row.id, internal=each) for each in kinds]
            return [Gone(each, "the ticket was deleted") for each in names]
        return [entry_of(row, self._options.url, internal=each) for each in kinds]

    async def _conversation(self, number: str, *, internal: bool) -> tuple[Ticket, list[Comment]]:
        """The ticket and its comments, asked for once for the two entries that it is."""
        known = self._comments.pop((number, internal), None)
        if known is None:
            known = asyncio.ensure_future(self._read(number))
            if self._options.internal_comments:
                self._comments[number, not internal] = known
            while len(self._comments) > _REMEMBERED:
                self._comments.popitem(last=False)
        return await known

    def _note(self, row: Ticket) -> None:
        """Keep what the export says of a ticket, so that it need not be asked for.

        What was read of it before may be older than that.
        """
        for internal in (False, True):
            self._comments.pop((row.id, internal), None)
        self._rows.pop(row.id, None)
        if not row.gone:
            self._rows[row.id] = row
        if len(self._rows) > _ROWS:
            self._rows.popitem(last=False)

    async def _read(self, number: str) -> tuple[Ticket, list[Comment]]:
        ticket = self._rows.pop(number, None)
        if ticket is None:
            answer = await self._api.get(f"/api/v2/tickets/{quote(number)}")
            ticket = read(Ticket, answer.object().get("ticket"), answer.what)

        async def page(place: str) -> Answer:
            path = f"/api/v2/tickets/{quote(number)}/comments"
            return await self._api.get(path, {"page[size]": 100, "page[after]": place or None})

        pages = follow("", page, lambda answer, _: after_cursor(answer))
        return ticket, [readable(each) async for each in rows_of(pages, Comment, "comments")]


def _place(cursor: Cursor | None) -> tuple[str, int]:
    """The export's cursor, and the time that it has got to. Raises `Rejected`."""
    if cursor is None:
        return "", 0
    if cursor.version == 1:  # it held nothing else
        return cursor_value(cursor, 1, str), 0
    value = cursor_value(cursor, _VERSION, dict)
    return str(value["after"]), int(value["reached"])


def _following(page: Answer, place: str) -> str | None:
    data = page.object()
    over = data.get("end_of_stream")
    after = cursor_if(page, not over if isinstance(over, bool) else None, data.get("after_cursor"))
    return None if after is None else f"cursor={quote(after)}"
