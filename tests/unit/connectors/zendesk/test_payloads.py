"""Payloads of any kind become entries that can be stored, or are refused as the source's error."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.wire import W, Wire, read
from syncline.connectors.zendesk import wire
from syncline.connectors.zendesk.attachments import attachment_entry
from syncline.connectors.zendesk.entries import entry_of, principals_of
from syncline.connectors.zendesk.sections import paths_of
from syncline.connectors.zendesk_tickets.entries import conversation
from syncline.connectors.zendesk_tickets.entries import entry_of as ticket_entry
from syncline.connectors.zendesk_tickets.wire import Comment, Ticket
from syncline.core.errors import BadContent
from syncline.core.model import Content, Entry

_ANY: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, "", 0, -1, 7, 10**30, 1.5, True, False, [], {}, [None], {"id": None}, "\0"),
        *("\ud800", "<p>Text &amp; more", 1_700_000_000, "1", [1, "\ud800", None], [[[]]], "10"),
        *("2024-05-06T07:08:09Z", "9" * 400, "keys.txt", "keys\0.md", ["b", "a", "a"], "deleted"),
    ]
)


def _rows(kind: type[Wire]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the fields of this kind, each of which may be missing or anything."""
    fields = dict.fromkeys(kind.model_fields, _ANY)
    return st.fixed_dictionaries({}, optional={**fields, "id": st.integers() | _ANY})


def _read(kind: type[W], data: Any) -> W | None:
    try:
        return read(kind, data, "it")
    except BadContent:
        return None


def _all(kind: type[W], data: list[Any]) -> list[W]:
    return [each for row in data if (each := _read(kind, row)) is not None]


@given(
    _rows(wire.Article),
    _rows(wire.Translation),
    st.lists(_rows(wire.Section), max_size=4),
    st.lists(_rows(wire.Category), max_size=2),
)
def test_articles_of_any_kind(article: Any, text: Any, sections: Any, categories: Any) -> None:
    """In sections that lie in each other or in themselves, too."""
    found = _read(wire.Article, article)
    translation = _read(wire.Translation, text)
    if found is None or translation is None:
        return
    paths = paths_of(_all(wire.Category, categories), _all(wire.Section, sections))
    path = paths.get(found.section_id, ())
    principals = principals_of(found, None)
    for row in (found, translation):
        entry = entry_of(found, row, "pt-br", path, principals, content=True)
        _assert_storable(entry)
        assert (entry.content is None) == (entry.filtered is not None) == (row.draft is not False)
    # Who is to see it must have been told: a segment that is missing or strange is nobody's.
    told_all = "user_segment_id" in article and article["user_segment_id"] is None
    assert principals is not None or (told_all and not found.user_segment_ids)


@given(_rows(wire.Attachment), _rows(wire.Article), st.booleans())
def test_attachments_of_any_kind(data: Any, article: Any, hidden: bool) -> None:
    """One whose size is not told is not too large."""
    row, found = _read(wire.Attachment, data), _read(wire.Article, article)
    if row is not None and found is not None:
        _assert_storable(attachment_entry(row, found, principals_of(found, None), hidden=hidden))


@given(_rows(Ticket), st.lists(_rows(Comment), max_size=3), st.booleans())
def test_tickets_of_any_kind(data: Any, comments: Any, internal: bool) -> None:
    """Each gives an entry and a text that can be stored, and that agents find at least."""
    row = _read(Ticket, data)
    if row is None:
        return
    said = _all(Comment, comments)
    _assert_storable(ticket_entry(row, "https://acme.zendesk.com", internal=internal))
    content = conversation(row, said, "https://acme.zendesk.com", internal=internal)
    _assert_text(content)
    assert content.principals is not None
    assert "zendesk:agents" in content.principals
    assert "zendesk:user:" not in content.principals


def _assert_storable(entry: Entry) -> None:
    about = entry.metadata
    texts = (entry.id, entry.version, about.title, about.url, about.language, *about.authors)
    more = (*about.tags, *about.categories, *map(str, about.properties.values()))
    for text in (*texts, *more, *map(str, entry.locator.values())):
        assert text is None or "\0" not in text.encode().decode()
    if entry.content is not None:
        _assert_text(entry.content)


def _assert_text(content: Content) -> None:
    assert "\0" not in content.data.decode()
    assert all(each and each == each.strip() for each in content.principals or ())
