"""Hosts that are not asked at present, in a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from syncline.cli.screen import say, shown

if TYPE_CHECKING:
    from syncline.store.breakers import OpenBreaker

__all__ = ["print_breakers"]


def print_breakers(connection: str, breakers: Sequence[OpenBreaker]) -> None:
    """Until when, and why."""
    for each in breakers:
        say(
            f"  {shown(connection)}: {shown(each.host)} is not asked until "
            f"{each.open_until.astimezone():%H:%M}, because it failed {each.failures} times in a "
            f"row ({shown(each.reason, most=200)}). To ask at once: "
            f"syncline connections resume {shown(connection)}"
        )
