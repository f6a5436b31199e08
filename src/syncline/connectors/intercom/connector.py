"""Reads a workspace: what is newest in its lists, and whole lists to know what is there."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from syncline.connectors.contents import fetched
from syncline.connectors.intercom.documents import (
    Names,
    article_id,
    articles,
    conversation,
    conversation_text,
    internal,
    teammates,
)
from syncline.connectors.intercom.lists import Page, newest_first, numbered, search
from syncline.connectors.intercom.spec import IntercomOptions, Kind
from syncline.connectors.intercom.wire import (
    API_VERSION,
    Admin,
    Article,
    Collection,
    Conversation,
    InternalArticle,
)
from syncline.connectors.json_api import JsonApi
from syncline.connectors.marks import cursor_moment
from syncline.connectors.once import Once
from syncline.connectors.wire import read, readable, rows
from syncline.core.errors import BadContent, NotFound
from syncline.core.model import (
    Change,
    Checkpoint,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Locator,
    Partition,
    Validators,
)
from syncline.core.ports import Context, Probes

__all__ = ["IntercomConnector"]

_CURSOR = 1
_OVERLAP = timedelta(minutes=5)
"""Is looked at again, since rows may become visible late."""
_FINAL = timedelta(minutes=1)
"""After so long nothing more happens within a second."""
_FEW = 50
"""Rows that any list gives at once."""


class IntercomConnector:
    """One workspace."""

    def __init__(self, options: IntercomOptions, context: Context) -> None:
        self._options = options
        self._clock = context.clock
        self._since = context.since
        self._api = JsonApi(context.http, options.base, headers={"Intercom-Version": API_VERSION})
        self._names = Once(self._read_names)
        self._workspace = ""

    async def check(self) -> Identity:
        answer = await self._api.get("/me")
        me = read(Admin, answer.data, answer.what)
        self._workspace = me.workspace
        who = " of ".join(filter(None, (me.email or me.name, me.workspace_name))) or me.id
        return Identity(who, {"workspace": me.workspace, "teammate": me.id})

    async def probes(self) -> Probes:
        one, now = {"per_page": 1}, int(self._clock.now().timestamp())
        newest = {"field": "updated_at", "operator": ">", "value": now}
        get, post = partial(self._api.get, params=one), self._api.post
        ways: dict[str, Callable[[], Awaitable[object]]] = {
            Kind.ARTICLES: partial(get, "/articles"),
            Kind.INTERNAL_ARTICLES: partial(get, "/internal_articles"),
            Kind.CONVERSATIONS: partial(
                post, "/conversations/search", {"query": newest, "pagination": one}
            ),
        }
        found = {str(kind): ways[kind] for kind in self._options.read}
        if found.keys() - {Kind.CONVERSATIONS}:
            found["collections"] = partial(get, "/help_center/collections")
            found["teammates"] = partial(get, "/admins")
        return found

    async def partitions(self) -> Sequence[Partition]:
        return [
            Partition(kind.value, kind.value.replace("-", " ").capitalize())
            for kind in self._options.read
        ]

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        """Articles newest first, with one checkpoint at the end; conversations oldest first."""
        kind = Kind(partition.id)
        floor = None if cursor is None else cursor_moment(cursor, _CURSOR, "floor")
        if cursor is None and self._since is not None:
            floor = self._since - timedelta(seconds=1)
        newest, started = floor, None
        in_order = kind is Kind.CONVERSATIONS
        async with aclosing(self._pages(kind, floor)) as pages:
            async for page in pages:
                now = page.answer.date or self._clock.now()
                started = started or now
                for row in page.rows:
                    at = None if isinstance(row, Failed) else row.updated_at
                    if floor and at and at <= floor:
                        continue
                    in_order = in_order and at is not None and (newest is None or at >= newest)
                    newest = max(filter(None, (newest, at)), default=None)
                    for each in await self._entries(row, now):
                        yield each
                if in_order and newest and not page.last:
                    # The next page may begin with more of the same second.
                    yield _checkpoint(newest - timedelta(seconds=1), started, floor)
        if started:
            yield _checkpoint(newest, started, floor)

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        async with aclosing(self._pages(Kind(partition.id), None)) as pages:
            async for page in pages:
                now = page.answer.date or self._clock.now()
                for row in page.rows:
                    for each in await self._entries(row, now):
                        yield replace(each, content=None) if isinstance(each, Entry) else each

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        kind, number = str(locator["kind"]), str(locator["id"])
        locale, workspace = str(locator.get("locale", "")), str(locator.get("workspace", ""))
        entry_id = article_id(number, locale) if kind == "article" else f"{kind}:{number}"
        if f"{kind}s" not in self._options.read:
            return Gone(entry_id, f"the connection does not read {kind}s any more")
        try:
            answer = await self._api.get(f"/{kind.replace('-', '_')}s/{quote(number, safe='')}")
        except NotFound as error:
            return Gone(entry_id, error.message)
        if kind == "conversation":
            talk = read(Conversation, answer.data, answer.what)
            return conversation_text(talk, workspace, self._options.app)
        names = await self._names()
        if kind == "internal-article":
            note = read(InternalArticle, answer.data, answer.what)
            return fetched(internal(note, names, workspace))
        row = read(Article, answer.data, answer.what)
        found = articles(row, names, await self._readers())
        mine = next((each for each in found if each.id == entry_id), None)
        return Gone(entry_id, "it has no text in this language") if mine is None else fetched(mine)

    def _pages(self, kind: Kind, floor: datetime | None) -> AsyncGenerator[Page[Any], None]:
        if kind is Kind.CONVERSATIONS:
            return search(self._api, int(floor.timestamp()) if floor else 0)
        if kind is Kind.ARTICLES:
            return newest_first(self._api, Article, "/articles", self._options.page_size, floor)
        # In which order they come is not documented.
        return newest_first(self._api, InternalArticle, "/internal_articles", _FEW, None)

    async def _entries(self, row: Any, now: datetime) -> Iterator[Entry | Failed]:
        if isinstance(row, Article):
            return articles(row, await self._names(), await self._readers())
        if isinstance(row, InternalArticle):
            return iter((internal(row, await self._names(), await self._whose()),))
        if isinstance(row, Conversation):
            whose = await self._whose()
            return iter((conversation(row, whose, self._options.app, now - _FINAL),))
        return iter((row,))

    async def _read_names(self) -> Names:
        """All of them, or versions would move by themselves."""
        collections: dict[str, tuple[str, str]] = {}
        async for page in numbered(self._api, Collection, "/help_center/collections", _FEW):
            for each in map(readable, page.rows):
                collections[each.id] = (each.name, each.parent_id)
        answer = await self._api.get("/admins")
        admins = map(readable, rows(Admin, answer.data, "admins", answer.what))
        return Names(collections, {each.id: each.name for each in admins})

    async def _readers(self) -> tuple[str, ...] | None:
        """Who finds articles."""
        everyone = self._options.articles_for == "everyone"
        return None if everyone else teammates(await self._whose())

    async def _whose(self) -> str:
        """The workspace, whose teammates may see what is not public."""
        if not self._workspace:
            await self.check()
        if not self._workspace:
            raise BadContent(
                "Intercom does not say which workspace the token belongs to",
                hint="Nobody could be allowed to see what is not public. Try another token.",
            )
        return self._workspace


def _checkpoint(newest: datetime | None, started: datetime, floor: datetime | None) -> Checkpoint:
    """Up to the newest row, once it is so old that none can appear beneath it any more."""
    if newest is not None and newest > started - 2 * _OVERLAP:
        newest = min(newest, started) - _OVERLAP
    reached = max(filter(None, (newest, floor)), default=datetime.fromtimestamp(0, UTC))
    return Checkpoint(Cursor(_CURSOR, {"floor": int(reached.timestamp())}))
