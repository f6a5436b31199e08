"""A fake help center, as https://developer.zendesk.com/api-reference/help_center/ describes it."""

from __future__ import annotations

import base64
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from syncline.core.model import Json
from syncline.core.quota import Bucket
from syncline.testing.clock import FakeClock
from syncline.testing.fake_api import Asked, FakeApi, Reply

__all__ = ["FakeArticle", "FakeZendesk", "limit_exports", "limit_headers"]

_ROOT = "/api/v2/help_center/"
_EXPORT_ROWS = 1000
_EXPORTS = ("/api/v2/incremental/", "/api/v2/help_center/incremental/")


@dataclass(slots=True)
class FakeText:
    title: str
    body: str
    draft: bool
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True)
class FakeArticle:
    """One article with its translations."""

    id: int
    section: int
    segment: int | None
    created_at: datetime
    updated_at: datetime
    labels: list[str] = field(default_factory=list)
    texts: dict[str, FakeText] = field(default_factory=dict)
    files: dict[int, tuple[str, bytes, datetime]] = field(default_factory=dict)


class FakeZendesk(FakeApi):
    """Edits are methods; what they touch is stamped to the second, as Zendesk does."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        super().__init__(clock)
        self.locales = ["en-us", "de"]
        self.categories = {1: "Help"}
        self.sections: dict[int, tuple[str, int, int | None]] = {10: ("General", 1, None)}
        self.articles: dict[int, FakeArticle] = {}
        self.anonymous = True
        """Whether the help center can be read without credentials."""
        self.accepts = set()
        self.stamped: dict[int, datetime] = {}
        """Articles whose rows in the export tell of an older moment than it goes by."""
        self.most_numbered = 100
        """Pages of a list that is cut by numbers; what lies beyond has to be read by cursors."""
        self._ids = count(360_000_000_001)

    def let_in(self, email: str, token: str) -> None:
        """An agent, with an API token."""
        assert self.accepts is not None
        pair = base64.b64encode(f"{email}/token:{token}".encode()).decode()
        self.accepts.add(f"Basic {pair}")

    # The world.

    def create(
        self, title: str, body: str, *, segment: int | None = None, section: int = 10
    ) -> int:
        """A published article in the first language."""
        stamp = self._stamp()
        article = FakeArticle(next(self._ids), section, segment, stamp, stamp)
        self.articles[article.id] = article
        self.translate(article.id, self.locales[0], title, body)
        return article.id

    def translate(
        self, article: int, locale: str, title: str, body: str, *, draft: bool = False
    ) -> None:
        """Write a translation, new or not."""
        stamp = self._stamp()
        made = self.articles[article]
        known = made.texts.get(locale)
        created = stamp if known is None else known.created_at
        made.texts[locale] = FakeText(title, body, draft, created, stamp)
        made.updated_at = stamp

    def unpublish(self, article: int, locale: str | None = None) -> None:
        """Make a translation a draft."""
        self.articles[article].texts[locale or self.locales[0]].draft = True
        self._touch(article)

    def delete_translation(self, article: int, locale: str) -> None:
        """Only this language goes."""
        del self.articles[article].texts[locale]
        self._touch(article)

    def restrict(self, article: int, segment: int | None) -> None:
        """Only the segment may see it."""
        self.articles[article].segment = segment
        self._touch(article)

    def vote(self, article: int) -> None:
        """Moves `updated_at`, and nothing that we read."""
        self._touch(article)

    def label(self, article: int, *labels: str) -> None:
        """In place of those that it had."""
        self.articles[article].labels = list(labels)
        self._touch(article)

    def attach(self, article: int, name: str, data: bytes) -> int:
        """A file beneath the article."""
        number = next(self._ids)
        self.articles[article].files[number] = (name, data, self._stamp())
        self._touch(article)
        return number

    def archive(self, article: int) -> None:
        """It is gone from every list; the export does not tell."""
        del self.articles[article]

    def _touch(self, article: int) -> None:
        self.articles[article].updated_at = self._stamp()

    def _stamp(self) -> datetime:
        return self.now().replace(microsecond=0)

    # What it answers.

    def lets_in(self, asked: Asked) -> bool:
        if "authorization" not in asked.headers:
            return self.anonymous
        return super().lets_in(asked)

    def refuse(self, asked: Asked) -> Reply:
        return Reply({"error": "Couldn't authenticate you"}, 401)

    def headers(self, asked: Asked) -> Mapping[str, str]:
        return {**super().headers(asked), **limit_headers(self, asked)}

    async def reply(self, asked: Asked) -> Reply:
        if asked.path.startswith("/hc/article_attachments/"):
            return self._download(asked.path.split("/")[3])
        if not asked.path.startswith(_ROOT):
            return _missing()
        match asked.path.removeprefix(_ROOT).removesuffix(".json").split("/"):
            case ["articles", *rest]:
                return self._of_article(rest, asked)
            case ["locales"]:
                return Reply({"locales": self.locales, "default_locale": self.locales[0]})
            case ["incremental", "articles"]:
                return self._export(asked)
            case ["sections"]:
                return self._cut(asked, "sections", list(self.sections), self._section)
            case ["categories"]:
                names = self.categories
                return self._cut(
                    asked, "categories", list(names), lambda n: {"id": n, "name": names[n]}
                )
            case [locale, "articles"] if locale in self.locales:
                return self._list(locale, asked)
            case [locale, "articles", number] if locale in self.locales:
                return self._of(number, asked, lambda article, _: self._one(article, locale))
        return _missing()

    def _of_article(self, rest: list[str], asked: Asked) -> Reply:
        match rest:
            case []:
                return self._list(self.locales[0], asked)
            case ["attachments", number]:
                return self._one_attachment(int(number))
            case [number, "translations"]:
                return self._of(number, asked, self._translations)
            case [number, "attachments"]:
                return self._of(number, asked, self._attachments)
            case [number]:
                return self._of(number, asked, lambda article, _: self._one(article, None))
        return _missing()

    def _visible(self, asked: Asked) -> list[FakeArticle]:
        agent = "authorization" in asked.headers
        return [each for each in self.articles.values() if agent or each.segment is None]

    def _list(self, locale: str, asked: Asked) -> Reply:
        agent = "authorization" in asked.headers
        found = [
            article
            for article in self._visible(asked)
            if locale in article.texts and (agent or not article.texts[locale].draft)
        ]
        if "per_page" in asked.query or "sort_by" in asked.query:
            return self._by_number(locale, asked, found)
        ids = [each.id for each in found]
        return self._cut(asked, "articles", ids, lambda n: self._row(self.articles[n], locale))

    def _by_number(self, locale: str, asked: Asked, found: list[FakeArticle]) -> Reply:
        """The older way of paging, which can sort."""
        if asked.one("sort_by") == "updated_at":
            found.sort(key=lambda each: (each.updated_at, each.id))
        if asked.one("sort_order") == "desc":
            found.reverse()
        size, page = self.page_size(asked.number("per_page", 30, 100)), asked.number("page", 1)
        if page > self.most_numbered:
            return Reply({"error": "RecordsLimit", "description": "Use cursors instead"}, 400)
        chosen = [self._row(each, locale) for each in found[(page - 1) * size : page * size]]
        following = None
        if page * size < len(found):
            more = "&".join(
                f"{name}={values[-1]}" for name, values in asked.query.items() if name != "page"
            )
            following = self.link(f"{asked.path}?{more}&page={page + 1}")
        return Reply(
            {"count": len(found), "next_page": following, "page": page, "articles": chosen}
        )

    def _cut(self, asked: Asked, name: str, ids: list[int], show: Callable[[int], Json]) -> Reply:
        """A page by cursor: the id of the last row, so that what is added later comes later."""
        size = self.page_size(asked.number("page[size]", 30, 100))
        found = sorted(ids)
        if after := asked.one("page[after]"):
            last = self.place(after)
            if last is None:
                return Reply({"errors": [{"code": "InvalidCursor", "title": "Bad cursor"}]}, 400)
            found = found[bisect_right(found, int(last)) :]
        page, more = found[:size], len(found) > size
        cursor = self.cursor(str(page[-1])) if page else None
        links = {"next": self.link(f"{asked.path}?page[after]={cursor}") if more else None}
        meta = {"has_more": more, "after_cursor": cursor, "before_cursor": None}
        return Reply({name: [show(each) for each in page], "meta": meta, "links": links})

    def _export(self, asked: Asked) -> Reply:
        if "authorization" not in asked.headers:
            return Reply(
                {"error": {"title": "Forbidden", "message": "You do not have access"}}, 403
            )
        start = asked.number("start_time", 0)
        found = sorted(
            (each for each in self.articles.values() if each.updated_at.timestamp() >= start),
            key=lambda each: (each.updated_at, each.id),
        )
        size = self.page_size(_EXPORT_ROWS)
        page = found[:size]
        # A page never splits a second.
        while len(page) < len(found) and found[len(page)].updated_at == page[-1].updated_at:
            page.append(found[len(page)])
        end = int(page[-1].updated_at.timestamp()) if page else start
        following = None
        if len(page) < len(found):
            end += 1
            following = self.link(f"{asked.path}?start_time={end}")
        shown = [self._exported(each) for each in page]
        return Reply(
            {"count": len(page), "next_page": following, "end_time": end, "articles": shown}
        )

    def _exported(self, article: FakeArticle) -> dict[str, Any]:
        row = self._row(article, next(iter(article.texts), self.locales[0]))
        if article.id in self.stamped:
            row["updated_at"] = _iso(self.stamped[article.id])
        return row

    def _of(
        self, number: str, asked: Asked, answer: Callable[[FakeArticle, Asked], Reply]
    ) -> Reply:
        article = self.articles.get(int(number)) if number.isdigit() else None
        if article is None or article not in self._visible(asked):
            return _missing()
        return answer(article, asked)

    def _one(self, article: FakeArticle, locale: str | None) -> Reply:
        locale = locale or next(iter(article.texts), "")
        if locale not in article.texts:
            return _missing()
        return Reply({"article": self._row(article, locale)})

    def _translations(self, article: FakeArticle, asked: Asked) -> Reply:
        found = {article.id * 10 + n: locale for n, locale in enumerate(article.texts)}

        def show(number: int) -> Json:
            about = {"id": number, "source_id": article.id, "source_type": "Article"}
            return about | self._text(article, found[number])

        return self._cut(asked, "translations", list(found), show)

    def _attachments(self, article: FakeArticle, asked: Asked) -> Reply:
        files = list(article.files)
        return self._cut(asked, "article_attachments", files, lambda n: self._file(article, n))

    def _one_attachment(self, number: int) -> Reply:
        for article in self.articles.values():
            if number in article.files:
                return Reply({"article_attachment": self._file(article, number)})
        return _missing()

    def _download(self, number: str) -> Reply:
        for article in self.articles.values():
            for each, (_, data, _) in article.files.items():
                if str(each) == number:
                    return Reply(text=data.decode(), content_type="application/octet-stream")
        return _missing()

    def _file(self, article: FakeArticle, number: int) -> dict[str, Any]:
        name, data, stamp = article.files[number]
        return {
            "id": number,
            "article_id": article.id,
            "file_name": name,
            "content_type": "application/octet-stream",
            "content_url": self.link(f"/hc/article_attachments/{number}/{name}"),
            "size": len(data),
            "inline": False,
            "created_at": _iso(stamp),
            "updated_at": _iso(stamp),
        }

    def _section(self, number: int) -> dict[str, Any]:
        name, category, parent = self.sections[number]
        return {"id": number, "name": name, "category_id": category, "parent_section_id": parent}

    def _text(self, article: FakeArticle, locale: str) -> dict[str, Any]:
        text = article.texts.get(locale)
        if text is None:
            return {"locale": locale, "title": "", "body": None, "draft": True, "html_url": ""}
        return {
            "locale": locale,
            "title": text.title,
            "body": text.body,
            "draft": text.draft,
            "outdated": False,
            "html_url": self.link(f"/hc/{locale}/articles/{article.id}"),
            "created_at": _iso(text.created_at),
            "updated_at": _iso(text.updated_at),
        }

    def _row(self, article: FakeArticle, locale: str) -> dict[str, Any]:
        return {
            **self._text(article, locale),
            "id": article.id,
            "source_locale": next(iter(article.texts), None),
            "section_id": article.section,
            "author_id": 7,
            "user_segment_id": article.segment,
            "user_segment_ids": [] if article.segment is None else [article.segment],
            "permission_group_id": 1,
            "label_names": article.labels,
            "content_tag_ids": [],
            "comments_disabled": False,
            "promoted": False,
            "position": 0,
            "vote_sum": 0,
            "vote_count": 0,
            "created_at": _iso(article.created_at),
            "updated_at": _iso(article.updated_at),
            "edited_at": _iso(article.updated_at),
        }


def limit_headers(server: FakeApi, asked: Asked) -> Mapping[str, str]:
    """What Zendesk says of the account's limit: 700 a minute, in the plan that most have; and of
    exports, of which it lets in ten."""
    limit, left, seconds = server.windows.told("/") or (700, 650, 60.0)
    exports: Mapping[str, str] = {}
    for path in _EXPORTS:
        if asked.path.startswith(path):
            total, remaining, resets = server.windows.told_of(path) or (10, 9, 60.0)
            said = f"total={total}; remaining={remaining}; resets={math.ceil(resets)}"
            exports = {"zendesk-ratelimit-incremental-exports": said}
    return {
        **exports,
        "x-rate-limit": str(limit),
        "ratelimit-limit": str(limit),
        "ratelimit-remaining": str(left),
        "ratelimit-reset": str(math.ceil(seconds)),
    }


def limit_exports(server: FakeApi) -> None:
    """Let in ten of them a minute, as Zendesk does."""
    for path in _EXPORTS:
        server.limit(Bucket(10, 60), path)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _missing() -> Reply:
    return Reply({"error": "RecordNotFound", "description": "Not found"}, 404)
