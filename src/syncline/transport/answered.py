"""What an answer's headers say, in a form that can be read and stored."""

from __future__ import annotations

import aiohttp

from syncline.core.errors import Rejected
from syncline.core.urls import normalise_url, shown_url

__all__ = ["plain_headers", "redirect_target"]


def redirect_target(response: aiohttp.ClientResponse, url: str) -> str:
    """Where a redirect leads."""
    location = response.headers.get("Location", "")
    # Bytes that are no ASCII arrive as they were sent, whatever charset was meant.
    raw = location.encode("utf-8", "surrogateescape")
    plain = "".join(chr(byte) if byte < 128 else f"%{byte:02X}" for byte in raw)
    if not plain:
        raise Rejected(
            f"{shown_url(url)} answered {response.status} without saying where to go",
            hint="The site is misconfigured: tell its owner, or exclude this address.",
        )
    try:
        return normalise_url(plain, url)
    except ValueError as error:
        raise Rejected(
            f"{shown_url(url)} redirects to {shown_url(plain)}: {error}",
            hint="The site is misconfigured: tell its owner, or exclude this address.",
        ) from error


def plain_headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Names in lower case, repeated headers joined, text that can be stored."""
    plain: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        if not value.isascii():
            value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        plain[key] = f"{plain[key]}, {value}" if key in plain else value
    return plain
