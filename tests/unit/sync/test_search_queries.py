"""What is sent to PostgreSQL's full-text index."""

from __future__ import annotations

from syncline.store.search import tsquery


def test_stems_are_quoted_so_that_none_is_an_operator() -> None:
    assert tsquery(["a'b\\c", "!", "&"]) == "'a''b\\\\c'|'!'|'&'"
