"""HTML: what the page says about itself, and its main part as text."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from syncline.core.model import Content, Metadata
from syncline.pipeline.extract.clutter import is_clutter_line
from syncline.pipeline.extract.decode import decode_html
from syncline.pipeline.extract.depth import flattened
from syncline.pipeline.extract.documentation import find_documentation
from syncline.pipeline.extract.head import read_head
from syncline.pipeline.extract.main_part import find_main_part, whole_page
from syncline.pipeline.extract.normalise import normalise
from syncline.pipeline.extract.reading import Reading
from syncline.pipeline.extract.rendering import NEVER_TEXT, render, render_text_only

__all__ = ["read_html"]

_NEVER_TEXT_TAG = re.compile(f"<({'|'.join(sorted(NEVER_TEXT))})(?=[\\s/>])".encode())
_LITTLE = 200
"""Characters; less than this of a page with more to read means that the wrong part was taken."""


def read_html(content: Content, listed: Metadata) -> Reading:
    """Read an HTML page. Raises `BadContent` for what is no text."""
    source = flattened(decode_html(content.data, content.charset))
    tree = _parse(source)
    head = read_head(tree, listed.url or content.metadata.url)
    text = _documentation(tree, head.generator) or _article(source, tree)
    return Reading(text, head.metadata_for(text), head.canonical, head.directives)


def _parse(source: bytes) -> LexborHTMLParser:
    # Nobody watches the tree as it grows.
    return LexborHTMLParser(source, options=LexborDocumentOptions.WO_EVENTS)


def _documentation(tree: LexborHTMLParser, generator: str) -> str:
    """The text of a page that says plainly where it is; empty for all others."""
    part = find_documentation(tree, generator)
    text = render_text_only(part) if part else ""
    if text is None:
        tree.strip_tags(sorted(NEVER_TEXT))
        text = render(find_documentation(tree, generator))
    return normalise(text)


def _article(source: bytes, tree: LexborHTMLParser) -> str:
    """The text of any other page."""
    # Searching the tree for each of these costs far more than the source for all of them.
    never_text = [name.decode() for name in set(_NEVER_TEXT_TAG.findall(source.lower()))]
    tree.strip_tags(never_text)
    part = find_main_part(tree)
    text = normalise(render(part.html))
    if part.is_article:
        text = _without_clutter_lines(text)
    if len(text) >= _LITTLE:
        return text
    # The tree has been cut to the part that turned out to be a mistake.
    tree = _parse(source)
    tree.strip_tags(never_text)
    more = normalise(render(whole_page(tree)))
    return more if len(more) > 2 * len(text) else text


def _without_clutter_lines(text: str) -> str:
    kept: list[str] = []
    in_code = False
    for block in text.split("\n\n"):
        if in_code or not is_clutter_line(block):
            kept.append(block)
        in_code ^= len(_FENCE.findall(block)) % 2 == 1
    return "\n\n".join(kept)


_FENCE = re.compile(r"^[ >]*```", re.MULTILINE)
