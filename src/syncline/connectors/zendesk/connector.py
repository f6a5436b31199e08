"""Reads a help center: first all of it, language by language, then what its export says changed.

An export names articles, not translations, and does not tell of archived ones: both are seen
at the latest when everything is enumerated. Without credentials there is no export; then each
language is read from its newest article on until what is known.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import quote

from syncline.connectors.contents import fetched
from syncline.connectors.json_api import Answer, JsonApi
from syncline.connectors.once import Once
from syncline.connectors.paging import follow, next_in, resumed, rows_of
from syncline.connectors.wire import read, readable, rows
from syncline.connectors.zendesk.account import after_cursor
from syncline.connectors.zendesk.attachments import attachment_entry, fetch_attachment
from syncline.connectors.zendesk.entries import entry_of, paths_of
from syncline.connectors.zendesk.place import Place
from syncline.connectors.zendesk.spec import ZendeskOptions
from syncline.connectors.zendesk.wire import Article, Attachment, Category, Section, Translation
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
from syncline.core.ports import Context

__all__ = ["ZendeskConnector"]

_ROOT = "/api/v2/help_center"
_LAG = timedelta(minutes=5)
"""What was written within this time may not be told yet: it is looked at again."""
_SIZE = {"page[size]": 100}
_NEWEST = "sort_by=updated_at&sort_order=desc&per_page=100"


class ZendeskConnector:
    """One help center."""

    def __init__(self, options: ZendeskOptions, context: Context, *, authenticated: bool) -> None:
        self._options = options
        self._context = context
        self._agent = authenticated
        self._api = JsonApi(context.http, options.url)
        self._paths = Once(self._sections)
        self._now: datetime | None = None
        self._locales: tuple[str, ...] = ()

    async def check(self) -> Identity:
        answer = await self._api.get(f"{_ROOT}/locales")
        there = answer.object().get("locales")
        if not isinstance(there, list) or not all(isinstance(each, str) for each in there):
            raise BadContent(f"{answer.what} does not say which languages there are")
        for locale in self._options.locales:
            if locale not in there:
                raise Rejected(
                    f"The help center has no language {locale!r}",
                    hint=f"There are: {', '.join(there)}.",
                )
        self._locales = self._options.locales or tuple(there)
        self._now = answer.date or self._context.clock.now()
        return Identity(self._options.url, {"locales": list(there), "agent": self._agent})

    async def partitions(self) -> Sequence[Partition]:
        return (Partition("articles", title="Articles"),)

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        place = Place.of(cursor)
        await self._ready()
        if cursor is None and self._context.since is not None:
            stream = self._window(self._context.since)
        elif place.since is None or place.locale is not None:
            stream = self._first(place)
        elif self._agent:
            stream = self._export(place)
        else:
            stream = self._newest(place)
        async for change in stream:
            yield change

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        await self._ready()
        for locale in self._locales:
            async for page in self._pages(f"{_ROOT}/{quote(locale)}/articles"):
                async for entry in self._of(_articles(page), locale, content=False):
                    yield entry

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        if "attachment" in locator:
            return await fetch_attachment(self._api, self._context.http, locator, self._article)
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
        after = place.after or ""
        for locale in locales:
            pages = partial(self._pages, f"{_ROOT}/{quote(locale)}/articles")
            async for page in resumed(pages, after, "", self._context.warn):
                async for entry in self._of(_articles(page), locale, content=True):
                    yield entry
                following = after_cursor(page)
                if following:
                    yield Checkpoint(Place(since, locale=locale, after=following).cursor)
            after = ""
        yield Checkpoint(Place(since).cursor)

    async def _window(self, since: datetime) -> AsyncIterator[Change]:
        """What was updated since. Lists that are sorted end after 100 pages: then all is read."""
        try:
            async for each in self._newest(Place(since)):
                yield each
        except Rejected:
            async for each in self._first(Place()):
                yield each

    async def _export(self, place: Place) -> AsyncIterator[Change]:
        """What changed. The last minutes are looked at again, but what was settled is known."""
        assert place.since is not None
        start = f"{_ROOT}/incremental/articles?start_time={int(place.since.timestamp())}"
        now = await self._ready()
        since, recent = place.since, dict(place.recent)
        pages = follow(start, self._api.get, self._next_page)
        async for row in rows_of(pages, Article, "articles"):
            if isinstance(row, Failed):
                yield row
                continue
            stamp = row.updated_at
            if stamp is not None and place.recent.get(row.id) == stamp.isoformat():
                continue
            async for entry in self._translations(row):
                yield entry
            if stamp is not None:
                since = max(since, min(stamp, now - _LAG))
                if stamp <= now - timedelta(minutes=1):
                    recent[row.id] = stamp.isoformat()
        yield Checkpoint(Place(since).remembering(recent).cursor)

    async def _newest(self, place: Place) -> AsyncIterator[Change]:
        """The articles that were changed since, each language from its newest on."""
        assert place.since is not None
        now, since = await self._ready(), place.since
        for locale in self._locales:
            start = f"{_ROOT}/{quote(locale)}/articles?{_NEWEST}"
            async for page in follow(start, self._api.get, self._next_page):
                found = _articles(page)
                async for entry in self._of(found, locale, content=True):
                    yield entry
                if any(_updated_before(since, row) for row in found):
                    break
        yield Checkpoint(Place(max(since, now - _LAG)).cursor)

    def _next_page(self, page: Answer, place: str) -> str | None:
        link = next_in(page, "next_page")
        return None if link is None else self._api.own(link)

    async def _pages(self, path: str, after: str = "") -> AsyncGenerator[Answer, None]:
        """The pages of a list that is cut by cursors."""

        async def page(place: str) -> Answer:
            return await self._api.get(path, {**_SIZE, "page[after]": place or None})

        async for answer in follow(after, page, lambda answer, _: after_cursor(answer)):
            yield answer

    async def _of(
        self, found: Sequence[Article | Failed], locale: str, *, content: bool
    ) -> AsyncIterator[Entry | Failed]:
        for row in found:
            if isinstance(row, Failed):
                yield row
                continue
            yield await self._entry(row, row, locale, content=content)
            if self._options.attachments and locale == self._locales[0]:
                async for attachment in self._attachments(row):
                    yield attachment

    async def _translations(self, article: Article) -> AsyncIterator[Entry | Failed]:
        try:
            pages = self._pages(f"{_ROOT}/articles/{article.id}/translations")
            async for row in rows_of(pages, Translation, "translations"):
                if isinstance(row, Failed):
                    yield row
                elif row.locale.lower() in self._locales:
                    yield await self._entry(article, row, row.locale.lower(), content=True)
            if self._options.attachments:
                async for attachment in self._attachments(article):
                    yield attachment
        except NotFound:
            return  # archived since: the enumeration proves it

    async def _attachments(self, article: Article) -> AsyncIterator[Entry | Failed]:
        pages = self._pages(f"{_ROOT}/articles/{article.id}/attachments")
        async for row in rows_of(pages, Attachment, "article_attachments"):
            yield row if isinstance(row, Failed) else attachment_entry(row, article)

    async def _article(self, article: str, locale: str | None = None) -> Article:
        path = f"{_ROOT}/{quote(locale)}/articles" if locale else f"{_ROOT}/articles"
        answer = await self._api.get(f"{path}/{quote(article)}")
        return read(Article, answer.object().get("article"), answer.what)

    async def _entry(
        self, article: Article, text: Translation, locale: str, *, content: bool
    ) -> Entry:
        path = (await self._paths()).get(article.section_id, ())
        return entry_of(article, text, locale, path, public=not self._agent, content=content)

    async def _sections(self) -> Mapping[str, tuple[str, ...]]:
        """What articles lie in: the names from the category down, by section."""
        categories = rows_of(self._pages(f"{_ROOT}/categories"), Category, "categories")
        sections = rows_of(self._pages(f"{_ROOT}/sections"), Section, "sections")
        return paths_of(
            [readable(each) async for each in categories],
            [readable(each) async for each in sections],
        )


def _articles(page: Answer) -> Sequence[Article | Failed]:
    return list(rows(Article, page.data, "articles", page.what))


def _updated_before(moment: datetime, row: Article | Failed) -> bool:
    return isinstance(row, Article) and row.updated_at is not None and row.updated_at < moment
