"""A fake of Zendesk's tickets: the cursor export and comments, as its documentation describes them.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/incremental_exports/
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from syncline.testing.clock import FakeClock
from syncline.testing.fake_api import Asked, FakeApi, Reply
from syncline.testing.fakes.zendesk import limit_headers

__all__ = ["FakeTicket", "FakeZendeskTickets"]

_EXPORT_ROWS = 1000
_UNTOLD = timedelta(minutes=1)
"""What happened within this time the export leaves out."""


@dataclass(slots=True)
class FakeComment:
    id: int
    author: int
    body: str
    public: bool | None
    created_at: datetime


@dataclass(slots=True)
class FakeTicket:
    id: int
    subject: str
    requester: int | None
    created_at: datetime
    updated_at: datetime
    generated: int
    """Moves with whatever the system does, too; the export goes by it."""
    status: str = "open"
    tags: list[str] = field(default_factory=list)
    comments: list[FakeComment] = field(default_factory=list)
    scrubbed: bool = False

    @property
    def gone(self) -> bool:
        return self.scrubbed or self.status == "deleted"

    @property
    def description(self) -> str:
        return "X" if self.gone else self.comments[0].body


class FakeZendeskTickets(FakeApi):
    """Edits are methods."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__(clock)
        self.tickets: dict[int, FakeTicket] = {}
        self.role = "agent"
        self.accepts = set()
        self._ids = count(1)
        self._order = count(1)

    def let_in(self, email: str, token: str) -> None:
        """An agent, with an API token."""
        assert self.accepts is not None
        pair = base64.b64encode(f"{email}/token:{token}".encode()).decode()
        self.accepts.add(f"Basic {pair}")

    # The world.

    def create(self, subject: str, text: str, *, requester: int = 501) -> int:
        """A ticket whose first comment is public."""
        now = self.now().replace(microsecond=0)
        made = FakeTicket(next(self._ids), subject, requester, now, now, 0)
        self.tickets[made.id] = made
        self.comment(made.id, text, author=requester)
        return made.id

    def comment(self, ticket: int, text: str, *, public: bool = True, author: int = 9) -> None:
        """Another comment."""
        now = self.now().replace(microsecond=0)
        made = FakeComment(next(self._ids), author, text, public, now)
        self.tickets[ticket].comments.append(made)
        self.tickets[ticket].updated_at = now
        self._touch(ticket)

    def rewrite(self, ticket: int, text: str) -> None:
        """The last public comment says something else (as after a redaction)."""
        last = [each for each in self.tickets[ticket].comments if each.public][-1]
        last.body = text
        self.tickets[ticket].updated_at = self.now().replace(microsecond=0)
        self._touch(ticket)

    def delete(self, ticket: int) -> None:
        """It stays in the export, as a husk."""
        self.tickets[ticket].status = "deleted"
        self._touch(ticket)

    def scrub(self, ticket: int) -> None:
        """It is erased, as for data protection; its status stays what it was."""
        self.tickets[ticket].scrubbed = True
        self._touch(ticket)

    def recompute(self, ticket: int) -> None:
        """The system touches it: `updated_at` stays as old as it was."""
        self._touch(ticket)

    def _touch(self, ticket: int) -> None:
        found = self.tickets.pop(ticket)
        found.generated = int(self.now().timestamp())
        self.tickets[ticket] = found  # last in the order of the export

    # What it answers.

    def headers(self, asked: Asked) -> Mapping[str, str]:
        return {**super().headers(asked), **limit_headers(self, asked)}

    async def reply(self, asked: Asked) -> Reply:
        match asked.path.removesuffix(".json").split("/")[3:]:
            case ["users", "me"]:
                return self._me(asked)
            case ["incremental", "tickets", "cursor"]:
                return self._export(asked)
            case ["tickets", number] if self._there(number):
                return Reply({"ticket": self._row(self.tickets[int(number)])})
            case ["tickets", number, "comments"] if self._there(number):
                return self._comments(self.tickets[int(number)], asked)
        return Reply({"error": "RecordNotFound", "description": "Not found"}, 404)

    def _there(self, number: str) -> bool:
        found = self.tickets.get(int(number)) if number.isdigit() else None
        return found is not None and not found.gone

    def _me(self, asked: Asked) -> Reply:
        if "authorization" not in asked.headers:
            return Reply({"user": {"id": None, "name": "Anonymous user", "role": "end-user"}})
        return Reply({"user": {"id": 9, "email": "ann@example.com", "role": self.role}})

    def _export(self, asked: Asked) -> Reply:
        until = (self.now() - _UNTOLD).timestamp()
        found = [each for each in self.tickets.values() if each.generated <= until]
        found.sort(key=lambda each: each.generated)
        if cursor := asked.one("cursor"):
            last = self.place(cursor)
            if last is None:
                return Reply({"error": "InvalidValue", "description": "cursor is not valid"}, 400)
            stamp, _, number = last.partition("|")
            place = (int(stamp), int(number))
            found = [each for each in found if (each.generated, each.id) > place]
        elif asked.one("start_time"):
            start = asked.number("start_time", 0)
            found = [each for each in found if each.generated >= start]
        else:
            return Reply({"error": "StartTimeMissing", "description": "start_time is missing"}, 400)
        found.sort(key=lambda each: (each.generated, each.id))
        page = found[: self.page_size(_EXPORT_ROWS)]
        over = len(page) == len(found)
        after = None
        if page:
            after = self.cursor(f"{page[-1].generated}|{page[-1].id}")
        # An exhausted cursor is answered without one.
        return Reply(
            {
                "tickets": [self._row(each) for each in page],
                "after_cursor": after,
                "after_url": None if after is None else self.link(f"{asked.path}?cursor={after}"),
                "before_cursor": None,
                "before_url": None,
                "end_of_stream": over,
            }
        )

    def _comments(self, ticket: FakeTicket, asked: Asked) -> Reply:
        size = self.page_size(asked.number("page[size]", 100, 100))
        after = asked.one("page[after]")
        found = [each for each in ticket.comments if not after or each.id > int(after)]
        page = found[:size]
        return Reply(
            {
                "comments": [
                    {
                        "id": each.id,
                        "type": "Comment",
                        "author_id": each.author,
                        "body": each.body,
                        "html_body": f'<div class="zd-comment"><p>{each.body}</p></div>',
                        "plain_body": each.body,
                        "public": each.public,
                        "attachments": [],
                        "created_at": _iso(each.created_at),
                    }
                    for each in page
                ],
                "meta": {
                    "has_more": len(found) > size,
                    "after_cursor": str(page[-1].id) if page else None,
                    "before_cursor": None,
                },
            }
        )

    def _row(self, ticket: FakeTicket) -> dict[str, Any]:
        return {
            "id": ticket.id,
            "subject": "SCRUBBED" if ticket.gone else ticket.subject,
            "description": ticket.description,
            "status": ticket.status,
            "priority": None,
            "type": None,
            "requester_id": ticket.requester,
            "assignee_id": None,
            "organization_id": None,
            "tags": ticket.tags,
            "created_at": _iso(ticket.created_at),
            "updated_at": _iso(ticket.updated_at),
            "generated_timestamp": ticket.generated,
        }


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
