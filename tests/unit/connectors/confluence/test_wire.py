"""What Confluence says of a content becomes an entry that can be stored, or an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.connectors.confluence.entries import Wiki, entry_of
from syncline.connectors.confluence.wire import piece_of
from syncline.core.errors import BadContent

_ROW: dict[str, Any] = {
    "id": "att7",
    "type": "attachment",
    "status": "current",
    "title": "notes.md",
    "space": {"key": "DOCS", "name": "Documentation"},
    "version": {"number": 3, "when": "2026-02-03T04:05:06.000+02:00", "by": {"displayName": "Jo"}},
    "history": {"createdDate": "2026-01-02T03:04:05.000Z", "createdBy": {"displayName": "Jane"}},
    "metadata": {"labels": {"results": [{"name": "tea"}]}, "mediaType": "text/markdown"},
    "extensions": {"mediaType": "text/markdown", "fileSize": 12},
    "ancestors": [{"id": "5", "title": "Kitchen"}],
    "_links": {"webui": "/display/DOCS/Tea", "download": "/download/attachments/7/notes.md"},
}
_WIKI = Wiki("https://wiki.example", 10)
_ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["\0", "\ud800", "2024-99-99", "9" * 400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)  # fmt: skip
_PLACES = [
    *([name] for name in _ROW if name != "id"),
    *([name, inner] for name, part in _ROW.items() if isinstance(part, dict) for inner in part),
    *(["version", "by", "displayName"], ["metadata", "labels", "results"]),
    *(["ancestors", 0], ["ancestors", 0, "title"], ["ancestors", 0, "id"]),
]


def test_a_content_is_understood() -> None:
    """All that is told of it is in its entry."""
    piece = piece_of(_ROW)
    page = piece_of({**_ROW, "id": "7", "type": "page", "title": "Tea"})
    entry = entry_of(piece, page, ("confluence:user:jane",), _WIKI)
    assert (entry.id, entry.parent, entry.size) == ("attachment:att7", "page:7", 12)
    assert entry.filtered is None
    assert entry.metadata.authors == ("Jane", "Jo")
    assert entry.metadata.categories == ("Documentation", "Kitchen", "Tea")
    assert entry.metadata.updated_at == datetime(2026, 2, 3, 2, 5, 6, tzinfo=UTC)
    assert (entry.version or "").startswith("3/")


@settings(deadline=None)
@given(places=st.lists(st.sampled_from(_PLACES), min_size=1, max_size=4), odd=st.data())
def test_anything_in_any_place_is_stored_or_refused(
    places: list[list[str | int]], odd: st.DataObject
) -> None:
    """Texts without NUL and halves of pairs; dates with a zone; what is missing is an error."""
    row = json.loads(json.dumps(_ROW))
    for *path, last in places:
        at = row
        try:
            for name in path:
                at = at[name]
            at[last] = odd.draw(_ODD)
        except (TypeError, KeyError, IndexError):
            continue
    try:
        piece = piece_of(row)
        entry = entry_of(piece, piece, None, _WIKI)
    except BadContent:
        return
    told = entry.metadata
    assert told.updated_at is None or told.updated_at.tzinfo
    texts = (entry.id, entry.version, entry.parent, told.title, told.url, entry.filtered)
    for text in (*texts, *told.authors, *told.categories, *told.tags, *told.properties.values()):
        assert text is None or "\0" not in text
        (text or "").encode()
    assert json.loads(json.dumps(dict(entry.locator))) == dict(entry.locator)
