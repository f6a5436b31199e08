"""What a check by a person tells of each source: who we are, and what of it may be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from syncline.connectors.intercom.spec import Kind
from syncline.core.errors import Rejected, SourceError, Unauthorized
from syncline.sync.checking import Checked, check_source
from syncline.testing.api_world import ApiWorld
from syncline.testing.fake_api import FakeApi
from syncline.testing.fake_server import answers
from syncline.testing.fakes.canvas import FakeCanvas
from syncline.testing.fakes.confluence import FakeConfluence
from syncline.testing.fakes.intercom import FakeIntercom
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from tests.conformance.test_canvas import CanvasWorld
from tests.conformance.test_confluence import ConfluenceWorld
from tests.conformance.test_intercom import IntercomWorld
from tests.conformance.test_zendesk import ArticlesWorld, TicketsWorld

_FORBIDDEN = answers(
    403, '{"error": {"title": "Forbidden", "message": "No access"}}', content_type="text/json"
)
_PAGE = answers(404, "<!doctype html><title>No such help center</title>")


def _everything(server: Any) -> ApiWorld:
    return IntercomWorld(server, *Kind)


def _anonymous(server: Any) -> ApiWorld:
    return ArticlesWorld(server, agent=False)


def _no_scope(server: Any) -> None:
    server.scopes_lack = ("/conversations",)


def _no_plan(server: Any) -> None:
    server.plan_lacks = ("/internal_articles",)


def _no_pages(server: Any) -> None:
    server.refusals.forbidden = {"page"}


def _few_scopes(server: Any) -> None:
    server.refusals.scopes = {"announcement", "assignment", "discussion"}


def _no(path: str) -> Callable[[Any], None]:
    """What lies at this path, with any query."""

    def forbid(server: Any) -> None:
        answer = server.answer

        async def answers_else(request: web.BaseRequest) -> web.StreamResponse:
            forbidden = request.path.endswith(path)
            return await (_FORBIDDEN(request) if forbidden else answer(request))

        server.answer = answers_else

    return forbid


async def _check(world: ApiWorld) -> Checked:
    async with world.open() as connector:
        return await check_source(connector)


_ALL_OF_INTERCOM = ["articles", "internal-articles", "conversations", "collections", "teammates"]
_ALL_OF_CANVAS = [
    f"{each} of Botany"
    for each in (
        *("announcements", "assignments", "syllabus", "discussions", "pages", "modules", "files"),
    )
]


@pytest.mark.parametrize(
    ("fake", "world", "reads"),
    [
        (FakeIntercom, _everything, _ALL_OF_INTERCOM),
        (FakeCanvas, CanvasWorld, _ALL_OF_CANVAS),
        (FakeConfluence, ConfluenceWorld, ["contents of DOCS", "changes of DOCS"]),
        (FakeZendesk, ArticlesWorld, ["articles", "sections", "categories", "changes"]),
        (FakeZendesk, _anonymous, ["articles", "sections", "categories"]),
        (FakeZendeskTickets, TicketsWorld, ["tickets"]),
    ],
)
async def test_all_that_a_connection_reads_is_asked_for(
    fake: type[FakeApi], world: Callable[[Any], ApiWorld], reads: list[str]
) -> None:
    """One of each kind of thing, and a request for each."""
    async with fake() as server:
        opened = world(server)
        await opened.settle()
        found = await _check(opened)
        assert [each.what for each in found.reads] == reads
        assert found.lacking == []
        assert len(server.requests) <= len(reads) + 2


@pytest.mark.parametrize(
    ("fake", "world", "refuse", "lacking", "says"),
    [
        (FakeIntercom, _everything, _no_scope, ["conversations"], "Give the app the permission"),
        (FakeIntercom, _everything, _no_plan, ["internal-articles"], "plan does not include"),
        (FakeCanvas, CanvasWorld, _no_pages, ["pages of Botany"], "its user may not read this"),
        (
            FakeCanvas,
            CanvasWorld,
            _few_scopes,
            [f"{each} of Botany" for each in ("syllabus", "pages", "modules", "files")],
            "The token's developer key",
        ),
        (
            FakeZendesk,
            ArticlesWorld,
            _no("/incremental/articles"),
            ["changes"],
            "needs an agent",
        ),
        (
            FakeZendeskTickets,
            TicketsWorld,
            _no("/tickets/cursor"),
            ["tickets"],
            "needs an agent",
        ),
        (FakeConfluence, ConfluenceWorld, _no("/content/search"), ["changes of DOCS"], "proxy"),
    ],
)
async def test_what_is_lacking_is_named_with_what_to_do(
    fake: type[FakeApi],
    world: Callable[[Any], ApiWorld],
    refuse: Callable[[Any], None],
    lacking: list[str],
    says: str,
) -> None:
    """A scope, a plan or a role that lets us in, but not to everything."""
    async with fake() as server:
        opened = world(server)
        await opened.settle()
        refuse(server)
        found = await _check(opened)
        assert found.account
        assert [each.what for each in found.reads if each.lacking] == lacking
        assert all(each.code == "forbidden" for each in found.lacking)
        assert says in str(found.lacking[0].hint)


def _somebody_else(world: Any) -> None:
    world.server.accepts = {"Bearer lantern-of-another"}


def _no_such_place(world: Any) -> None:
    world.server.misbehave(_PAGE)


def _unknown_language(world: Any) -> None:
    world.options = world.options.model_copy(update={"locales": ("xx",)})


def _end_user(world: Any) -> None:
    world.server.role = "end-user"


def _unknown_space(world: Any) -> None:
    world.options = world.options.model_copy(update={"spaces": ("NOWHERE",)})


@pytest.mark.parametrize(
    ("fake", "world", "spoil", "error", "says"),
    [
        (FakeIntercom, _everything, _somebody_else, Unauthorized, "--secret token"),
        (FakeCanvas, CanvasWorld, _somebody_else, Unauthorized, "access token"),
        (FakeConfluence, ConfluenceWorld, _somebody_else, Unauthorized, "token"),
        (FakeZendesk, ArticlesWorld, _somebody_else, Unauthorized, "--secret email"),
        (FakeZendeskTickets, TicketsWorld, _somebody_else, Unauthorized, "--secret email"),
        (FakeIntercom, _everything, _no_such_place, Rejected, "option `url`"),
        (FakeCanvas, CanvasWorld, _no_such_place, Rejected, "Check the address"),
        (FakeConfluence, ConfluenceWorld, _no_such_place, Rejected, "Check the address"),
        (FakeZendesk, ArticlesWorld, _no_such_place, Rejected, "Check the address"),
        (FakeZendesk, ArticlesWorld, _unknown_language, Rejected, "There are: en-us, de"),
        (FakeZendeskTickets, TicketsWorld, _end_user, Unauthorized, "an agent"),
        (FakeConfluence, ConfluenceWorld, _unknown_space, Rejected, "option spaces"),
    ],
)
async def test_who_is_not_let_in_at_all_is_told_why(
    fake: type[FakeApi],
    world: Callable[[Any], ApiWorld],
    spoil: Callable[[Any], None],
    error: type[SourceError],
    says: str,
) -> None:
    """A wrong token, a wrong address, a role, a language or a space that is not there."""
    async with fake() as server:
        opened = world(server)
        spoil(opened)
        with pytest.raises(error) as caught:
            await _check(opened)
        assert says in str(caught.value.hint)
