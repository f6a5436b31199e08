"""What an API sends is read, whatever it sends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.connectors.wire import (
    Flag,
    Id,
    Moment,
    Names,
    Number,
    Text,
    Texts,
    Wire,
    inside,
    read,
    rows,
)
from syncline.connectors.zendesk.wire import Article, Attachment, Category, Section, Translation
from syncline.connectors.zendesk_tickets.wire import Comment, Ticket
from syncline.core.errors import BadContent
from syncline.core.model import Failed

_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\0", "a\0b", "\ud800", "\ud83d\ude00", "\udc00x", "2024-99-99"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


class Page(Wire):
    id: Id
    title: Text = ""
    labels: Texts = ()
    public: Flag = False
    size: Number = None
    updated_at: Moment = None
    parent: Wire | None = None


@pytest.mark.parametrize(
    "kind", [Page, Article, Translation, Section, Category, Attachment, Ticket, Comment]
)
@given(data=st.data())
def test_only_a_missing_id_stops_a_row(kind: type[Wire], data: st.DataObject) -> None:
    """Any values in any fields, and any others: what comes out can be stored."""
    names = st.sampled_from([*kind.model_fields, "unknown"])
    values = data.draw(st.dictionaries(names, _ANYTHING))
    parsed = kind.model_validate({**values, "id": 7})
    for name in kind.model_fields:
        value = getattr(parsed, name)
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str):
                assert "\0" not in text
                text.encode()
        assert not isinstance(value, datetime) or value.tzinfo is not None


@pytest.mark.parametrize(
    ("sent", "moment"),
    [
        ("2024-05-06T07:08:09Z", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024-05-06T09:08:09+02:00", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2024-05-06T07:08:09", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        (1714979289, datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("1714979289", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        (1714979289000, datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        (None, None),
        (True, None),
        ("soon", None),
        (10**30, None),
        ("2024-13-45", None),
        ([], None),
    ],
)
def test_dates_come_in_many_forms(sent: Any, moment: datetime | None) -> None:
    assert Page.model_validate({"id": 1, "updated_at": sent}).updated_at == moment


def test_ids_are_texts_whatever_they_were() -> None:
    assert Page.model_validate({"id": 360_000_000_001}).id == "360000000001"
    wrongs: list[Any] = [None, "", " ", [], True, 1.5]
    for wrong in wrongs:
        with pytest.raises(BadContent, match="describes it: id: an id is missing"):
            read(Page, {"id": wrong}, "the page")


def test_a_row_that_cannot_be_read_makes_the_listing_incomplete_and_no_more() -> None:
    found = list(rows(Page, {"pages": [{"id": 1}, {"title": "x"}, None, {"id": 2}]}, "pages", "p"))
    assert [each.id for each in found if isinstance(each, Page)] == ["1", "2"]
    failed = [each for each in found if isinstance(each, Failed)]
    assert [each.id for each in failed] == [None, None]
    assert "row 1 of 'pages'" in failed[0].message


def test_an_answer_may_be_its_list_itself() -> None:
    """Then it has no name; what is no list is an error all the same."""
    found = list(rows(Page, [{"id": 1}, None], None, "p"))
    assert [getattr(each, "id", None) for each in found] == ["1", None]
    assert isinstance(found[1], Failed)
    assert "row 1 cannot be read" in found[1].message
    wrong: list[Any] = [{}, None, {"pages": []}, "x"]
    for data in wrong:
        with pytest.raises(BadContent, match="p is no list"):
            list(rows(Page, data, None, "p"))


@pytest.mark.parametrize("data", [None, {}, [], {"pages": None}, {"pages": {}}, "pages"])
def test_an_answer_without_its_list_is_not_an_empty_one(data: Any) -> None:
    with pytest.raises(BadContent, match="has no list 'pages'"):
        list(rows(Page, data, "pages", "the answer"))


class _Deep(Wire):
    name: Text = inside("", "author", "name")
    count: Number = inside(None, "counts", "all")
    labels: Names = ()


@pytest.mark.parametrize("author", [None, "Ann", 7, [], ["name"], {}, {"name": None}])
def test_what_lies_deep_in_a_payload_may_be_missing_at_any_depth(author: Any) -> None:
    """Then it is its default."""
    assert _Deep.model_validate({"author": author, "counts": author}) == _Deep()
    found = _Deep.model_validate({"author": {"name": "Ann"}, "counts": {"all": 3}})
    assert (found.name, found.count) == ("Ann", 3)


def test_names_are_those_of_a_list_of_objects() -> None:
    """Each once, in order; a list of anything else has none."""
    told = {"labels": [{"name": "tea"}, {"name": None}, {}, {"name": "jam"}, {"name": "tea"}]}
    assert _Deep.model_validate(told).labels == ("jam", "tea")
    for wrong in ("tea", ["tea"], [{"name": "tea"}, None], {"name": "tea"}):
        assert _Deep.model_validate({"labels": wrong}).labels == ()
