"""What an answer's headers say of the source's quota, in the forms that are in use.

`RateLimit` and `RateLimit-Policy` of the IETF's draft (draft-ietf-httpapi-ratelimit-headers), the
three headers of its older versions, and the same with `X-` before them. In place of a reset,
Atlassian's servers say how many requests more each interval brings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from syncline.transport.ledger import Told
from syncline.transport.retry import retry_after_seconds

__all__ = ["rest_told", "told_by"]

_PREFIXES = ("ratelimit", "x-ratelimit", "x-rate-limit")
_PARAMETER = re.compile(r"\b(limit|total|remaining|resets?|q|r|t)\s*=\s*\"?(\d{1,15})")
_NUMBER = re.compile(r"\s*(\d{1,15})(\.\d+)?\s*(?:$|[,;])")
# As a number of seconds that is thirty years: so it is a date.
_EPOCH = 1_000_000_000
_LONGEST = 86_400.0


def told_by(headers: Mapping[str, str], now: datetime) -> Told | None:
    """What they say, the tightest of several limits; None where they say nothing of use.

    Header names in lower case.
    """
    found = [_structured(part) for part in _parts(headers.get("ratelimit", ""))]
    found += [_of_three(headers, prefix, now) for prefix in _PREFIXES]
    usable = [told for told in found if told is not None and 0 < told.seconds <= _LONGEST]
    return min(usable, key=lambda told: told.left, default=None)


def rest_told(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until a quota that is spent counts anew, by the source's own clock if it has one."""
    told = told_by(headers, _date(headers) or now)
    return told.seconds if told is not None and told.left == 0 else None


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("date", "")).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _parts(value: str) -> list[str]:
    """The limits of one header: items of a list, or one in the form of key=value pairs."""
    return [value] if re.search(r"\bremaining\s*=", value) else value.split(",")


def _structured(text: str) -> Told | None:
    """`"default";r=50;t=30`, `limit=100, remaining=50, reset=30`, or with `total` and `resets`."""
    values = {name: int(value) for name, value in _PARAMETER.findall(text)}

    def first(*names: str) -> int | None:
        return next((values[name] for name in names if name in values), None)

    left, seconds = first("r", "remaining"), first("t", "reset", "resets")
    if left is None or seconds is None:
        return None
    return Told(left, float(seconds), first("q", "limit", "total"))


def _of_three(headers: Mapping[str, str], prefix: str, now: datetime) -> Told | None:
    left = _number(headers.get(f"{prefix}-remaining", ""))
    reset = headers.get(f"{prefix}-reset", "")
    seconds = _number(reset)
    if left is None:
        return None
    if seconds is None:
        in_words = any(char.isalpha() for char in reset)
        seconds = retry_after_seconds(reset, now) if in_words else None
        if seconds is None:
            return _filling(headers, prefix, left)
    elif seconds >= _EPOCH:
        seconds = (seconds / 1000 if seconds >= 1000 * _EPOCH else seconds) - now.timestamp()
    limit = _number(headers.get(f"{prefix}-limit", headers.get("x-rate-limit", "")))
    return Told(int(left), seconds, None if limit is None else int(limit))


def _filling(headers: Mapping[str, str], prefix: str, left: float) -> Told | None:
    """A bucket that is filled: `interval-seconds`, and `fillrate` for each of them."""
    seconds = _number(headers.get(f"{prefix}-interval-seconds", ""))
    more = _number(headers.get(f"{prefix}-fillrate", ""))
    if seconds is None or not more:
        return None
    return Told(int(left), seconds, int(more))


def _number(text: str) -> float | None:
    match = _NUMBER.match(text)
    return None if match is None else float(match[1] + (match[2] or ""))
