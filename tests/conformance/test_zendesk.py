"""Zendesk's help centers and tickets, through the conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from syncline.connectors.zendesk.spec import SPEC
from syncline.connectors.zendesk_tickets.spec import SPEC as TICKETS
from syncline.testing.connector_suite import ApiSuite, ApiWorld
from syncline.testing.fakes.zendesk import FakeZendesk, limit_exports
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets

_EMAIL, _TOKEN = "ann@example.com", "lantern-token-4711"


class ArticlesWorld(ApiWorld):
    """Articles in two languages, one of them a draft, beneath two sections."""

    budget = 2

    def __init__(self, server: FakeZendesk, *, agent: bool = True) -> None:
        secrets = {"email": _EMAIL, "api_token": _TOKEN} if agent else {}
        super().__init__(
            SPEC,
            SPEC.options.model_validate({"url": server.url, "allow_private_hosts": ["127.0.0.1"]}),
            server,
            SPEC.secrets.model_validate(secrets),
        )
        self.site = server
        self.numbers: dict[str, int] = {}
        self.agent = agent
        limit_exports(server)
        if agent:
            server.let_in(_EMAIL, _TOKEN)
        draft = server.create("Not yet", "Nobody's business.")
        server.unpublish(draft)
        self.draft = draft

    async def add(self, name: str, text: str) -> str:
        if name in self.numbers:
            await self.edit(name, text)
        else:
            self.numbers[name] = self.site.create(f"About {name}", f"<p>{text}</p>")
        return f"article:{self.numbers[name]}:en-us"

    async def edit(self, name: str, text: str) -> None:
        self.site.translate(self.numbers[name], "en-us", f"About {name}", f"<p>{text}</p>")

    async def rename(self, name: str) -> str:
        number, title = self.numbers[name], f"Renamed: {name}"
        body = self.site.articles[number].texts["en-us"].body
        self.site.translate(number, "en-us", title, body)
        return title

    async def remove(self, name: str) -> None:
        self.site.archive(self.numbers.pop(name))

    async def readers(self, name: str) -> tuple[str, ...] | None:
        segment = self.site.articles[self.numbers[name]].segment
        return None if segment is None else (f"zendesk:segment:{segment}",)

    async def restrict(self, name: str) -> None:
        self.site.restrict(self.numbers[name], 4242)

    async def expected_texts(self) -> dict[str, str]:
        return {
            f"article:{article.id}:{locale}": text.body
            for article in self.site.articles.values()
            for locale, text in article.texts.items()
            if not text.draft
        }


class TestArticles(ApiSuite):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ApiWorld]:
        async with FakeZendesk() as server:
            yield ArticlesWorld(server)


class PublicWorld(ArticlesWorld):
    """The same, as everybody sees it who has no credentials: whom it is for is not told."""

    budget = 3  # what languages there are, and the newest of each

    def __init__(self, server: FakeZendesk) -> None:
        super().__init__(server, agent=False)
        can = replace(SPEC.capabilities, access_lists=False)
        self.spec = replace(SPEC, capabilities=can)

    def refuse_credentials(self) -> None:
        """From now on, it wants a log-in."""
        self.site.anonymous = False


class TestPublicArticles(ApiSuite):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ApiWorld]:
        async with FakeZendesk() as server:
            yield PublicWorld(server)


class TicketsWorld(ApiWorld):
    """Tickets with public comments, one of them deleted before."""

    budget = 2
    access_changes = False  # they are their requesters', and agents'

    def __init__(self, server: FakeZendeskTickets) -> None:
        super().__init__(
            TICKETS,
            TICKETS.options.model_validate(
                {"url": server.url, "allow_private_hosts": ["127.0.0.1"]}
                | {"internal_comments": False}
            ),
            server,
            TICKETS.secrets.model_validate({"email": _EMAIL, "api_token": _TOKEN}),
        )
        self.site = server
        self.numbers: dict[str, int] = {}
        server.let_in(_EMAIL, _TOKEN)
        limit_exports(server)
        server.delete(server.create("Spam", "Buy now."))

    async def add(self, name: str, text: str) -> str:
        if name in self.numbers:
            await self.edit(name, text)
        else:
            self.numbers[name] = self.site.create(f"About {name}", text)
        return f"ticket:{self.numbers[name]}"

    async def edit(self, name: str, text: str) -> None:
        self.site.rewrite(self.numbers[name], text)

    async def rename(self, name: str) -> str:
        self.site.tickets[self.numbers[name]].subject = f"Renamed: {name}"
        self.site.recompute(self.numbers[name])
        return f"Renamed: {name}"

    async def remove(self, name: str) -> None:
        self.site.delete(self.numbers.pop(name))

    async def readers(self, name: str) -> tuple[str, ...] | None:
        requester = self.site.tickets[self.numbers[name]].requester
        return ("zendesk:agents", f"zendesk:user:{requester}")

    async def expected_texts(self) -> dict[str, str]:
        found = [each for each in self.site.tickets.values() if each.status != "deleted"]
        return {f"ticket:{each.id}": each.comments[-1].body for each in found}


class TestTickets(ApiSuite):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ApiWorld]:
        async with FakeZendeskTickets() as server:
            world = TicketsWorld(server)
            await world.settle()
            yield world
