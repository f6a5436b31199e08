"""Whatever Canvas sends becomes an entry, a failure, or a `BadContent`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from syncline.connectors.canvas.entries import Place, html_of_replies, unseen
from syncline.connectors.canvas.wire import (
    Assignment,
    Course,
    File,
    Item,
    Module,
    Page,
    Reply,
    Topic,
    User,
)
from syncline.core.model import Content

_KINDS: dict[str, type[Item]] = {
    "announcement": Topic,
    "assignment": Assignment,
    "discussion": Topic,
    "page": Page,
    "module": Module,
    "file": File,
}
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
) | st.sampled_from(["2030-01-01T00:00:00Z", "0000-00-00", "\0", "\ud800", "<p>a</p>", "public"])
_VALUES = st.recursive(
    _LEAVES,
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3)
    ),
    max_leaves=6,
)


def _payload(kind: type[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = ["id", "page_id", "name", "display_name", "content-type", *kind.model_fields]
    return st.dictionaries(st.sampled_from(names), _VALUES)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(_KINDS)))
def test_any_payload_becomes_an_entry_or_is_refused(data: st.DataObject, name: str) -> None:
    """Storable, with a version, and sorted principals; only an id must be there."""
    kind = _KINDS[name]
    payload = data.draw(_payload(kind))
    try:
        item = kind.model_validate(payload)
        course = Course.model_validate({"id": 1, **data.draw(_payload(Course))})
    except ValidationError:
        return
    place = Place(course.slim(), datetime(2030, 1, 1, tzinfo=UTC), "https://x.example", 1000)
    unseen(item, place.now)
    entry = place.entry(name, item, content=True)
    assert entry.version
    for text in (entry.id, entry.metadata.title, entry.metadata.url, entry.filtered):
        assert "\0" not in (text or "").encode().decode()
    content = entry.content
    assert content is None or isinstance(content, Content)
    principals = content.principals if content else None
    assert principals is None or list(principals) == sorted(set(principals))


@settings(max_examples=25, deadline=None)
@given(_payload(Reply), _payload(User), _payload(Topic))
def test_any_reply_can_be_shown(reply: Any, user: Any, topic: Any) -> None:
    """With what it lacks left out."""
    try:
        made = Topic.model_validate({"id": 1, **topic})
    except ValidationError:
        return
    said = Reply.model_validate(reply)
    assert html_of_replies(made, [said], [said], {}).encode()


@pytest.mark.parametrize("kind", sorted(_KINDS))
def test_an_item_without_an_id_is_none(kind: str) -> None:
    """It could not be told from others."""
    with pytest.raises(ValidationError):
        _KINDS[kind].model_validate({"id": None, "title": "Mosses"})
