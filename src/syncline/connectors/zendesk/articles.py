"""Reads a help center: first all of it, language by language, then what its export says changed.

An export names articles, not translations, and does not tell of archived ones: both are seen
at the latest when everything is enumerated. Without credentials there is no export; then each
language is read from its newest article on until what is known.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from urllib.parse import quote

from syncline.connectors.json_api import Answer, JsonApi
from syncline.connectors.marks import digest
from syncline.connectors.paging import follow, resumed
from syncline.connectors.wire import read, rows
from syncline.connectors.zendesk.attachments import attachment_entry, fetch_attachment
from syncline.connectors.zendesk.pages import after_cursor
from syncline.connectors.zendesk.place import Place
from syncline.connectors.zendesk.spec import ZendeskOptions
from syncline.connectors.zendesk.wire import Article, Attachment, Category, Section, Translation
from syncline.core.errors import BadContent, NotFound, Rejected
from syncline.core.model import (
    Change,
    Checkpoint,
    Content,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Locator,
    Metadata,
    Partition,
    Validators,
)
from syncline.core.ports import Context

__all__ = ["ZendeskArticles"]

_ROOT = "/api/v2/help_center"
_LAG = timedelta(minutes=5)
"""What was written within this time may not be told yet: it is looked at again."""
_SIZE = {"page[size]": 100}
_Named = TypeVar("_Named", Section, Category)


class ZendeskArticles:
    """One help center."""

    def __init__(self, options: ZendeskOptions, context: Context, *, agent: bool) -> None:
        """`agent` says that there are credentials."""
        self._options = options
        self._context = context
        self._agent = agent
        self._api = JsonApi(context.http, options.url)
        self._names: dict[str, tuple[str, ...]] | None = None
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
                for row in rows(Article, page.data, "articles", page.what):
                    async for entry in self._of_row(row, locale, content=False):
                        yield entry

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        if "attachment" in locator:
            return await fetch_attachment(self._api, self._context.http, locator, self._article)
        article, locale = str(locator["article"]), str(locator["locale"])
        name = f"article:{article}:{locale}"
        try:
            found = await self._article(article, locale)
        except NotFound:
            return Gone(name, "there is no such article any more")
        if found.draft is not False:
            return Gone(name, "it is a draft")
        entry = await self._entry(found, found, locale, content=True)
        assert entry.content is not None
        return entry.content

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
                for row in rows(Article, page.data, "articles", page.what):
                    async for entry in self._of_row(row, locale, content=True):
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
        pages = follow(
            start, self._api.get, lambda page, _: self._link(page.object().get("next_page"), page)
        )
        since, recent = place.since, dict(place.recent)
        async for page in pages:
            for row in rows(Article, page.data, "articles", page.what):
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
        now = await self._ready()
        for locale in self._locales:
            path = f"{_ROOT}/{quote(locale)}/articles"
            start = self._api.url(
                path, {"sort_by": "updated_at", "sort_order": "desc", "per_page": 100}
            ).removeprefix(self._api.base)
            old = False

            def older(page: Answer, place: str) -> str | None:
                return None if old else self._link(page.object().get("next_page"), page)  # noqa: B023

            async for page in follow(start, self._api.get, older):
                for row in rows(Article, page.data, "articles", page.what):
                    if isinstance(row, Article) and row.updated_at is not None:
                        old = old or row.updated_at < place.since
                    async for entry in self._of_row(row, locale, content=True):
                        yield entry
        yield Checkpoint(Place(max(place.since, now - _LAG)).cursor)

    def _link(self, link: object, page: Answer) -> str | None:
        if link is None and "next_page" in page.object():
            return None
        if not isinstance(link, str) or not link:
            raise BadContent(f"{page.what} does not say whether there is more")
        return self._api.own(link)

    async def _pages(self, path: str, after: str = "") -> AsyncGenerator[Answer, None]:
        """The pages of a list that is cut by cursors."""

        async def page(place: str) -> Answer:
            return await self._api.get(path, {**_SIZE, "page[after]": place or None})

        async for answer in follow(after, page, lambda answer, _: after_cursor(answer)):
            yield answer

    async def _of_row(
        self, row: Article | Failed, locale: str, *, content: bool
    ) -> AsyncIterator[Entry | Failed]:
        if isinstance(row, Failed):
            yield row
            return
        yield await self._entry(row, row, locale, content=content)
        if self._options.attachments and locale == self._locales[0]:
            async for attachment in self._attachments(row):
                yield attachment

    async def _translations(self, article: Article) -> AsyncIterator[Entry | Failed]:
        try:
            async for page in self._pages(f"{_ROOT}/articles/{article.id}/translations"):
                for row in rows(Translation, page.data, "translations", page.what):
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
        async for page in self._pages(f"{_ROOT}/articles/{article.id}/attachments"):
            for row in rows(Attachment, page.data, "article_attachments", page.what):
                yield row if isinstance(row, Failed) else attachment_entry(row, article)

    async def _article(self, article: str, locale: str | None = None) -> Article:
        path = f"{_ROOT}/{quote(locale)}/articles" if locale else f"{_ROOT}/articles"
        answer = await self._api.get(f"{path}/{quote(article)}")
        return read(Article, answer.object().get("article"), answer.what)

    async def _entry(
        self, article: Article, text: Translation, locale: str, *, content: bool
    ) -> Entry:
        published = text.draft is False
        path = (await self._sections()).get(article.section_id, ())
        labels = tuple(sorted(article.label_names))
        principals = principals_of(article, public=not self._agent)
        version = digest(text.title, text.body, published, path, labels, principals)
        metadata = Metadata(
            title=text.title or None,
            url=text.html_url or None,
            language=_language(locale),
            categories=path,
            tags=labels,
            created_at=text.created_at or article.created_at,
            updated_at=text.updated_at or article.updated_at,
            properties={"promoted": article.promoted} if article.promoted else {},
        )
        return Entry(
            id=f"article:{article.id}:{locale}",
            version=version,
            locator={"article": article.id, "locale": locale},
            metadata=metadata,
            filtered=None if published else "it is a draft",
            content=None
            if not (content and published)
            else Content(
                data=text.body.encode(),
                media_type="text/html",
                charset="utf-8",
                metadata=metadata,
                principals=principals,
                version=version,
            ),
        )

    async def _sections(self) -> Mapping[str, tuple[str, ...]]:
        """The names of each section's category, of the sections around it, and its own."""
        if self._names is None:
            categories = {each.id: each.name async for each in self._all(Category, "categories")}
            sections = {each.id: each async for each in self._all(Section, "sections")}
            self._names = {each: _path(each, sections, categories) for each in sections}
        return self._names

    async def _all(self, kind: type[_Named], name: str) -> AsyncIterator[_Named]:
        async for page in self._pages(f"{_ROOT}/{name}"):
            for row in rows(kind, page.data, name, page.what):
                if isinstance(row, Failed):
                    raise BadContent(row.message)
                yield row


def principals_of(article: Article, *, public: bool) -> tuple[str, ...] | None:
    """Who may see an article; all of it is `public` where it was read without credentials."""
    if public or (article.user_segment_id is None and not article.user_segment_ids):
        return None
    segments = {*article.user_segment_ids, *filter(None, [article.user_segment_id])}
    return tuple(sorted(f"zendesk:segment:{each}" for each in segments))


def _path(
    section: str, sections: Mapping[str, Section], categories: Mapping[str, str]
) -> tuple[str, ...]:
    names: list[str] = []
    each = sections.get(section)
    category = ""
    while each is not None and len(names) < 20:
        names.append(each.name)
        category = category or each.category_id
        each = sections.get(each.parent_section_id)
    return tuple(filter(None, [categories.get(category, ""), *reversed(names)]))


def _language(locale: str) -> str:
    language, _, region = locale.partition("-")
    return f"{language}-{region.upper() if len(region) == 2 else region}" if region else language
