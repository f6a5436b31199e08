"""Pages whose tags nest deeper than browsers show: a parser would take the square of that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import tee

__all__ = ["flattened"]

_MANY_TAGS = 20_000
_DEEPEST = 512
"""As deep as browsers go. Deeper trees cost the parser their square."""
_DEEPEST_INLINE = 4_096
_TAG_NAME = re.compile(rb"<(/?[a-zA-Z][^\s/>]*)")
_ANY_TAG = re.compile(rb"<(/?[a-zA-Z][^\s/>]*)[^>]*>")
# What a parser closes by itself, or never opens: however many there are, they do not nest.
_NEVER_NEST = frozenset(
    b"""
    area base br col dd dt embed hr img input li link meta option p param script source style
    tbody td tfoot th thead tr track wbr html head body
    """.split()
)
_INLINE = frozenset(
    b"""
    a abbr b big cite code del dfn em font i ins kbd label mark nobr s samp small span strike
    strong sub sup tt u var
    """.split()
)


def flattened(source: bytes) -> bytes:
    """The page without tags that nest deeper than browsers show; nearly always as it is."""
    if source.count(b"<") < _MANY_TAGS:
        return source
    if _depth_at_most(_TAG_NAME.findall(source)) <= _DEEPEST:
        return source
    tags, again = tee(_ANY_TAG.finditer(source))
    parts: list[bytes] = []
    done = 0
    for tag, deep in zip(tags, _too_deep(tag[1] for tag in again), strict=True):
        if deep:
            parts.append(source[done : tag.start()])
            done = tag.end()
    parts.append(source[done:])
    return b"".join(parts)


def _depth_at_most(tags: Iterable[bytes]) -> int:
    """A depth that these tags (`div`, `/div`) do not exceed; quick, and nearly always enough."""
    opened: dict[bytes, int] = {}
    depth = deepest = 0
    for tag in tags:
        if tag[:1] != b"/":
            if tag not in _NEVER_NEST:
                opened[tag] = opened.get(tag, 0) + 1
                depth += 1
                if depth > deepest:
                    deepest = depth
        elif opened.get(tag[1:]):
            opened[tag[1:]] -= 1
            depth -= 1
    return deepest


def _too_deep(tags: Iterable[bytes]) -> Iterator[bool]:
    """Of each tag (`div`, `/div`), whether it nests too deep, told without parsing.

    A closing tag is too deep where its opening one was.
    """
    block = inline = 0
    opened: dict[bytes, int] = {}
    kinds: dict[bytes, tuple[bytes, int, bool] | None] = {}
    for tag in tags:
        if tag not in kinds:
            kinds[tag] = _kind(tag)
        kind = kinds[tag]
        if kind is None:
            yield False
            continue
        name, step, is_inline = kind
        before = opened.get(name, 0)
        if before + step < 0:
            yield False
            continue
        opened[name] = before + step
        if is_inline:
            inline += step
            yield inline + (step < 0) > _DEEPEST_INLINE
        else:
            block += step
            yield block + (step < 0) > _DEEPEST


def _kind(tag: bytes) -> tuple[bytes, int, bool] | None:
    """A tag's name, whether it opens (1) or closes (-1), and is inline; None if it never nests."""
    name = tag.lstrip(b"/").lower()
    if name in _NEVER_NEST:
        return None
    return name, -1 if tag.startswith(b"/") else 1, name in _INLINE
