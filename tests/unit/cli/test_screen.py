"""Text for people: safe, short, in units."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from syncline.cli.screen import age, bold, print_json, safe, shown, shown_lines, size, span, table


def test_control_characters_are_shown_not_obeyed() -> None:
    """Neither escape sequences nor line ends get through; lengths stay as they are."""
    assert shown("a\x1b[2J\nb\tc") == "a�[2J b c"
    assert len(safe("\x1b\x07\u202e")) == 3
    assert "\x1b" not in shown_lines("one\n\x1btwo")
    assert shown_lines("one\ntwo") == "one\ntwo"


def test_long_text_is_cut_with_a_sign() -> None:
    """To exactly so many characters."""
    assert shown("abcdef", most=4) == "abc…"
    assert shown("abcd", most=4) == "abcd"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.96, "10.0 s"),
        (75, "75 s"),
        (600, "10 min"),
        (7300, "2 h"),
        (4e5, "5 days"),
    ],
)
def test_durations_have_one_unit(seconds: float, text: str) -> None:
    """The one that a person would use."""
    assert span(seconds) == text


def test_ages_and_sizes() -> None:
    """In words."""
    assert (age(None), age(3), age(300)) == ("never", "just now", "5 min ago")
    assert (size(12_400_000), size(3_100_000_000)) == ("12 MB", "3.1 GB")


def test_nothing_is_emphasised_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    """pytest's output is no terminal."""
    assert bold("word") == "word"
    table(("n", "name"), [("1", "one"), ("10", "ten")], right="r")
    assert capsys.readouterr().out == " n  name\n 1  one\n10  ten\n"


def test_json_is_one_object_with_text_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Dates become text."""
    print_json({"name": "Grüße", "when": datetime(2026, 1, 2, tzinfo=UTC)})
    printed = capsys.readouterr().out
    assert "Grüße" in printed
    assert json.loads(printed)["when"].startswith("2026-01-02")
