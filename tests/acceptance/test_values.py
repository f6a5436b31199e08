"""Values arrive as they were, whatever is in them, and come back so."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Json

from syncline.store.database import Connection, Database

_same_session = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


async def _back(db: Connection, kind: str, values: list[object]) -> object:
    found = await db.execute(f"SELECT %s::{kind}[]".encode(), (values,))
    row = await found.fetchone()
    assert row is not None
    return row[0]


@_same_session
@given(st.lists(st.binary(max_size=40), max_size=8))
async def test_bytes(db: Connection, values: list[object]) -> None:
    assert await _back(db, "bytea", values) == values


_text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@_same_session
@given(st.lists(_text | st.sampled_from(["", "NULL", '"', "\\", "{a,b}", '","', " "]), max_size=8))
async def test_texts(db: Connection, values: list[object]) -> None:
    assert await _back(db, "text", values) == values


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", ["a", None, "b"]),
        ("text", []),
        ("text", [["a", "b"], ["c", '"']]),
        ("bytea", [b"a", None]),
        ("bigint", [1, -(2**40), 2**62]),
        ("boolean", [True, False]),
        ("float8", [0.5, 1.0]),
        ("timestamptz", [datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)]),
    ],
)
async def test_all_others(db: Connection, kind: str, values: list[object]) -> None:
    assert await _back(db, kind, values) == values


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)


@_same_session
@given(_json)
async def test_json(db: Connection, value: object) -> None:
    """As the standard library reads what the database says: some numbers it writes otherwise."""
    found = await db.execute(
        "SELECT j, b, b::text FROM (SELECT %s::json, %s::jsonb) AS t (j, b)",
        (Json(value), Json(value)),
    )
    row = await found.fetchone()
    assert row is not None
    assert row[0] == value
    assert row[1] == json.loads(row[2])


async def test_what_cannot_be_stored_is_refused(db: Connection) -> None:
    with pytest.raises(psycopg.DataError, match="NUL"):
        await _back(db, "text", ["a\0b"])


async def test_the_session_writes_utf8_whatever_the_environment_says(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    async with await database.connect() as db:
        assert await _back(db, "text", ["ж"]) == ["ж"]
