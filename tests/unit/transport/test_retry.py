"""What is tried again, and after how long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from syncline.core.errors import Forbidden, RateLimited, SourceError, Transient
from syncline.testing.clock import FakeClock
from syncline.transport.retry import Retries, RetryPolicy, retry_after_seconds

_NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("120", 120),
        ("1.5", 1.5),
        ("-5", 0),
        ("9223372036854775807", 3600),
        ("9" * 5000, 3600),
        ("Tue, 01 Jan 2030 00:00:30 GMT", 30),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("soon", None),
        ("²", None),
        ("1e9", None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(header: str | None, seconds: float | None) -> None:
    """Seconds, dates and nonsense, clamped to an hour."""
    assert retry_after_seconds(header, _NOW) == seconds


def _retries(clock: FakeClock, policy: RetryPolicy | None = None) -> Retries:
    return Retries(policy or RetryPolicy(), clock=clock, sleep=clock.sleep, random=lambda: 0.5)


def _failing(*errors: Exception) -> tuple[Callable[[float], object], list[float]]:
    left = list(errors)
    scales: list[float] = []

    async def attempt(scale: float) -> str:
        scales.append(scale)
        if left:
            raise left.pop(0)
        return "done"

    return attempt, scales


async def test_transient_errors_are_retried_with_growing_waits_and_timeouts() -> None:
    """Exponential waits; time limits grow by half with each network error."""
    clock = FakeClock()
    attempt, scales = _failing(Transient("a"), Transient("b"), Transient("c"))
    assert await _retries(clock).run(attempt) == "done"  # type: ignore[arg-type]
    assert clock.slept == [0.5, 1.0, 2.0]
    assert scales == [1.0, 1.5, 2.25, 3.375]


async def test_tries_are_bounded() -> None:
    """The last error is raised as it is."""
    clock = FakeClock()
    attempt, scales = _failing(*(Transient(str(n)) for n in range(9)))
    with pytest.raises(Transient, match=r"^3$"):
        await _retries(clock).run(attempt)  # type: ignore[arg-type]
    assert len(scales) == 4


async def test_the_budget_bounds_the_time_in_all() -> None:
    """Slow failures are not repeated for minutes on end."""
    clock = FakeClock()

    async def attempt(scale: float) -> None:
        clock.advance(100)
        raise Transient("slow")

    with pytest.raises(Transient):
        await _retries(clock).run(attempt)
    assert len(clock.slept) == 1


async def test_errors_that_stay_are_not_retried() -> None:
    """A refusal is final at once."""
    clock = FakeClock()
    attempt, scales = _failing(Forbidden("no"))
    with pytest.raises(Forbidden):
        await _retries(clock).run(attempt)  # type: ignore[arg-type]
    assert len(scales) == 1
    assert clock.slept == []


@pytest.mark.parametrize("failures", [1, 2, 9])
async def test_what_nobody_foresaw_is_tried_once_more(failures: int) -> None:
    """With caution: a fault of a library's, or ours, may be the answer's. Then it is an error that
    says what happened, with its cause."""
    clock = FakeClock()
    attempt, scales = _failing(*(KeyError("oddity") for _ in range(failures)))
    if failures == 1:
        assert await _retries(clock).run(attempt) == "done"  # type: ignore[arg-type]
    else:
        with pytest.raises(SourceError, match=r"unforeseen way \(KeyError: 'oddity'\)") as caught:
            await _retries(clock).run(attempt)  # type: ignore[arg-type]
        assert isinstance(caught.value.__cause__, KeyError)
        assert "next run tries again" in str(caught.value.hint)
    assert scales == [1.0, 1.0]
    assert clock.slept == [0.5]


@pytest.mark.parametrize(("asked", "waited"), [(None, 0.5), (0.0, 0.5), (30.0, 30.5)])
async def test_a_rate_limit_is_waited_for(asked: float | None, waited: float) -> None:
    """Retry-After and a little more; without one, as for other errors."""
    clock = FakeClock()
    attempt, scales = _failing(RateLimited("busy", retry_after=asked))
    assert await _retries(clock).run(attempt) == "done"  # type: ignore[arg-type]
    assert clock.slept == [waited]
    assert scales == [1.0, 1.0]


async def test_a_long_rate_limit_is_handed_on() -> None:
    """Beyond our patience the caller learns when to come back, at once."""
    clock = FakeClock()
    attempt, _ = _failing(RateLimited("busy", retry_after=61))
    with pytest.raises(RateLimited) as caught:
        await _retries(clock).run(attempt)  # type: ignore[arg-type]
    assert caught.value.retry_after == 61
    assert clock.slept == []
