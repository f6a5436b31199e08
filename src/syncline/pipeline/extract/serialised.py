"""HTML as the parser serialises it, which is well formed.

Names are in lower case, attributes quoted, and `<` and `>` stand nowhere but around tags,
so one regular expression finds them.
"""

from __future__ import annotations

import re

__all__ = ["TAG", "unescaped", "windows_of"]

TAG = re.compile(r"<(/?[^\s>]+)([^>]*)>")
"""Splits into `text, name, attributes, text, name, …`. Comments are no tags: remove them first."""

_WINDOW = 4_000_000


def windows_of(html: str) -> list[str]:
    """Pieces that begin with a tag; only so much of a large page is in pieces at a time."""
    windows: list[str] = []
    start = 0
    while len(html) - start > _WINDOW:
        end = html.find("<", start + _WINDOW)
        if end < 0:
            break
        windows.append(html[start:end])
        start = end
    windows.append(html[start:])
    return windows


def unescaped(text: str) -> str:
    """The serialisation escapes these four, and nothing else."""
    if "&" not in text:
        return text
    return (
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&")
    )
