"""Confluence Data Center, through the conformance suite."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from syncline.connectors.confluence.spec import SPEC
from syncline.testing.connector_suite import ApiSuite, ApiWorld
from syncline.testing.fakes.confluence import FakeConfluence

_TOKEN = "NDc1MTQ4OTU2-lantern"
_KINDS = ("page", "blogpost", "comment", "attachment")


class ConfluenceWorld(ApiWorld):
    """Entries of each kind in two spaces, beneath a context path; more that nobody may read."""

    spaces = 2
    budget = 1 + 2 * spaces

    def __init__(self, server: FakeConfluence) -> None:
        super().__init__(
            SPEC,
            SPEC.options.model_validate(
                {"url": f"{server.url}{server.context}", "allow_private_hosts": ["127.0.0.1"]}
            ),
            server,
            SPEC.secrets.model_validate({"token": _TOKEN}),
        )
        self.site = server
        self.named: dict[str, str] = {}
        server.let_in(_TOKEN)
        server.add_space("DOCS", "Documentation")
        server.add_space("HR", viewers=[("anonymous", ""), ("group", "staff")])
        server.add_space("~jane", kind="personal")
        server.add_space("OLD", status="archived")
        self.homes = {key: server.create(key, f"Home of {key}") for key in ("DOCS", "HR")}
        server.clock.advance(3 * 86_400)
        server.create("~jane", "My own")
        server.create("OLD", "Long ago")
        server.trash(server.create("DOCS", "Thrown away"))
        server.create("DOCS", "logo.png", kind="attachment", parent=self.homes["DOCS"])

    async def add(self, name: str, text: str) -> str:
        if name in self.named:
            await self.edit(name, text)
        else:
            space = ("DOCS", "HR")[len(name) % 2]
            kind = _KINDS[(len(name) // 2) % 4]
            title = f"{name}.md" if kind == "attachment" else f"About {name}"
            self.named[name] = self.site.create(
                space,
                title,
                text if kind == "attachment" else f"<p>{text}</p>",
                kind=kind,
                parent=None if kind == "blogpost" else self.homes[space],
            )
        found = self.site.contents[self.named[name]]
        return f"{found.type}:{found.id}"

    async def edit(self, name: str, text: str) -> None:
        attached = self.site.contents[self.named[name]].type == "attachment"
        self.site.update(self.named[name], text if attached else f"<p>{text}</p>")

    async def rename(self, name: str) -> str:
        attached = self.site.contents[self.named[name]].type == "attachment"
        title = f"Renamed {name}" + (".md" if attached else "")
        self.site.update(self.named[name], title=title)
        return title

    async def remove(self, name: str) -> None:
        self.site.trash(self.named.pop(name))

    async def readers(self, name: str) -> tuple[str, ...] | None:
        page = self.site.contents[self._page(name)]
        above = self.site.contents.get(page.parent or "", page)
        if users := page.users or above.users:
            return tuple(f"confluence:user:{each}" for each in users)
        return None if page.space == "HR" else ("confluence:group:confluence-users",)

    async def restrict(self, name: str) -> None:
        self.site.restrict(self._page(name), ["jane"])

    def _page(self, name: str) -> str:
        """The page that the entry is, or hangs on."""
        content = self.site.contents[self.named[name]]
        return content.id if content.type in ("page", "blogpost") else content.parent or ""

    async def expected_texts(self) -> dict[str, str]:
        return {
            f"{each.type}:{each.id}": each.body
            for each in self.site.current()
            if each.space in self.homes and each.title != "logo.png"
        }


class TestConfluence(ApiSuite):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ApiWorld]:
        async with FakeConfluence(context="/confluence") as server:
            yield ConfluenceWorld(server)
