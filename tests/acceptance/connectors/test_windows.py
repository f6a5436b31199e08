"""A reading window is asked for at the source: what lies outside of it costs no request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from syncline.core.model import Json, Mode
from syncline.testing.fake_api import FakeApi
from syncline.testing.fakes.canvas import FakeCanvas
from syncline.testing.fakes.confluence import FakeConfluence
from syncline.testing.fakes.intercom import FakeIntercom
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from tests.acceptance.connectors.conftest import OpenApi
from tests.support.looking import configure

_TOKEN = "lantern-token-4711"
_EMAIL = "ann@example.com"
_AGENT = {"email": _EMAIL, "api_token": _TOKEN}
_OLD = 12
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


_Given = tuple[type[FakeApi], Callable[[Any], Callable[[str], object]], str, dict[str, Json], Any]
_SOURCES: dict[str, tuple[_Given, int]] = {
    "articles": ((FakeZendesk, _help_center, "zendesk", {}, _AGENT), 5),
    "tickets": (
        (FakeZendeskTickets, _tickets, "zendesk-tickets", {"internal_comments": False}, _AGENT),
        3,
    ),
    "help": ((FakeIntercom, _articles, "intercom", {}, {"token": _TOKEN}), 4),
    "conversations": (
        (FakeIntercom, _conversations, "intercom", {"read": ["conversations"]}, {"token": _TOKEN}),
        3,
    ),
    "pages": (
        (FakeConfluence, _pages, "confluence", {"include": ["page"]}, {"token": _TOKEN}),
        3,
    ),
    "announcements": (
        (FakeCanvas, _announcements, "canvas", {"read": ["announcements"]}, {"token": _TOKEN}),
        3,
    ),
    "files": ((FakeCanvas, _files, "canvas", {"read": ["files"]}, {"token": _TOKEN}), 5),
}
"""What is read, and how many requests a backfill of one new entry may take."""


async def _filled(server: FakeApi, add: Callable[[str], object]) -> datetime:
    """Old entries, and a year later a new one; gives a moment in between."""
    server.cap = 2
    for number in range(_OLD):
        add(f"old {number}")
    server.clock.advance(_YEAR)
    since = server.clock.now() - timedelta(days=30)
    add("new")
    return since


@pytest.mark.parametrize("name", _SOURCES)
async def test_a_backfill_asks_for_what_is_wanted(name: str, open_api: OpenApi) -> None:
    """One entry of thirteen was updated lately: the pages with the others are not asked for."""
    (fake, setup, kind, options, secrets), most = _SOURCES[name]
    async with fake() as server:
        since = await _filled(server, setup(server))
        address: Mapping[str, Json] = {"url": server.url, **options}
        async with open_api(server, kind, address, secrets) as synced:
            report = await synced.run(Mode.BACKFILL, since=since)
            assert report.counts["created"] == 1
            assert len(server.requests) <= most, [each.path for each in server.requests]
            assert len(await synced.documents()) == 1
            await synced.run()
            assert len(await synced.documents()) == _OLD + 1


async def test_a_window_that_is_opened_wider_reads_what_it_had_left_out(
    open_api: OpenApi,
) -> None:
    """Its first sync did not hear of old tickets, and the feed would never tell of them."""
    async with FakeZendeskTickets() as server:
        since = await _filled(server, _tickets(server))
        options = {"url": server.url, "internal_comments": False}
        async with open_api(server, "zendesk-tickets", options, _AGENT) as synced:
            await configure(synced.syncs, filter={"updated_since": since.isoformat()})
            first = await synced.run()
            assert (first.listed, len(server.requests)) == (1, 3)
            await configure(synced.syncs, filter={"updated_since": since.isoformat()})
            assert (await synced.run()).listed == 0
            await configure(synced.syncs, filter={})
            assert (await synced.run()).counts["created"] == _OLD
            later = {"updated_since": server.clock.now().isoformat()}
            await configure(synced.syncs, filter=later)
            assert len(await synced.documents()) == _OLD + 1
            assert (await synced.run()).counts["deleted"] == 0


async def test_more_than_a_help_center_sorts_is_read_whole(open_api: OpenApi) -> None:
    """Sorted lists end after a hundred pages; then a window is found in the complete list."""
    async with FakeZendesk() as server:
        add = _help_center(server)
        server.cap = 1
        for number in range(102):
            add(f"new {number}")
        since = server.clock.now() - timedelta(days=1)
        async with open_api(server, "zendesk", {"url": server.url}, _AGENT) as synced:
            report = await synced.run(Mode.BACKFILL, since=since)
            assert report.counts["created"] == 102
