"""A reading window is asked for at the source: what lies outside of it costs no request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from syncline.connectors.canvas.spec import SPEC as CANVAS
from syncline.connectors.confluence.spec import SPEC as CONFLUENCE
from syncline.connectors.intercom.spec import SPEC as INTERCOM
from syncline.connectors.zendesk.spec import SPEC as ZENDESK
from syncline.connectors.zendesk_tickets.spec import SPEC as TICKETS
from syncline.core.model import Entry, Json
from syncline.core.ports import ConnectorSpec, Context
from syncline.testing.fake_api import FakeApi
from syncline.testing.fakes.canvas import FakeCanvas
from syncline.testing.fakes.confluence import FakeConfluence
from syncline.testing.fakes.intercom import FakeIntercom
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from syncline.transport.http import HttpSession

_TOKEN = "lantern-token-4711"
_EMAIL = "ann@example.com"
_AGENT = {"email": _EMAIL, "api_token": _TOKEN}
_OLD = 8
_YEAR = 365 * 86_400.0


def _help_center(server: FakeZendesk) -> Callable[[str], object]:
    server.let_in(_EMAIL, _TOKEN)
    server.locales = ["en-us"]
    return lambda name: server.create(name, f"<p>All about {name}.</p>")


def _tickets(server: FakeZendeskTickets) -> Callable[[str], object]:
    server.let_in(_EMAIL, _TOKEN)
    return lambda name: server.create(name, f"All about {name}.")


def _conversations(server: FakeIntercom) -> Callable[[str], object]:
    server.let_in(_TOKEN)
    return lambda name: server.talk(f"<p>All about {name}.</p>", subject=name)


def _articles(server: FakeIntercom) -> Callable[[str], object]:
    server.let_in(_TOKEN)
    return lambda name: server.create(name, f"<p>All about {name}.</p>")


def _pages(server: FakeConfluence) -> Callable[[str], object]:
    server.let_in(_TOKEN)
    server.add_space("DOCS")
    return lambda name: server.create("DOCS", name, f"<p>All about {name}.</p>")


def _announcements(server: FakeCanvas) -> Callable[[str], object]:
    server.accepts = {f"Bearer {_TOKEN}"}
    course = server.create_course("Botany")
    return lambda name: server.create("announcement", course, name, f"<p>All about {name}.</p>")


def _files(server: FakeCanvas) -> Callable[[str], object]:
    server.accepts = {f"Bearer {_TOKEN}"}
    course = server.create_course("Botany")
    return lambda name: server.create("file", course, f"{name}.md", f"All about {name}.")


_Given = tuple[type[FakeApi], Callable[[Any], Callable[[str], object]], ConnectorSpec, Any]
_SOURCES: dict[str, tuple[_Given, int]] = {
    "articles": ((FakeZendesk, _help_center, ZENDESK, {}), 4),
    "tickets": ((FakeZendeskTickets, _tickets, TICKETS, {"internal_comments": False}), 1),
    "help": ((FakeIntercom, _articles, INTERCOM, {}), 3),
    "conversations": ((FakeIntercom, _conversations, INTERCOM, {"read": ["conversations"]}), 2),
    "pages": ((FakeConfluence, _pages, CONFLUENCE, {"include": ["page"]}), 4),
    "announcements": ((FakeCanvas, _announcements, CANVAS, {"read": ["announcements"]}), 2),
    "files": ((FakeCanvas, _files, CANVAS, {"read": ["files"]}), 2),
}
"""What is read, and how many requests the changes since a moment take where one is new."""


async def _read(
    server: FakeApi, spec: ConnectorSpec, options: Mapping[str, Json], since: datetime | None
) -> set[str]:
    """The titles of what is listed as changed."""
    given = {"url": server.url, "allow_private_hosts": ["127.0.0.1"], **options}
    secrets = spec.secrets.model_validate(
        _AGENT if "api_token" in spec.secrets.model_fields else {"token": _TOKEN}
    )
    parsed = spec.options.model_validate(given)
    assert spec.authenticate is not None
    server.requests.clear()
    async with HttpSession(
        allow_private_hosts=["127.0.0.1"],
        authentication=spec.authenticate(parsed, secrets),
        explain=spec.explain,
        clock=server.clock,
        sleep=server.clock.sleep,
    ) as http:
        context = Context(http=http, clock=server.clock, since=since)
        async with spec.open(parsed, secrets, context) as connector:
            return {
                each.metadata.title or ""
                for partition in await connector.partitions()
                async for each in connector.changes(partition, None)
                if isinstance(each, Entry)
            }


async def _fill(server: FakeApi, add: Callable[[str], object]) -> datetime:
    """Old entries, and a year later a new one; gives a moment in between."""
    server.cap = 2
    for number in range(_OLD):
        add(f"old {number}")
    server.clock.advance(_YEAR)
    since = server.clock.now() - timedelta(days=30)
    add("new")
    server.clock.advance(600)
    return since


@pytest.mark.parametrize("name", _SOURCES)
async def test_a_source_is_asked_for_what_is_wanted(name: str) -> None:
    """One entry of nine was updated lately: the pages with the others are not asked for."""
    (fake, setup, spec, options), most = _SOURCES[name]
    async with fake() as server:
        since = await _fill(server, setup(server))
        found = await _read(server, spec, options, since)
        assert any(title.startswith("new") for title in found)
        assert len(found) <= 2, "more than the page that the new one is on"
        assert server.count() <= most, [each.path for each in server.requests]
        everything = await _read(server, spec, options, None)
        assert len(everything) == _OLD + 1
        assert server.count() > most


async def test_more_than_a_help_center_sorts_is_read_whole() -> None:
    """Sorted lists end after some pages; then what is wanted is among the complete list."""
    async with FakeZendesk() as server:
        add = _help_center(server)
        server.cap, server.most_numbered = 1, 2
        since = server.clock.now() - timedelta(days=1)
        for number in range(4):
            add(f"new {number}")
        assert len(await _read(server, ZENDESK, {}, since)) == 4
