"""Durations as people write them: `90m`, `1h30m`, `2 d`, or seconds as a number alone."""

from __future__ import annotations

import re

__all__ = ["duration_in_words", "parse_duration"]

_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_PART = re.compile(r"(\d{1,9})\s*([wdhms])\s*")
_SECONDS = re.compile(r"\d{1,10}(?:\.\d+)?")
_LONGEST = 100 * 365 * 86_400.0


def parse_duration(text: str) -> float:
    """Seconds, at most those of a hundred years. Raises `ValueError` with what would do."""
    word = text.strip().casefold()
    if _SECONDS.fullmatch(word):
        return min(float(word), _LONGEST)
    if not word or _PART.sub("", word):
        raise ValueError(f"{text[:40]!r} is not a duration such as 90s, 30m, 1h30m or 7d")
    return min(
        float(sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(word))), _LONGEST
    )


def duration_in_words(seconds: float) -> str:
    """The same the other way round, in at most two units: `1h30m`."""
    left = max(0, round(seconds))
    if left >= 3600:
        left = round(left / 60) * 60
    if left >= 2 * 86_400:
        left = round(left / 3600) * 3600
    words = []
    for unit, length in _UNITS.items():
        if unit != "w":
            number, left = divmod(left, length)
            words += [f"{number}{unit}"] if number else []
    return "".join(words) or "0s"
