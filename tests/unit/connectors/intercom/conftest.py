"""A fake Intercom, and what a reader knows who follows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest

from syncline.connectors.intercom.spec import SPEC
from syncline.core.model import Content, Entry
from syncline.testing.api_reader import Reader
from syncline.testing.api_world import ApiWorld
from syncline.testing.fakes.intercom import FakeIntercom


class Workspace(ApiWorld):
    """A connection with whatever options; tests edit the fake itself."""

    def __init__(self, server: FakeIntercom, **options: Any) -> None:
        given = {"url": server.url, "allow_private_hosts": ["127.0.0.1"], **options}
        super().__init__(
            SPEC,
            SPEC.options.model_validate(given),
            server,
            SPEC.secrets.model_validate({"token": "lantern-token-4711"}),
        )

    async def add(self, name: str, text: str) -> str:
        raise NotImplementedError

    async def edit(self, name: str, text: str) -> None:
        raise NotImplementedError

    async def remove(self, name: str) -> None:
        raise NotImplementedError

    async def rename(self, name: str) -> str:
        raise NotImplementedError

    async def expected_texts(self) -> dict[str, str]:
        raise NotImplementedError

    def paths(self) -> list[str]:
        """What was asked for so far."""
        return [f"{seen.method} {seen.path}" for seen in self.server.requests]

    def before_request(self, number: int, edit: Callable[[], object]) -> None:
        """Edit just before the server answers the request of this number, counted from now."""
        last = self.server.count() + number

        def before(seen: object) -> None:
            if self.server.count() == last:
                edit()

        self.server.before = before

    async def text(self, entry: Entry) -> str:
        """What the entry says, read by its locator."""
        async with self.open() as connector:
            content = await connector.fetch(entry.locator, None)
        assert isinstance(content, Content), content
        return content.data.decode()


Connect: TypeAlias = Callable[..., tuple[Workspace, Reader]]


@pytest.fixture
async def fake() -> AsyncIterator[FakeIntercom]:
    """A workspace with nothing in it but a teammate."""
    async with FakeIntercom() as fake:
        yield fake


@pytest.fixture
def connect(fake: FakeIntercom) -> Connect:
    """`world, reader = connect(read=["conversations"])`."""

    def make(**options: Any) -> tuple[Workspace, Reader]:
        world = Workspace(fake, **options)
        return world, Reader(world, reads=False)

    return make
