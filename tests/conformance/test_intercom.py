"""Intercom's articles and conversations, through the conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from syncline.connectors.intercom.spec import SPEC, Kind
from syncline.testing.connector_suite import ApiSuite, ApiWorld
from syncline.testing.fakes.intercom import FakeIntercom

_TOKEN = "lantern-token-4711"
_PUBLIC = replace(SPEC, capabilities=replace(SPEC.capabilities, access_lists=False))
"""As it is where nothing but help center articles is read."""


class IntercomWorld(ApiWorld):
    """Articles in a collection, one of them a draft; or entries of all kinds in turns."""

    access_changes = False  # it follows from the kind of an entry

    def __init__(self, server: FakeIntercom, *read: Kind) -> None:
        super().__init__(
            SPEC if len(read) > 1 else _PUBLIC,
            SPEC.options.model_validate(
                {"url": server.url, "allow_private_hosts": ["127.0.0.1"], "read": read}
            ),
            server,
            SPEC.secrets.model_validate({"token": _TOKEN}),
        )
        self.site = server
        self.read = read
        self.budget = 1 + len(read)
        self.entries: dict[str, tuple[Kind, str]] = {}
        self.texts: dict[str, str] = {}
        server.let_in(_TOKEN)
        self.collection = server.collect("Guides", server.collect("Help"))
        server.update(server.create("Not yet", "Nobody's business."), state="draft")

    async def add(self, name: str, text: str) -> str:
        if name in self.entries:
            await self.edit(name, text)
            return self._id(name)
        kind = self.read[len(name) % len(self.read)]
        if kind is Kind.ARTICLES:
            number = self.site.create(f"About {name}", f"<p>{text}</p>", collection=self.collection)
        elif kind is Kind.INTERNAL_ARTICLES:
            number = self.site.create_internal(f"About {name}", f"<p>{text}</p>")
        else:
            number = self.site.talk(f"<p>{text}</p>")
            self.site.assign(number, self.site.me)
        self.entries[name], self.texts[name] = (kind, number), text
        return self._id(name)

    async def edit(self, name: str, text: str) -> None:
        kind, number = self.entries[name]
        self.texts[name] = text
        if kind is Kind.ARTICLES:
            self.site.update(number, body=f"<p>{text}</p>")
        elif kind is Kind.INTERNAL_ARTICLES:
            self.site.update_internal(number, body=f"<p>{text}</p>")
        else:
            self.site.say(number, f"<p>{text}</p>")

    async def rename(self, name: str) -> str:
        kind, number = self.entries[name]
        title = f"Renamed: {name}"
        if kind is Kind.ARTICLES:
            self.site.update(number, title=title)
        elif kind is Kind.INTERNAL_ARTICLES:
            self.site.update_internal(number, title=title)
        else:
            self.site.conversations[number].update(title=title, updated_at=self.site.stamp())
        return title

    async def remove(self, name: str) -> None:
        self.site.delete(self.entries.pop(name)[1])

    async def readers(self, name: str) -> tuple[str, ...] | None:
        kind, _ = self.entries[name]
        teammates = (f"intercom:teammates:{self.site.workspace}",)
        return None if kind is Kind.ARTICLES else teammates

    async def expected_texts(self) -> dict[str, str]:
        return {self._id(name): text for name, text in self.texts.items() if name in self.entries}

    def _id(self, name: str) -> str:
        kind, number = self.entries[name]
        return f"{kind.removesuffix('s')}:{number}"


class TestArticles(ApiSuite):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ApiWorld]:
        async with FakeIntercom() as server:
            yield IntercomWorld(server, Kind.ARTICLES)


class TestEverything(ApiSuite):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ApiWorld]:
        async with FakeIntercom() as server:
            yield IntercomWorld(server, *Kind)
