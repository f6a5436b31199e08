"""Each type of payload of each API, found by itself: anything in any of its fields is survived."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath

from syncline import connectors
from syncline.connectors.wire import Wire, read
from syncline.core.errors import BadContent

_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, "", 0, -1, 7, 10**30, 1.5, float("nan"), True, [], {}, [None], {"id": None}),
        *("\0", "a\ud800", "2024-13-45T99:99:99Z", "2024-01-01", "9" * 400, 1_700_000_000, "en"),
        *([[[]]], {"a": {"b": {}}}, [{"name": "\0tea"}, 1], [1, "\ud800", None], {"type": "x"}),
        *({"name": ["\0"], "id": {}}, [{"id": 1, "body": None}], {"results": "x", "total": []}),
    ]
)
_PLAIN = (Any, object)


def _kinds() -> list[type[Wire]]:
    found: dict[str, type[Wire]] = {}
    for folder in pkgutil.iter_modules(connectors.__path__, f"{connectors.__name__}."):
        if folder.ispkg and any(each.name == "wire" for each in _inside(folder.name)):
            module = importlib.import_module(f"{folder.name}.wire")
            for value in vars(module).values():
                if getattr(value, "__module__", "") == module.__name__ and _is_wire(value):
                    found[f"{folder.name.rpartition('.')[2]}.{value.__name__}"] = value
    return [found[name] for name in sorted(found)]


def _is_wire(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Wire)


def _inside(package: str) -> Iterator[pkgutil.ModuleInfo]:
    return pkgutil.iter_modules(importlib.import_module(package).__path__)


def _path(kind: type[Wire], name: str) -> list[Any]:
    alias = kind.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        alias = alias.choices[0]
    return alias.path if isinstance(alias, AliasPath) else [alias or name]


def _payload(kind: type[Wire], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values where the API has them."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        *above, last = _path(kind, name)
        at: Any = made
        for step in above:
            at = at.setdefault(step, {}) if isinstance(at, dict) else at
        if isinstance(at, dict):
            at[last] = value
    return made


def _needed(kind: type[Wire]) -> dict[str, Any]:
    return {name: "7" for name, field in kind.model_fields.items() if field.is_required()}


_KINDS = _kinds()


def test_the_types_of_all_apis_are_found() -> None:
    known = {(kind.__module__.split(".")[-2], kind.__name__) for kind in _KINDS}
    assert known >= {
        *(("intercom", each) for each in ("Admin", "Collection", "Pages", "Conversation")),
        *(("confluence", each) for each in ("Space", "Piece")),
        *(("zendesk", each) for each in ("Section", "Category", "Article")),
        *(("canvas", "Course"), ("zendesk_tickets", "Ticket")),
    }


@given(st.data())
@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_anything_anywhere_is_read_or_refused(kind: type[Wire], data: st.DataObject) -> None:
    """What is read can be stored; what has no id is the source's error; unknown fields are none."""
    fields = st.fixed_dictionaries({}, optional=dict.fromkeys(kind.model_fields, _ODD))
    values = {**_needed(kind), **data.draw(fields)}
    payload = _payload(kind, values) | {"an_unknown_field": data.draw(_ODD)}
    try:
        told = read(kind, payload, "it")
    except BadContent:
        return
    for name in kind.model_fields:
        if kind.model_fields[name].annotation not in _PLAIN:
            _assert_storable(getattr(told, name))


def _assert_storable(value: Any) -> None:
    if isinstance(value, str):
        assert "\0" not in value
        value.encode()
    elif isinstance(value, datetime):
        assert value.tzinfo is not None
    elif isinstance(value, Wire):
        for name in type(value).model_fields:
            _assert_storable(getattr(value, name))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            _assert_storable(name)
            _assert_storable(each)
    elif isinstance(value, tuple | list):
        for each in value:
            _assert_storable(each)
