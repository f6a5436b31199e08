"""Two lanes at once: what a slow one has read never takes the place of what is newer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace
from pydantic import SecretStr

from syncline.connectors.intercom.spec import Kind
from syncline.connectors.zendesk.connector import ZendeskConnector
from syncline.core.model import (
    Change,
    Content,
    Cursor,
    Entry,
    Fetched,
    Locator,
    Mode,
    Partition,
    Validators,
)
from syncline.core.ports import Connector, Context
from syncline.testing.api_world import ApiWorld
from syncline.testing.fake_site import FakeSite
from syncline.testing.fakes.canvas import FakeCanvas
from syncline.testing.fakes.confluence import FakeConfluence
from syncline.testing.fakes.intercom import FakeIntercom
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from syncline.testing.world import TEXTS, populate
from tests.acceptance.connectors.conftest import OpenApi, SyncedApi
from tests.conformance.test_canvas import CanvasWorld
from tests.conformance.test_confluence import ConfluenceWorld
from tests.conformance.test_intercom import IntercomWorld
from tests.conformance.test_website import DatedSiteWorld
from tests.conformance.test_zendesk import ArticlesWorld, TicketsWorld
from tests.support.looking import documents

_WORLDS: dict[str, tuple[Callable[[], Any], Callable[[Any], ApiWorld]]] = {
    "zendesk": (FakeZendesk, ArticlesWorld),
    "intercom": (FakeIntercom, lambda server: IntercomWorld(server, *Kind)),
    "confluence": (FakeConfluence, ConfluenceWorld),
    "canvas": (FakeCanvas, CanvasWorld),
    "zendesk-tickets": (FakeZendeskTickets, TicketsWorld),
    "website": (FakeSite, DatedSiteWorld),
}


class _Slow:
    """Holds the first answer that has a text in it: it is on its way while others are given."""

    def __init__(self, world: ApiWorld, text: str) -> None:
        self.held, self.release = asyncio.Event(), asyncio.Event()
        self._text = text.encode()
        self._answer = world.server.answer
        world.server.misbehave(self.answer)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        response = await self._answer(request)
        body = response.body if isinstance(response, web.Response) else None
        if not self.held.is_set() and isinstance(body, bytes) and self._text in body:
            self.held.set()
            await self.release.wait()
        return response


async def _nothing_comes_back(world: ApiWorld, synced: SyncedApi) -> None:
    """Each lane in turn is slow, while the other one stores an edit."""
    ids = await populate(world)
    await synced.run()
    text = TEXTS["one"]
    for slow, quick in ((Mode.FULL, Mode.RECONCILE), (Mode.RECONCILE, Mode.INCREMENTAL)):
        if slow is Mode.RECONCILE:
            await world.edit("one", text := "The first text, before a slow list.")
            await world.settle()
        on_its_way = _Slow(world, text)
        reading = asyncio.create_task(synced.syncs.run(slow))
        await asyncio.wait_for(on_its_way.held.wait(), 30)
        await world.edit("one", text := f"The first text, newer than a {slow} run knows.")
        await world.settle()
        report = await synced.syncs.run(quick)
        assert report.error is None
        assert text in (await documents(synced.syncs))[ids["one"]]
        on_its_way.release.set()
        assert (await reading).error is None
        world.server.behave()
        stored = (await documents(synced.syncs))[ids["one"]]
        assert text in stored, f"a slow {slow} run has brought back: {stored}"


def _opened(open_api: OpenApi, world: ApiWorld) -> AbstractAsyncContextManager[SyncedApi]:
    options = world.options.model_dump(mode="json", exclude_unset=True)
    secrets = {
        name: value.get_secret_value()
        for name in type(world.secrets).model_fields
        if isinstance(value := getattr(world.secrets, name), SecretStr)
    }
    return open_api(world.server, world.spec.kind, options, secrets)


@pytest.mark.parametrize("kind", _WORLDS)
async def test_a_slow_lane_brings_nothing_back(kind: str, open_api: OpenApi) -> None:
    """An answer that was given before an edit, and comes after it, changes no document."""
    fake, made = _WORLDS[kind]
    async with fake() as server, _opened(open_api, world := made(server)) as synced:
        await _nothing_comes_back(world, synced)


class _Clinging(ZendeskConnector):
    """Answers what its lists have told, however old that is by now."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._told: dict[str, Content] = {}

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for each in super().changes(partition, cursor):
            if isinstance(each, Entry) and each.content is not None:
                self._told[f"{each.locator['article']}"] = each.content
            yield each

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        return self._told.get(str(locator["article"])) or await super().fetch(locator, validators)


async def test_a_connector_that_clings_to_its_lists_is_found_out(
    open_api: OpenApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test above can fail."""

    @asynccontextmanager
    async def clinging(options: Any, secrets: Any, context: Context) -> AsyncIterator[Connector]:
        yield _Clinging(options, context, authenticated=True)

    async with FakeZendesk() as server, _opened(open_api, world := ArticlesWorld(server)) as synced:
        registry = synced.syncs.tools.opener.registry
        wrong = replace(registry.get("zendesk"), open=clinging)
        monkeypatch.setattr(registry, "get", lambda kind: wrong)
        with pytest.raises(AssertionError, match="brought back"):
            await _nothing_comes_back(world, synced)
