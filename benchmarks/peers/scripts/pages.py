"""What every peer is given to work with: the same text and the same passages.

Runs in the peers' environments, so it needs no more than selectolax.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser

__all__ = ["OVERLAP", "SIZE", "passages", "text_of"]

SIZE, OVERLAP = 1000, 200


def text_of(data: bytes) -> str:
    """The text of a page's body, a line for each piece of text."""
    tree = LexborHTMLParser(data)
    return tree.body.text(separator="\n", strip=True) if tree.body is not None else ""


def passages(text: str) -> list[str]:
    """Pieces of up to 1,000 characters that end at white space; each repeats 200 of the last."""
    found = []
    start, end = 0, len(text)
    while start < end:
        stop = start + SIZE
        if stop < end:
            space = _last_space(text, start + OVERLAP + 1, stop)
            stop = space if space is not None else stop
        found.append(text[start:stop])
        if stop >= end:
            break
        start = stop - OVERLAP
    return found


_SPACE = re.compile(r"\s\S*\Z")


def _last_space(text: str, low: int, high: int) -> int | None:
    space = _SPACE.search(text, low, high)
    return space.start() if space else None
