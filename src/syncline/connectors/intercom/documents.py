"""From what Intercom says to entries and their contents. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from html import escape, unescape

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from syncline.connectors.contents import html
from syncline.connectors.intercom.wire import (
    Article,
    ArticleText,
    Conversation,
    InternalArticle,
    Message,
)
from syncline.connectors.marks import digest
from syncline.core.model import Content, Entry, Failed, Locator, Metadata

__all__ = [
    "Names",
    "article_id",
    "articles",
    "conversation",
    "conversation_text",
    "internal",
    "teammates",
]

_TAG = re.compile(r"<[^>]*>")
_LOCALE_IN_URL = re.compile(r"/([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})?)/articles/")
_WHO = {"admin": "teammate", "bot": "bot", "team": "team"}
_MOST_PARTS = 500
"""The API gives no more parts of a conversation; it leaves out the oldest."""


class Names(Struct, frozen=True):
    """What ids in articles stand for."""

    collections: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Name and parent's id, by id."""
    admins: Mapping[str, str] = field(default_factory=dict)

    def path(self, collection: str) -> Iterator[str]:
        """The names of a collection and of those it lies in, the outermost first."""
        found: list[str] = []
        been: set[str] = set()
        while collection in self.collections and collection not in been:
            been.add(collection)
            name, collection = self.collections[collection]
            found.append(name)
        return filter(None, reversed(found))

    def authors(self, *ids: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.admins[each] for each in ids if self.admins.get(each)))


def article_id(number: str, locale: str = "") -> str:
    """The default language's text has the article's own id, whichever language that is."""
    return f"article:{number}:{locale}" if locale else f"article:{number}"


def articles(
    article: Article, names: Names, principals: tuple[str, ...] | None = None
) -> Iterator[Entry | Failed]:
    """The article in each of its languages."""
    default = article.default_locale or _default_of(article)
    texts: list[tuple[str, ArticleText]] = [("", article)]
    texts += [each for each in article.translated_content.items() if each[0] != default]
    for locale, text in texts:
        entry_id = article_id(article.id, locale)
        locator = {"kind": "article", "id": article.id}
        if locale:
            locator["locale"] = locale
        if text.state not in ("published", "draft"):
            message = f"{entry_id} is neither published nor a draft, but {text.state!r}"
            yield Failed("bad_content", message, entry_id, locator)
            continue
        about = _about_article(article, text, locale or default, names)
        entry = _entry(entry_id, locator, html(text.body, about, principals))
        draft = text.state == "draft"
        yield replace(entry, content=None, filtered="it is a draft") if draft else entry


def internal(article: InternalArticle, names: Names, workspace: str) -> Entry:
    """An internal article: for teammates."""
    about = Metadata(
        title=article.title or None,
        language=article.locale or None,
        authors=names.authors(article.author_id, article.owner_id),
        created_at=article.created_at,
        updated_at=article.updated_at,
        properties={"kind": "internal article"},
    )
    locator = {"kind": "internal-article", "id": article.id, "workspace": workspace}
    content = html(article.body, about, teammates(workspace))
    return _entry(f"internal-article:{article.id}", locator, content)


def conversation(row: Conversation, workspace: str, app: str, final: datetime) -> Entry:
    """A conversation, without its text. Updated after `final`, it may change within its second."""
    about = _about_conversation(row, workspace, app)
    parts = row.part_count
    version = _version(about, f"{parts}/{row.source.body}".encode(), teammates(workspace))
    if row.updated_at is None or row.updated_at > final:
        version += "~"
    locator = {"kind": "conversation", "id": row.id, "workspace": workspace}
    return Entry(f"conversation:{row.id}", version, locator, metadata=about)


def conversation_text(row: Conversation, workspace: str, app: str) -> Content:
    """What was said in a conversation, by whom and when."""
    about = _about_conversation(row, workspace, app)
    said = [row.source, *row.parts]
    lines = [line for message in said for line in _lines(message, row.created_at)]
    missing = (row.parts_there or 0) - len(row.parts)
    if missing > 0 and len(row.parts) >= _MOST_PARTS:
        lines.insert(1, f"<p>({missing:,} earlier parts are not told by Intercom.)</p>")
    return html("\n".join(lines), about, teammates(workspace))


def teammates(workspace: str) -> tuple[str, ...]:
    """Those who work in the workspace."""
    return (f"intercom:teammates:{workspace}",)


def _default_of(article: Article) -> str:
    """The default language where it is not named: that of the text with the article's address."""
    for locale, text in article.translated_content.items():
        if article.url and text.url == article.url:
            return locale
    found = _LOCALE_IN_URL.search(article.url)
    return found[1] if found else ""


def _about_article(article: Article, text: ArticleText, language: str, names: Names) -> Metadata:
    parents = dict.fromkeys((*article.parent_ids, article.parent_id))
    return Metadata(
        title=text.title or None,
        url=text.url or None,
        language=language or None,
        authors=names.authors(text.author_id),
        categories=tuple(dict.fromkeys(name for each in parents for name in names.path(each))),
        tags=article.tags,
        created_at=text.created_at,
        updated_at=text.updated_at,
        properties={"kind": "article", "description": text.description or None},
    )


def _about_conversation(row: Conversation, workspace: str, app: str) -> Metadata:
    said = row.source
    return Metadata(
        title=_plain(row.title) or _plain(said.subject) or f"Conversation {row.id}",
        url=f"{app}/a/inbox/{workspace}/inbox/conversation/{row.id}",
        authors=tuple(filter(None, (said.author_name or said.author_email,))),
        tags=row.tags,
        created_at=row.created_at,
        updated_at=row.updated_at,
        properties={
            "kind": "conversation",
            "state": row.state or None,
            "priority": row.priority or None,
            "channel": said.type or None,
            "team": row.team_assignee_id or None,
            "teammate": row.admin_assignee_id or None,
        },
    )


def _lines(message: Message, started: datetime | None) -> Iterator[str]:
    files = [each.name for each in message.attachments if each.name]
    if not _plain(message.body) and "<img" not in message.body and not files:
        return
    who = message.author_name or message.author_email or "Somebody"
    role = "note" if message.part_type == "note" else _WHO.get(message.author_type, "customer")
    at = message.created_at or started
    when = f", {at:%Y-%m-%d %H:%M} UTC" if at else ""
    yield f"<p><strong>{escape(who)}</strong> ({role}{when}):</p>"
    yield f"<div>{message.body}</div>"
    for name in files:
        yield f"<p>Attached: {escape(name)}</p>"


def _plain(markup: str) -> str:
    return " ".join(unescape(_TAG.sub(" ", markup)).split())


def _entry(entry_id: str, locator: Locator, content: Content) -> Entry:
    version = _version(content.metadata, content.data, content.principals)
    return Entry(
        entry_id,
        version,
        locator,
        metadata=content.metadata,
        size=len(content.data),
        content=content,
    )


def _version(about: Metadata, data: bytes, principals: tuple[str, ...] | None) -> str:
    """Exact: it holds all that a document is made of, since times are in seconds, and an edit
    of a translation, a collection's name or a tag does not move an article's own."""
    seconds = int(about.updated_at.timestamp()) if about.updated_at else 0
    return f"{seconds}/{digest(asdict(about), principals, data=data)}"
