"""What is measured: for each source a world of so many entries, its quota, and how it is read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from syncline.core.model import Json
from syncline.core.quota import Bucket, Quota
from syncline.testing.clock import FakeClock
from syncline.testing.fake_api import FakeApi
from syncline.testing.fakes.canvas import FakeCanvas
from syncline.testing.fakes.confluence import FakeConfluence
from syncline.testing.fakes.intercom import FakeIntercom
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets

__all__ = ["LATENCY", "METERED", "SOURCES", "Source", "pages"]

LATENCY = 0.02
"""Seconds that each answer takes."""
_TOKEN = "benchmark-token-4711"
_EMAIL = "ann@example.com"
_AGO = timedelta(days=60)
_WORDS = 180
"""Of a text: some 1,300 characters."""
_FEW_WORDS = 12


class _WorldClock(FakeClock):
    """Moves through the past while the world is made; then it is now."""

    def __init__(self) -> None:
        super().__init__(datetime.now(UTC) - _AGO)
        self.live = False

    def now(self) -> datetime:
        return datetime.now(UTC) if self.live else super().now()


@dataclass(frozen=True, slots=True)
class Source:
    """One fake, and the connection that reads it."""

    name: str
    kind: str
    make: Callable[[FakeClock], FakeApi]
    add: Callable[[FakeApi, str, str], None]
    """Puts an entry with this title and text into the world."""
    edit: Callable[[FakeApi, str], None]
    """Changes the text of an entry in the middle."""
    quota: Quota
    """Of the vendor, which the fake keeps."""
    at_once: int
    """Requests under way at the same time where nothing has to wait for another."""
    options: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=lambda: {"token": _TOKEN})
    few: int | None = None
    """No more than so many requests where nothing has changed."""
    begin: Callable[[FakeApi], None] = lambda server: None
    each: int = 0
    """Requests that every entry takes besides the list; 0 where that brings the texts along."""

    def world(self, count: int, *, brief: bool = False) -> FakeApi:
        """The fake, with so many entries of the last two months.

        A brief one has short texts, and answers at once, as often as it is asked.
        """
        clock = _WorldClock()
        server = self.make(clock)
        server.latency = 0.0 if brief else LATENCY
        self.begin(server)
        step = (_AGO - timedelta(days=2)).total_seconds() / count
        for title, text in pages(count, _FEW_WORDS if brief else _WORDS):
            self.add(server, title, text)
            clock.advance(step)
        clock.live = True
        for bucket in (Bucket(1_000, 1),) if brief else self.quota:
            server.limit(bucket)
        return server


def pages(count: int, words: int = _WORDS) -> Iterator[tuple[str, str]]:
    """Titles and texts, of so many words in three sections, all different, the same each time."""
    choose = random.Random(4000)
    known = ["".join(choose.choices("abcdefghijklmnoprstuvw", k=n % 8 + 3)) for n in range(5_000)]
    for n in range(count):
        sections = (
            f"<h2>Section {section}</h2><p>{' '.join(choose.choices(known, k=words // 3))}.</p>"
            for section in range(3)
        )
        yield f"Page {n}", "".join(sections)


# --- Zendesk -------------------------------------------------------------------------------------


def _help_center(server: FakeApi) -> None:
    assert isinstance(server, FakeZendesk)
    server.locales = ["en-us"]
    server.let_in(_EMAIL, _TOKEN)


def _add_article(server: FakeApi, title: str, text: str) -> None:
    assert isinstance(server, FakeZendesk)
    server.create(title, text)


def _edit_article(server: FakeApi, added: str) -> None:
    assert isinstance(server, FakeZendesk)
    number = list(server.articles)[len(server.articles) // 2]
    text = server.articles[number].texts["en-us"]
    server.translate(number, "en-us", text.title, text.body + added)


def _agents(server: FakeApi) -> None:
    assert isinstance(server, FakeZendeskTickets)
    server.let_in(_EMAIL, _TOKEN)


def _add_ticket(server: FakeApi, title: str, text: str) -> None:
    assert isinstance(server, FakeZendeskTickets)
    server.create(title, text)


def _edit_ticket(server: FakeApi, added: str) -> None:
    assert isinstance(server, FakeZendeskTickets)
    server.comment(list(server.tickets)[len(server.tickets) // 2], added)


# --- Intercom ------------------------------------------------------------------------------------


def _workspace(server: FakeApi) -> None:
    assert isinstance(server, FakeIntercom)
    server.let_in(_TOKEN)


def _add_help(server: FakeApi, title: str, text: str) -> None:
    assert isinstance(server, FakeIntercom)
    server.create(title, text)


def _edit_help(server: FakeApi, added: str) -> None:
    assert isinstance(server, FakeIntercom)
    number = list(server.articles)[len(server.articles) // 2]
    server.update(number, body=server.articles[number]["body"] + added)


def _add_talk(server: FakeApi, title: str, text: str) -> None:
    assert isinstance(server, FakeIntercom)
    server.talk(text, subject=title)


def _edit_talk(server: FakeApi, added: str) -> None:
    assert isinstance(server, FakeIntercom)
    server.say(list(server.conversations)[len(server.conversations) // 2], added)


# --- Confluence ----------------------------------------------------------------------------------


def _space(server: FakeApi) -> None:
    assert isinstance(server, FakeConfluence)
    server.let_in(_TOKEN)
    server.add_space("DOCS", "Documentation")


def _add_page(server: FakeApi, title: str, text: str) -> None:
    assert isinstance(server, FakeConfluence)
    server.create("DOCS", title, text)


def _edit_page(server: FakeApi, added: str) -> None:
    assert isinstance(server, FakeConfluence)
    number = list(server.contents)[len(server.contents) // 2]
    server.update(number, server.contents[number].body + added)


def _add_attachment(server: FakeApi, title: str, text: str) -> None:
    assert isinstance(server, FakeConfluence)
    home = next(iter(server.contents), None) or server.create("DOCS", "Home")
    server.create("DOCS", f"{title}.html", text, kind="attachment", parent=home)


# --- Canvas --------------------------------------------------------------------------------------


def _course(server: FakeApi) -> None:
    assert isinstance(server, FakeCanvas)
    server.accepts = {f"Bearer {_TOKEN}"}
    server.create_course("Botany")


def _add_lesson(server: FakeApi, title: str, text: str) -> None:
    assert isinstance(server, FakeCanvas)
    server.create("page", next(iter(server.courses)), title, text)


def _edit_lesson(server: FakeApi, added: str) -> None:
    assert isinstance(server, FakeCanvas)
    number = list(server.things)[len(server.things) // 2]
    server.edit(number, server.things[number].text + added)


def _add_discussion(server: FakeApi, title: str, text: str) -> None:
    assert isinstance(server, FakeCanvas)
    number = server.create("discussion", next(iter(server.courses)), title, text)
    server.answer_to(number, "Bob", text)


# --- all of them ---------------------------------------------------------------------------------

_ZENDESK = {"email": _EMAIL, "api_token": _TOKEN}
_A_SECOND = (Bucket(10, 1),)

SOURCES = (
    Source(
        "zendesk",
        "zendesk",
        FakeZendesk,
        _add_article,
        _edit_article,
        (Bucket(700, 60),),
        1,
        secrets=_ZENDESK,
        few=2,
        begin=_help_center,
    ),
    Source(
        "intercom",
        "intercom",
        FakeIntercom,
        _add_help,
        _edit_help,
        (Bucket(1_666, 10),),
        1,
        few=2,
        begin=_workspace,
    ),
    Source(
        "confluence",
        "confluence",
        FakeConfluence,
        _add_page,
        _edit_page,
        _A_SECOND,
        1,
        options={"include": ["page"]},
        few=2,
        begin=_space,
    ),
    Source(
        "canvas",
        "canvas",
        FakeCanvas,
        _add_lesson,
        _edit_lesson,
        _A_SECOND,
        1,
        options={"read": ["pages"]},
        begin=_course,
    ),
)
"""Whose lists bring texts along."""
METERED = (
    Source(
        "zendesk",
        "zendesk-tickets",
        FakeZendeskTickets,
        _add_ticket,
        _edit_ticket,
        (Bucket(700, 60),),
        8,
        options={"internal_comments": False},
        secrets=_ZENDESK,
        begin=_agents,
        each=1,
    ),
    Source(
        "intercom",
        "intercom",
        FakeIntercom,
        _add_talk,
        _edit_talk,
        (Bucket(1_666, 10),),
        8,
        options={"read": ["conversations"]},
        begin=_workspace,
        each=1,
    ),
    Source(
        "confluence",
        "confluence",
        FakeConfluence,
        _add_attachment,
        _edit_page,
        _A_SECOND,
        4,
        options={"include": ["attachment"]},
        begin=_space,
        each=2,
    ),
    Source(
        "canvas",
        "canvas",
        FakeCanvas,
        _add_discussion,
        _edit_lesson,
        _A_SECOND,
        2,
        options={"read": ["discussions"]},
        begin=_course,
        each=2,
    ),
)
"""Where every entry is asked for by itself, so that the quota decides."""
