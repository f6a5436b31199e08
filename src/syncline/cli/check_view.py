"""What `connections check` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from syncline.cli.screen import say, shown
from syncline.core.errors import SourceError
from syncline.core.urls import shown_url

if TYPE_CHECKING:
    from syncline.sync.checking import Checked

__all__ = ["check_as_json", "print_check"]


def check_as_json(found: Checked | SourceError) -> dict[str, Any]:
    """The documented fields."""
    if isinstance(found, SourceError):
        return {"ok": False, **_why(found)}
    return {
        "ok": not found.lacking,
        **(_why(found.lacking[0]) if found.lacking else {}),
        "account": found.account,
        "detail": dict(found.detail),
        "reads": [
            {"what": each.what, "ok": each.lacking is None}
            | (_why(each.lacking) if each.lacking else {})
            for each in found.reads
        ],
    }


def print_check(name: str, found: Checked) -> None:
    """A line for who we are, and one for each kind of thing."""
    say(f"{shown(name)} is there: {shown(shown_url(found.account))}")
    width = max((len(shown(each.what)) for each in found.reads), default=0)
    for each in found.reads:
        what = f"  {shown(each.what).ljust(width)}  "
        if each.lacking is None:
            say(f"{what}yes")
            continue
        say(f"{what}no: {shown(each.lacking.message)}")
        if each.lacking.hint:
            say(f"{' ' * len(what)}{shown(each.lacking.hint)}")


def _why(error: SourceError) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "hint": error.hint}
