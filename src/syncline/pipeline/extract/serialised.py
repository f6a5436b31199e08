"""HTML as the parser serialises it, which is well formed.

Names are in lower case, attributes quoted, and `<` and `>` stand nowhere but around tags. Only
the few elements whose content is no markup may hold them.
"""

from __future__ import annotations

import re

from msgspec import Struct

__all__ = ["Markup", "split_tags", "unescaped", "windows_of", "without_plain_tags"]

_TAG = re.compile(r"<([^\s>][^>]*)>")
_PLAIN = re.compile(r"</?(?:span|a|em|strong|wbr|b|i)(?=[ >])[^>]*>")
_RAW = ("<xmp", "<noframes")
_MOST_REMEMBERED = 20_000
_LONGEST_REMEMBERED = 80


class Markup(Struct, frozen=True):
    """Tags, and the text that stands between them."""

    names: list[str]
    """`p`, `/p`."""
    tags: list[str]
    """The same, with their attributes."""
    texts: list[str]
    """The text before the first tag, and after each: one more than there are tags."""


def without_plain_tags(html: str) -> str:
    """Without the most frequent of the tags that only colour or link their text: nearly half of
    all, and each costs far more later than here."""
    return html if any(raw in html for raw in _RAW) else _PLAIN.sub("", html)


def split_tags(html: str) -> Markup:
    """Take serialised HTML apart. Comments are no tags: remove them first."""
    if html.count("<") != html.count(">") or any(raw in html for raw in _RAW):
        parts = _TAG.split(html)
    else:
        # Text and tags take turns, and this is three times as fast as looking for tags.
        parts = html.replace(">", "<").split("<")
    tags = parts[1::2]
    return Markup(list(map(_NAMES.__getitem__, tags)), tags, parts[::2])


class _Names(dict[str, str]):
    """The name of each tag. Most are written the same way again and again."""

    def __missing__(self, tag: str) -> str:
        name = next(iter(tag.split(None, 1)), "")
        if len(tag) < _LONGEST_REMEMBERED:
            if len(self) > _MOST_REMEMBERED:
                self.clear()
            self[tag] = name
        return name


_NAMES = _Names()
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
