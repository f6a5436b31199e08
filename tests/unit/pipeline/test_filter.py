"""The filter: what belongs (membership), and what is read (the window)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from syncline.core.errors import ConfigurationError
from syncline.core.model import Metadata
from syncline.pipeline.filter import Filter, Rejection, decide, parse_filter_date

NOW = datetime(2025, 6, 15, 12, 0, tzinfo=UTC)


def about(field: str, *values: str) -> Metadata:
    fields: dict[str, Any] = {field: values}
    return Metadata(**fields)


def test_an_empty_filter_lets_everything_pass() -> None:
    """No filter, no rejection, before and after the fetch."""
    assert Filter().is_empty
    assert decide(Filter(), Metadata()) is None
    assert decide(Filter(), Metadata(), "text") is None


def test_words_are_decided_by_the_text_and_the_reason_names_them() -> None:
    """`contains` waits for the text, ignores case and line ends, and looks at the title."""
    wanted = Filter(contains=("Refund Policy",))
    assert decide(wanted, Metadata()) is None
    assert decide(wanted, Metadata(), "Our refund\npolicy.") is None
    assert decide(wanted, Metadata(title="REFUND policy"), "") is None
    assert decide(wanted, Metadata(), "nothing") == Rejection(
        "membership", 'does not contain "Refund Policy"'
    )


def test_all_words_are_needed_and_one_unwanted_word_is_enough() -> None:
    """`contains` is a conjunction; `not_contains` refuses on any."""
    assert decide(Filter(contains=("one", "two")), Metadata(), "only one") == Rejection(
        "membership", 'does not contain "two"'
    )
    unwanted = Filter(not_contains=("draft", "internal"))
    assert decide(unwanted, Metadata(), "Internal notes") == Rejection(
        "membership", 'contains "internal"'
    )
    assert decide(unwanted, Metadata(title="Draft: x")) == Rejection(
        "membership", 'contains "draft"'
    )


@pytest.mark.parametrize("field", ["categories", "tags", "authors"])
def test_a_list_matches_any_and_the_unknown_is_decided_after_the_fetch(field: str) -> None:
    """Any of the wanted values will do, in any case; what is unknown waits for the text."""
    wanted = Filter.model_validate({field: ("News", "How-to")})
    assert decide(wanted, about(field, "how-TO", "x")) is None
    assert decide(wanted, Metadata()) is None
    refused = decide(wanted, Metadata(), "text")
    assert refused is not None
    assert refused.kind == "membership"
    assert '"News", "How-to"' in refused.reason
    assert decide(wanted, about(field, "x")) is not None


def test_properties_must_all_be_equal_or_hold_the_value() -> None:
    """A list in the document matches if it contains the value; types are kept apart."""
    wanted = Filter(properties={"space": "DOC", "level": 1})
    assert decide(wanted, Metadata(properties={"space": ["ops", "doc"], "level": 1}), "") is None
    assert decide(wanted, Metadata(properties={"space": "DOC"})) is None
    assert decide(wanted, Metadata(properties={"space": "DOC"}), "") == Rejection(
        "membership", 'property "level" is not set, not 1'
    )
    assert decide(wanted, Metadata(properties={"space": "DOC", "level": True})) == Rejection(
        "membership", 'property "level" is not 1'
    )


def test_the_window_bounds_reading_and_says_so() -> None:
    """Since is inclusive, before is exclusive, unknown dates are inside, naive ones UTC."""
    window = Filter(updated_since=datetime(2025, 1, 1), updated_before=datetime(2025, 2, 1))  # noqa: DTZ001
    assert decide(window, Metadata(updated_at=datetime(2024, 1, 2, tzinfo=UTC))) == Rejection(
        "window", "updated 2024-01-02, before the reading window (since 2025-01-01)"
    )
    assert decide(window, Metadata(updated_at=datetime(2025, 2, 1, tzinfo=UTC))) == Rejection(
        "window", "updated 2025-02-01, after the reading window (before 2025-02-01)"
    )
    assert decide(window, Metadata(updated_at=datetime(2025, 1, 1))) is None  # noqa: DTZ001
    east = timezone(timedelta(hours=5))
    assert decide(window, Metadata(updated_at=datetime(2025, 1, 1, 2, tzinfo=east))) is not None
    assert decide(window, Metadata(), "text") is None


def test_what_certainly_does_not_belong_is_removed_however_old() -> None:
    """Membership is decided before the window."""
    both = Filter(tags=("a",), updated_since=NOW)
    old = datetime(2020, 1, 1, tzinfo=UTC)
    refused = decide(both, Metadata(tags=("b",), updated_at=old))
    assert refused is not None
    assert refused.kind == "membership"


def test_the_keys_separate_membership_from_the_window() -> None:
    """The membership key ignores the window and the order of words; the window key the rest."""
    one = Filter(tags=("b", "a", "a"), updated_since=NOW)
    two = Filter(tags=("a", "b"))
    assert one.membership_key == two.membership_key
    assert one.window_key != two.window_key
    assert Filter(updated_since=NOW.astimezone(timezone(timedelta(hours=2)))).window_key == (
        one.window_key
    )
    assert Filter(contains=("a",)).membership_key != Filter(not_contains=("a",)).membership_key


def test_a_filter_survives_a_round_trip_through_json() -> None:
    """Stored filters come back as they were."""
    kept = Filter(contains=("é",), properties={"a": [1, None]}, updated_since=NOW)
    assert Filter.model_validate_json(kept.model_dump_json()) == kept


def test_unknown_fields_and_blank_words_are_refused() -> None:
    """A misspelt filter must not silently match everything."""
    with pytest.raises(ValidationError):
        Filter.model_validate({"contain": ["x"]})
    with pytest.raises(ValidationError):
        Filter(contains=(" ",))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2025-01-31", datetime(2025, 1, 31, tzinfo=UTC)),
        ("2025-01-31T10:00+02:00", datetime(2025, 1, 31, 8, tzinfo=UTC)),
        ("7d", NOW - timedelta(days=7)),
        ("32h", NOW - timedelta(hours=32)),
        (" 2W ", NOW - timedelta(weeks=2)),
    ],
)
def test_dates_are_written_as_dates_or_ages(written: str, meant: datetime) -> None:
    """ISO dates and times, and ages counted back from now."""
    assert parse_filter_date(written, NOW) == meant


@pytest.mark.parametrize("written", ["yesterday", "", "7y", "999999w", "2025-13-01"])
def test_what_is_no_date_is_refused_with_examples(written: str) -> None:
    """The error says what a date looks like."""
    with pytest.raises(ConfigurationError) as caught:
        parse_filter_date(written, NOW)
    assert caught.value.hint is not None
    assert "7d" in caught.value.hint


def test_a_window_may_move_with_the_clock() -> None:
    """Its reason and its key stay the same while it moves, so that nothing is noted anew."""
    wanted = Filter.model_validate({"updated_within": "32h"})
    old = Metadata(updated_at=datetime(2025, 3, 1, tzinfo=UTC))
    later = [datetime(2025, 3, day, tzinfo=UTC) for day in (2, 3, 4)]
    assert decide(wanted.at(later[0]), old) is None
    reasons = {decide(wanted.at(now), old) for now in later[1:]}
    (reason,) = reasons
    assert reason is not None
    assert (reason.kind, "the last 32 h" in reason.reason) == ("window", True)
    assert {wanted.at(now).window_key for now in later} == {wanted.window_key}
    assert wanted.window_key != Filter.model_validate({"updated_within": "33h"}).window_key
    assert wanted.membership_key == Filter().membership_key
    assert Filter.model_validate(wanted.model_dump(mode="json")) == wanted


@pytest.mark.parametrize("written", ["soon", "0h", "-1h", "32", "99999999w"])
def test_what_is_no_age_is_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        Filter.model_validate({"updated_within": written})
