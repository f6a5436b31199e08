"""The two entries that a ticket becomes, and the text of its conversation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from syncline.connectors.contents import html
from syncline.connectors.zendesk_tickets.wire import Comment, Ticket
from syncline.core.model import Content, Entry, Metadata

__all__ = ["conversation", "entry_of", "name_of"]

_AGENTS = "zendesk:agents"


def name_of(number: str, *, internal: bool) -> str:
    """The entry's id."""
    return f"ticket:{number}:internal" if internal else f"ticket:{number}"


def entry_of(ticket: Ticket, site: str, *, internal: bool) -> Entry:
    """What the requester may read, or what only agents may."""
    stamp = ticket.updated_at or datetime.fromtimestamp(0, UTC)
    return Entry(
        id=name_of(ticket.id, internal=internal),
        version=f"{stamp.isoformat()}/{ticket.generated_timestamp or 0}",
        locator={"ticket": ticket.id} | ({"internal": True} if internal else {}),
        parent=f"ticket:{ticket.id}" if internal else None,
        metadata=_about(ticket, site),
    )


def conversation(
    ticket: Ticket, comments: Sequence[Comment], site: str, *, internal: bool
) -> Content:
    """What was said: a heading for each comment, so that they are passages apart."""
    parts = [f"<article><h1>{escape(ticket.subject)}</h1>"]
    for each in comments:
        when = "" if each.created_at is None else f", {each.created_at:%Y-%m-%d %H:%M}"
        who = "Requester" if each.author_id == ticket.requester_id else "Agent"
        text = each.html_body or f"<p>{escape(each.plain_body or each.body)}</p>"
        parts.append(f"<h2>{who}{when}</h2>\n{text}")
    readers = [_AGENTS]
    if ticket.requester_id and not internal:
        readers.append(f"zendesk:user:{ticket.requester_id}")
    return html("\n".join([*parts, "</article>"]), _about(ticket, site), tuple(readers))


def _about(ticket: Ticket, site: str) -> Metadata:
    named = {
        "status": ticket.status,
        "priority": ticket.priority,
        "type": ticket.type,
        "requester_id": ticket.requester_id,
        "assignee_id": ticket.assignee_id,
        "organization_id": ticket.organization_id,
    }
    return Metadata(
        title=ticket.subject or f"Ticket {ticket.id}",
        url=f"{site}/agent/tickets/{ticket.id}",
        tags=tuple(sorted(ticket.tags)),
        created_at=ticket.created_at,
        updated_at=ticket.updated_at,
        properties={name: value for name, value in named.items() if value},
    )
