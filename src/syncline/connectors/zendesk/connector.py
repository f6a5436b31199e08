"""Reads a help center: first all of it, language by language, then what its export says changed.

An export names articles, not translations, and does not tell of archived ones: both are seen
at the latest when everything is enumerated. Without credentials there is no export; then each
language is read from its newest article on until what is known.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import quote

from syncline.connectors.contents import fetched
from syncline.connectors.json_api import Answer, JsonApi
from syncline.connectors.once import Once
from syncline.connectors.paging import follow, next_in, resumed, rows_of
from syncline.connectors.wire import read
from syncline.connectors.zendesk.account import after_cursor
from syncline.connectors.zendesk.attachments import attachments_of, fetch_attachment
from syncline.connectors.zendesk.entries import entry_of, principals_of
from syncline.connectors.zendesk.lists import ROOT, articles_in, by_cursor, newest_first
from syncline.connectors.zendesk.place import Place
from syncline.connectors.zendesk.sections import section_paths
from syncline.connectors.zendesk.spec import ZendeskOptions
from syncline.connectors.zendesk.wire import Article, Translation
from syncline.core.errors import BadContent, NotFound, Rejected
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

__all__ = ["ZendeskConnector"]

_LAG = timedelta(minutes=5)
"""What was written within this time may not be told yet: it is looked at again."""


class ZendeskConnector:
    """One help center."""

    def __init__(self, options: ZendeskOptions, context: Context, *, authenticated: bool) -> None:
        self._options = options
        self._context = context
        self._agent = authenticated
        self._api = JsonApi(context.http, options.url)
        self._paths = Once(partial(section_paths, self._api))
        self._now: datetime | None = None
        self._locales: tuple[str, ...] = ()

    async def check(self) -> Identity:
        answer = await self._api.get(f"{ROOT}/locales")
        there = answer.object().get("locales")
        if not isinstance(there, list) or not all(isinstance(each, str) for each in there):
            raise BadContent(f"{answer.what} does not say which languages there are")
        for locale in self._options.locales:
            if locale not in there:
                hint = f"There are: {', '.join(there)}."
                raise Rejected(f"The help center has no language {locale!r}", hint=hint)
        self._locales = self._options.locales or tuple(there)
        self._now = answer.date or self._context.clock.now()
        return Identity(self._options.url, {"locales": list(there), "agent": self._agent})

    async def probes(self) -> Probes:
        since = int((await self._ready() - _LAG).timestamp())
        lists = (*map(_listed, self._locales[:1]), f"{ROOT}/sections", f"{ROOT}/categories")
        one = partial(self._api.get, params={"page[size]": 1})
        found = {path.rpartition("/")[2]: partial(one, path) for path in lists}
        if self._agent:
            export = f"{ROOT}/incremental/articles?start_time={since}"
            found["changes"] = partial(self._api.get, export)
        return found

    async def partitions(self) -> Sequence[Partition]:
        return (Partition("articles", title="Articles"),)

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        place = Place.of(cursor)
        await self._ready()
        if cursor is None and self._context.since is not None:
            stream = self._sorted(Place(self._context.since))
        elif place.since is None or place.locale is not None:
            stream = self._first(place)
        else:
            stream = self._export(place) if self._agent else self._sorted(place)
        async for change in stream:
            yield change

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        await self._ready()
        attached: set[str] = set()
        for locale in self._locales:
            async for page in self._pages(_listed(locale)):
                async for entry in self._of(articles_in(page), locale, attached, content=False):
                    yield entry

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        if "attachment" in locator:
            about = (self._published, self._readers)
            return await fetch_attachment(self._api, self._context.http, locator, *about)
        article, locale = str(locator["article"]), str(locator["locale"])
        try:
            found = await self._article(article, locale)
        except NotFound:
            return Gone(f"article:{article}:{locale}", "there is no such article any more")
        return fetched(await self._entry(found, found, locale, content=True))

    async def _ready(self) -> datetime:
        """The source's own time, and its languages."""
        if self._now is None:
            await self.check()
        assert self._now is not None
        return self._now

    async def _first(self, place: Place) -> AsyncIterator[Change]:
        since = place.since or (await self._ready() - _LAG)
        locales = self._locales
        if place.locale in locales:
            locales = locales[locales.index(place.locale) :]
        after, attached = place.after or "", set[str]()
        for locale in locales:
            pages = partial(self._pages, _listed(locale))
            async for page in resumed(pages, after, "", self._context.warn):
                async for entry in self._of(articles_in(page), locale, attached, content=True):
                    yield entry
                following = after_cursor(page)
                if following:
                    yield Checkpoint(Place(since, locale=locale, after=following).cursor)
            after = ""
        yield Checkpoint(Place(since).cursor)

    async def _sorted(self, place: Place) -> AsyncIterator[Change]:
        """As `_newest`; lists that are sorted end after 100 pages: then all is read."""
        try:
            async for each in self._newest(place):
                yield each
        except Rejected:
            async for each in self._first(Place()):
                yield each

    async def _export(self, place: Place) -> AsyncIterator[Change]:
        """What changed. The last minutes are looked at again, but what was settled is known."""
        assert place.since is not None
        start = f"{ROOT}/incremental/articles?start_time={int(place.since.timestamp())}"
        now = await self._ready()
        since, recent = place.since, dict[str, datetime | None]()
        pages = follow(start, self._api.get, self._next_page)
        async for row in rows_of(pages, Article, "articles"):
            if isinstance(row, Failed):
                yield row
                continue
            if row.updated_at is not None:
                since = max(since, min(row.updated_at, now - _LAG))
            recent[row.id] = row.updated_at
            if not place.knows(row):
                async for entry in self._translations(row):
                    yield entry
        yield Checkpoint(Place(since).remembering(recent, now).cursor)

    async def _newest(self, place: Place) -> AsyncIterator[Change]:
        """The articles that were changed since, each language from its newest on."""
        assert place.since is not None
        now, attached = await self._ready(), set[str]()
        recent: dict[str, datetime | None] = {}
        for locale in self._locales:
            async for found in newest_first(self._api, _listed(locale), place.since):
                new = [row for row in found if not place.knows(row)]
                async for entry in self._of(new, locale, attached, content=True):
                    yield entry
                recent |= {row.id: row.updated_at for row in found if isinstance(row, Article)}
        yield Checkpoint(Place(max(place.since, now - _LAG)).remembering(recent, now).cursor)

    def _next_page(self, page: Answer, place: str) -> str | None:
        link = next_in(page, "next_page")
        return None if link is None else self._api.own(link)

    def _pages(self, path: str, after: str = "") -> AsyncGenerator[Answer, None]:
        return by_cursor(self._api, path, after)

    async def _of(
        self, found: Sequence[Article | Failed], locale: str, attached: set[str], *, content: bool
    ) -> AsyncIterator[Entry | Failed]:
        """The rows of one language. What hangs on an article comes with its first language that is
        published; `attached` are the articles of which it has come."""
        for row in found:
            if isinstance(row, Failed):
                yield row
                continue
            yield await self._entry(row, row, locale, content=content)
            if self._options.attachments and row.draft is False and row.id not in attached:
                attached.add(row.id)
                async for attachment in attachments_of(self._api, row, self._readers(row)):
                    yield attachment

    async def _translations(self, article: Article) -> AsyncIterator[Entry | Failed]:
        published, unread = False, False
        try:
            pages = self._pages(f"{ROOT}/articles/{article.id}/translations")
            async for row in rows_of(pages, Translation, "translations"):
                if isinstance(row, Failed):
                    unread = True
                    yield row
                elif row.locale.lower() in self._locales:
                    published = published or row.draft is False
                    yield await self._entry(article, row, row.locale.lower(), content=True)
            if self._options.attachments and (published or not unread):
                readers, hidden = self._readers(article), not published
                async for attachment in attachments_of(self._api, article, readers, hidden=hidden):
                    yield attachment
        except NotFound:
            return  # archived since: the enumeration proves it

    async def _published(self, article: str) -> Article:
        """The article, in the first language in which it is published. Raises `NotFound`."""
        await self._ready()
        for locale in self._locales:
            try:
                found = await self._article(article, locale)
            except NotFound:
                continue
            if found.draft is False:
                return found
        raise NotFound(f"article {article} is published in no language that is read")

    async def _article(self, article: str, locale: str) -> Article:
        answer = await self._api.get(f"{_listed(locale)}/{quote(article)}")
        return read(Article, answer.object().get("article"), answer.what)

    async def _entry(
        self, article: Article, text: Translation, locale: str, *, content: bool
    ) -> Entry:
        path = (await self._paths()).get(article.section_id, ())
        return entry_of(article, text, locale, path, self._readers(article), content=content)

    def _readers(self, article: Article) -> tuple[str, ...] | None:
        """Who finds it. What we see without credentials is restricted to nobody."""
        readers = self._options.readers
        return principals_of(article, readers) if self._agent else readers


def _listed(locale: str) -> str:
    return f"{ROOT}/{quote(locale)}/articles"
