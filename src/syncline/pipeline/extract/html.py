"""HTML: what the page says about itself, and its main part as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import tee

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from syncline.core.model import Content, Metadata
from syncline.pipeline.extract.blocks import render
from syncline.pipeline.extract.clutter import is_clutter_line
from syncline.pipeline.extract.decode import decode
from syncline.pipeline.extract.head import read_head
from syncline.pipeline.extract.main_part import MainPart, find_main_part, whole_page
from syncline.pipeline.extract.normalise import normalise
from syncline.pipeline.extract.reading import Reading

__all__ = ["read_html"]

_NEVER_TEXT = re.compile(
    rb"<(script|style|noscript|svg|button|template|iframe|object|embed|video|audio|canvas|select"
    rb"|textarea|datalist|rt|rp|annotation|annotation-xml|noembed|plaintext)(?=[\s/>])"
)
_LITTLE = 200
"""Characters; less than this of a page with more to read means that the wrong part was taken."""


def read_html(content: Content, listed: Metadata) -> Reading:
    """Read an HTML page. Raises `BadContent` for what is no text."""
    # Bytes, because they parse and fold faster than a string.
    source = flattened(decode(content.data, content.charset, html=True)).encode("utf-8", "ignore")
    # Searching the tree for each of these costs far more than the source for all of them.
    never_text = [name.decode() for name in set(_NEVER_TEXT.findall(source.lower()))]
    tree = _parse(source)
    head = read_head(tree, listed.url or content.metadata.url)
    tree.strip_tags(never_text)
    part = find_main_part(tree, head.generator)
    text = _text_of(part)
    if len(text) < (1 if part.kind == "documentation" else _LITTLE):
        # The tree has been cut to the part that turned out to be a mistake.
        tree = _parse(source)
        tree.strip_tags(never_text)
        more = _text_of(whole_page(tree))
        if len(more) > 2 * len(text):
            text = more
    return Reading(text, head.metadata_for(text), head.canonical, head.directives)


def _parse(source: bytes) -> LexborHTMLParser:
    # Nobody watches the tree as it grows.
    return LexborHTMLParser(source, options=LexborDocumentOptions.WO_EVENTS)


def _text_of(part: MainPart) -> str:
    text = normalise(render(part.html))
    if part.kind != "article":
        return text
    kept: list[str] = []
    in_code = False
    for block in text.split("\n\n"):
        if in_code or not is_clutter_line(block):
            kept.append(block)
        in_code ^= len(_FENCE.findall(block)) % 2 == 1
    return "\n\n".join(kept)


_FENCE = re.compile(r"^[ >]*```", re.MULTILINE)


_MANY_TAGS = 20_000
_DEEPEST = 512
"""As deep as browsers go. Deeper trees cost the parser their square."""
_DEEPEST_INLINE = 4_096
_TAG_NAME = re.compile(r"<(/?[a-zA-Z][^\s/>]*)")
_ANY_TAG = re.compile(r"<(/?[a-zA-Z][^\s/>]*)[^>]*>")
# What a parser closes by itself, or never opens: however many there are, they do not nest.
_NEVER_NEST = frozenset(
    """
    area base br col dd dt embed hr img input li link meta option p param script source style
    tbody td tfoot th thead tr track wbr html head body
    """.split()  # noqa: SIM905  (a list of names reads better as text)
)
_INLINE = frozenset(
    """
    a abbr b big cite code del dfn em font i ins kbd label mark nobr s samp small span strike
    strong sub sup tt u var
    """.split()  # noqa: SIM905
)


def flattened(source: str) -> str:
    """The page without tags that nest deeper than browsers show; nearly always as it is."""
    if source.count("<") < _MANY_TAGS:
        return source
    if not any(_too_deep(_TAG_NAME.findall(source))):
        return source
    tags, again = tee(_ANY_TAG.finditer(source))
    parts: list[str] = []
    done = 0
    for tag, deep in zip(tags, _too_deep(tag[1] for tag in again), strict=True):
        if deep:
            parts.append(source[done : tag.start()])
            done = tag.end()
    parts.append(source[done:])
    return "".join(parts)


def _too_deep(tags: Iterable[str]) -> Iterator[bool]:
    """Of each tag (`div`, `/div`), whether it nests too deep, told without parsing.

    A closing tag is too deep where its opening one was.
    """
    block = inline = 0
    opened: dict[str, int] = {}
    kinds: dict[str, tuple[str, int, bool] | None] = {}
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


def _kind(tag: str) -> tuple[str, int, bool] | None:
    """A tag's name, whether it opens (1) or closes (-1), and is inline; None if it never nests."""
    name = tag.lstrip("/").lower()
    if name in _NEVER_NEST:
        return None
    return name, -1 if tag.startswith("/") else 1, name in _INLINE
