"""What an API gives as the reason for a refusal, whatever it calls it."""

from __future__ import annotations

import json

from syncline.connectors.wire import clean
from syncline.core.errors import (
    BadContent,
    Forbidden,
    NotFound,
    Rejected,
    SourceError,
    Unauthorized,
)
from syncline.core.model import Json
from syncline.core.ports import Refusal
from syncline.core.urls import origin_of

__all__ = ["from_elsewhere", "reason_in", "told_by"]

_NAMES = ("description", "message", "detail", "error_description", "title", "error", "code")
_LISTS = ("errors", "details")
_LONGEST = 200


def reason_in(body: bytes) -> str:
    """The words of an error's body, JSON or plain text, on one short line; empty without any."""
    text = body.decode("utf-8", "replace").strip()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = "" if text.startswith("<") else text
    words = " ".join(clean(_words(data, 4)).split())
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def told_by(refusal: Refusal) -> str:
    """The refusal's message, with the source's own reason where it gives one."""
    reason = reason_in(refusal.body)
    return f"{refusal.error.message}: {reason}" if reason else refusal.error.message


def from_elsewhere(refusal: Refusal, own: str = "") -> SourceError | None:
    """What a refusal means that is not the source's: a redirect has led to another host, such as
    a storage. None where it is the source's; its hosts may be all beneath the domain `own`.

    Another host's word says nothing about the source's entries, nor about our credentials.
    """
    if not refusal.url:
        return None
    asked, answered = origin_of(refusal.asked), origin_of(refusal.url)
    upgraded = (asked.port, answered.port) == (80, 443)
    if asked.host == answered.host and (asked.port == answered.port or upgraded):
        return None
    if own and answered.host.endswith(f".{own}"):
        return None
    if not isinstance(refusal.error, Unauthorized | Forbidden | NotFound | Rejected):
        return refusal.error
    return BadContent(
        f"{refusal.error.message}: {asked} leads there, to another address",
        hint="The next run asks again. If it is the source's own address, give it as the option "
        "url: credentials follow no redirect.",
    )


def _words(data: Json, depth: int) -> str:
    if isinstance(data, str):
        return data
    if depth == 0:
        return ""
    if isinstance(data, list):
        return "; ".join(filter(None, (_words(each, depth - 1) for each in data[:3])))
    if isinstance(data, dict):
        for name in (*_NAMES, *_LISTS):
            found = _words(data.get(name), depth - 1)
            if found:
                return found
    return ""
