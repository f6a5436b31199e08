"""What headers say of a quota, in the forms that sources use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syncline.transport.ledger import Told
from syncline.transport.told import told_by

_NOW = datetime(2030, 1, 1, tzinfo=UTC)
_LATER = str(int(_NOW.timestamp()) + 45)


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"ratelimit": '"default";r=50;t=30'}, Told(50, 30)),
        ({"ratelimit": '"burst";r=50;t=30, "daily";r=7;t=4000'}, Told(7, 4000)),
        ({"ratelimit": "limit=100, remaining=12, reset=5"}, Told(12, 5, 100)),
        ({"ratelimit": "total=10; remaining=9; resets=60"}, Told(9, 60, 10)),
        (
            {
                "ratelimit-limit": "100, 100;w=60",
                "ratelimit-remaining": "3",
                "ratelimit-reset": "8",
            },
            Told(3, 8, 100),
        ),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": _LATER}, Told(0, 45)),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": f"{_LATER}000"}, Told(1, 45)),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "2.5"}, Told(1, 2.5)),
        (
            {"x-rate-limit": "700", "x-rate-limit-remaining": "699", "x-rate-limit-reset": "60"},
            Told(699, 60, 700),
        ),
        (
            {"x-ratelimit-remaining": "4", "x-ratelimit-reset": "Tue, 01 Jan 2030 00:01:00 GMT"},
            Told(4, 60),
        ),
        (
            {
                "x-ratelimit-limit": "500",
                "x-ratelimit-remaining": "2",
                "x-ratelimit-interval-seconds": "60",
                "x-ratelimit-fillrate": "100",
            },
            Told(2, 60, 100),
        ),
    ],
)
def test_each_form_is_understood(headers: dict[str, str], told: Told) -> None:
    """The requests that are left, and for how long; of several limits the tightest."""
    assert told_by(headers, _NOW) == told


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit": ""},
        {"ratelimit": '"default";r=50'},
        {"x-ratelimit-remaining": "many", "x-ratelimit-reset": "5"},
        {"x-ratelimit-remaining": "5"},
        {"x-ratelimit-remaining": "5", "x-ratelimit-interval-seconds": "60"},
        {"x-ratelimit-remaining": "5", "x-ratelimit-reset": "0"},
        {"x-ratelimit-remaining": "5", "x-ratelimit-reset": "9" * 400},
        {"x-ratelimit-remaining": "5", "x-ratelimit-reset": "900000"},
        {"x-ratelimit-remaining": "-5", "x-ratelimit-reset": "\u0665"},
    ],
)
def test_what_says_nothing_of_use_is_passed_over(headers: dict[str, str]) -> None:
    """Nor is what is absurd believed: no source has us wait for more than a day."""
    assert told_by(headers, _NOW) is None
