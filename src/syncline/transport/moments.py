"""When something is over, as a message says it."""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["shown_moment"]


def shown_moment(now: datetime, seconds: float) -> str:
    """The moment so many seconds from now: `12:05 UTC`, with its date where it is not today."""
    moment = now + timedelta(seconds=seconds)
    date = "" if moment.date() == now.date() else f"{moment:%Y-%m-%d} at "
    return f"{date}{moment:%H:%M} UTC"
