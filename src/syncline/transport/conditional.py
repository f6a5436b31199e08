"""Conditional requests: which of an answer's headers to keep, and when to send them back."""

from __future__ import annotations

from collections.abc import Mapping

from syncline.core.model import Validators
from syncline.core.ports import HttpResponse

__all__ = ["conditional_headers", "validators_of"]

_KEPT = {"etag": "etag", "last-modified": "last_modified"}
_SENT = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}
_LONGEST = 1024


def validators_of(response: HttpResponse, asked: str) -> dict[str, str]:
    """What makes the next request for `asked` conditional; empty when the server gave nothing.

    After a redirect, `url` says whose validators they are: another page that the address
    leads to some day may well have the same etag.
    """
    kept = {
        name: response.headers[header]
        for header, name in _KEPT.items()
        if _is_sendable(response.headers.get(header, ""))
    }
    if kept and response.url != asked:
        kept["url"] = response.url
    return kept


def conditional_headers(validators: Validators, asked: str, hop: str) -> Mapping[str, str]:
    """The headers to send to `hop` on the way from `asked`: none, if they are another URL's."""
    if validators.get("url", asked) != hop:
        return {}
    return {header: validators[name] for name, header in _SENT.items() if validators.get(name)}


def _is_sendable(value: str) -> bool:
    return 0 < len(value) <= _LONGEST and value.isascii() and value.isprintable()
