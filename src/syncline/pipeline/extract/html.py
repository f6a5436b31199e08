"""HTML: what the page says about itself, and its main part as text."""

from __future__ import annotations

import re

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

_NEVER_TEXT = [
    "script", "style", "template", "svg", "iframe", "object", "embed", "video", "audio",
    "canvas", "noscript", "select", "textarea", "button", "datalist", "rt", "rp", "annotation",
    "annotation-xml", "noembed", "plaintext",
]  # fmt: skip
_LITTLE = 200
"""Characters; less than this of a page with more to read means that the wrong part was taken."""


def read_html(content: Content, listed: Metadata) -> Reading:
    """Read an HTML page. Raises `BadContent` for what is no text."""
    source = flattened(decode(content.data, content.charset, html=True))
    tree = _parse(source)
    head = read_head(tree, listed.url or content.metadata.url)
    tree.strip_tags(_NEVER_TEXT)
    part = find_main_part(tree, head.generator)
    text = _text_of(part)
    if len(text) < (1 if part.kind == "documentation" else _LITTLE):
        # The tree has been cut to the part that turned out to be a mistake.
        tree = _parse(source)
        tree.strip_tags(_NEVER_TEXT)
        more = _text_of(whole_page(tree))
        if len(more) > 2 * len(text):
            text = more
    return Reading(text, head.metadata_for(text), head.canonical, head.directives)


def _parse(source: str) -> LexborHTMLParser:
    # Bytes parse faster than a string, and nobody watches the tree as it grows.
    return LexborHTMLParser(
        source.encode("utf-8", "ignore"), options=LexborDocumentOptions.WO_EVENTS
    )


def _text_of(part: MainPart) -> str:
    text = normalise(render(part.html))
    if part.kind != "article":
        return text
    return "\n\n".join(block for block in text.split("\n\n") if not is_clutter_line(block))


_MANY_TAGS = 20_000
_DEEPEST = 512
"""As deep as browsers go. Deeper trees cost the parser their square."""
_DEEPEST_INLINE = 4_096
_TAG_NAME = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)[^>]*>")
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
    depths = _Depths()
    if not any(depths.too_deep(close, name) for close, name in _TAG_NAME.findall(source)):
        return source
    depths = _Depths()
    parts: list[str] = []
    done = 0
    for tag in _ANY_TAG.finditer(source):
        if depths.too_deep(tag[1], tag[2]):
            parts.append(source[done : tag.start()])
            done = tag.end()
    parts.append(source[done:])
    return "".join(parts)


class _Depths:
    """How deep the page is at each of its tags, told without parsing it."""

    def __init__(self) -> None:
        self._inline = self._block = 0
        self._opened: dict[str, int] = {}

    def too_deep(self, close: str, name: str) -> bool:
        """Take the next tag. A closing tag is too deep where its opening one was."""
        name = name.lower()
        if name in _NEVER_NEST:
            return False
        opened = self._opened.get(name, 0)
        step = -1 if close else 1
        if close and not opened:
            return False
        self._opened[name] = opened + step
        if name in _INLINE:
            self._inline += step
            return self._inline + (step < 0) > _DEEPEST_INLINE
        self._block += step
        return self._block + (step < 0) > _DEEPEST
