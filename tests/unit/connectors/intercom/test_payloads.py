"""Payloads of any kind are read, or refused as the source's error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.intercom import wire
from syncline.connectors.intercom.documents import (
    Names,
    articles,
    conversation,
    conversation_text,
    internal,
)
from syncline.connectors.wire import read
from syncline.core.errors import BadContent
from syncline.core.model import Entry
from syncline.pipeline.extract import extract

_ANY: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, "", 0, -1, 7, 10**30, 1.5, True, [], {}, [None], {"id": None}, "\0", "\ud800"),
        *("<p>Text &amp; more", 1_700_000_000, "1", [1, "\ud800", None], [[[]]], {"a": {"b": {}}}),
        *({"type": "admin", "name": "\0Ann", "email": None}, {"tags": [{"name": "\ud800"}, 1]}),
        *([{"name": "a.png"}, None], {"count_conversation_parts": "x"}, "9" * 400),
    ]
)
_NOW = datetime(2030, 1, 1, tzinfo=UTC)


def _rows(*fields: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these fields, each of which may be missing or anything."""
    state = st.sampled_from(["published", "draft"]) | _ANY
    return st.fixed_dictionaries(
        {},
        optional={"id": st.integers() | _ANY, "state": state, **dict.fromkeys(fields, _ANY)},
    )


_TEXT = ("title", "body", "description", "url", "updated_at", "created_at", "author_id")
_ARTICLE = _rows(*_TEXT, "default_locale", "parent_id", "parent_ids", "tags").flatmap(
    lambda row: st.dictionaries(
        st.sampled_from(["en", "de", "id", "type", "pt-BR", "\0"]), _rows(*_TEXT) | _ANY, max_size=3
    ).map(lambda texts: {**row, "translated_content": texts})
)
_MESSAGE = _rows("body", "author", "attachments", "part_type", "subject", "created_at")
_CONVERSATION = _rows("title", "updated_at", "tags", "statistics", "priority").flatmap(
    lambda row: st.tuples(_MESSAGE | _ANY, st.lists(_MESSAGE, max_size=3) | _ANY).map(
        lambda more: {
            **row,
            "source": more[0],
            "conversation_parts": {"conversation_parts": more[1], "total_count": 3},
        }
    )
)


@given(_ARTICLE | _ANY)
def test_articles_of_any_kind(data: Any) -> None:
    """Each gives entries that can be stored, or `BadContent` where it has no id."""
    try:
        row = read(wire.Article, data, "an article")
    except BadContent:
        return
    for entry in articles(row, Names({"1": ("Help", "1")}, {"1": "Ann"})):
        if isinstance(entry, Entry):
            _assert_storable(entry)
    _assert_storable(internal(read(wire.InternalArticle, data, "an article"), Names(), "w"))


@given(_CONVERSATION | _ANY)
def test_conversations_of_any_kind(data: Any) -> None:
    """Each gives an entry and a text that can be stored."""
    try:
        row = read(wire.Conversation, data, "a conversation")
    except BadContent:
        return
    _assert_storable(conversation(row, "w", "https://app.intercom.com", _NOW))
    conversation_text(row, "w", "https://app.intercom.com").data.decode()


def _assert_storable(entry: Entry) -> None:
    about = entry.metadata
    texts = (entry.id, entry.version, about.title, about.url, about.language, *about.authors)
    for text in (*texts, *about.tags, *about.categories, *map(str, about.properties.values())):
        assert text is None or "\0" not in text.encode().decode()


def test_a_translation_is_an_entry_of_its_own() -> None:
    """In its language, with its address; the default one only once; Indonesian is a language."""
    text = {"state": "published", "body": "<p>x</p>", "updated_at": 1_700_000_000}
    row = {
        **text,
        "id": 39,
        "title": "Keys",
        "url": "http://h.test/en/articles/39",
        "parent_ids": [7],
        "translated_content": {
            "type": "article_translated_content",
            "ar": None,
            "en": {**text, "title": "Keys", "url": "http://h.test/en/articles/39"},
            "id": {**text, "title": "Kunci", "url": "http://h.test/id/articles/39"},
            "pt-BR": {**text, "title": "Chaves", "state": "draft"},
        },
    }
    names = Names({"7": ("Guides", "8"), "8": ("Help", "7")}, {})
    found = list(articles(read(wire.Article, row, "it"), names))
    assert all(isinstance(each, Entry) for each in found)
    entries = [each for each in found if isinstance(each, Entry)]
    assert [(each.id, each.metadata.language, each.filtered) for each in entries] == [
        ("article:39", "en", None),
        ("article:39:id", "id", None),
        ("article:39:pt-BR", "pt-BR", "it is a draft"),
    ]
    assert entries[1].metadata.title == "Kunci"
    assert entries[0].metadata.categories == ("Help", "Guides")


def test_all_that_was_said_is_found_in_the_text() -> None:
    """No message of a conversation is taken for clutter around the main text."""
    parts = [
        {"id": n, "body": f"<p>Message number {n}.</p>", "author": {"type": "user", "name": "Jo"}}
        for n in range(1, 30)
    ]
    row = read(
        wire.Conversation,
        {
            "id": 1,
            "source": {"subject": "Kiln", "body": "<p>Message number 0.</p>"},
            "conversation_parts": {"conversation_parts": parts, "total_count": len(parts)},
        },
        "it",
    )
    content = conversation_text(row, "w", "https://app.intercom.com")
    text = extract(content, content.metadata).text
    assert [f"Message number {n}." in text for n in range(30)] == [True] * 30
