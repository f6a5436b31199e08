"""What was typed, made into what is meant."""

from __future__ import annotations

import pytest

from syncline.cli.options import filter_of, options_of, pairs, seconds_of
from syncline.core.errors import ConfigurationError, UsageError


def test_pairs_keep_what_follows_the_first_equals_sign() -> None:
    """Values may hold more of them, and may be empty."""
    assert pairs(["a=1=2", " b =", "c=x y"], "--option") == {"a": "1=2", "b": "", "c": "x y"}
    for wrong in ("a", "=1", " =1"):
        with pytest.raises(UsageError, match="NAME=VALUE"):
            pairs([wrong], "--option")


def test_an_option_given_twice_is_a_list() -> None:
    """As options that take lists read it."""
    assert options_of(["exclude=a/", "max_mb=5", "exclude=b/"]) == {
        "exclude": "a/,b/",
        "max_mb": "5",
    }
    assert options_of(None) == {}


def test_only_the_filters_that_were_given_are_there() -> None:
    """So that the others stay as they are."""
    assert filter_of(updated_since=None, updated_before=None, properties=None, tags=None) == {}
    wanted = filter_of(
        updated_since="2025-01-31",
        updated_before=None,
        properties=["public=true", "level=3", "team=blue", "code=[1]"],
        tags=["a", "b"],
    )
    assert wanted == {
        "tags": ["a", "b"],
        "properties": {"public": True, "level": 3, "team": "blue", "code": "[1]"},
        "updated_since": "2025-01-31T00:00:00+00:00",
    }


def test_a_wrong_date_names_its_option() -> None:
    """And says how dates are written."""
    with pytest.raises(ConfigurationError, match="--updated-before") as caught:
        filter_of(updated_since=None, updated_before="soon", properties=None)
    assert "7d" in (caught.value.hint or "")


def test_times_are_written_with_their_unit() -> None:
    """A number alone is seconds."""
    given = ("90", "90s", "30m", "24h", "7 d", "1w", "0")
    assert [seconds_of(text, "--recheck") for text in given] == [
        90,
        90,
        1_800,
        86_400,
        604_800,
        604_800,
        0,
    ]
    for wrong in ("", "soon", "-1", "1.5h", "1y"):
        with pytest.raises(UsageError, match="not a time"):
            seconds_of(wrong, "--recheck")
