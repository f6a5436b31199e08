"""From the HTML of a page's main part to the fixed Markdown dialect.

One loop over the tags is all the traversal there is, however deep they nest.
"""

from __future__ import annotations

import re

from syncline.pipeline.extract.blocks import BREAK, Writer
from syncline.pipeline.extract.layout import Layout
from syncline.pipeline.extract.serialised import split_tags, windows_of, without_plain_tags

__all__ = ["NEVER_TEXT", "render", "render_text_only"]

NEVER_TEXT = frozenset(
    """
    script style noscript svg button template iframe object embed video audio canvas select
    textarea datalist rt rp annotation annotation-xml noembed plaintext
    """.split()  # noqa: SIM905  (a list of names reads better as text)
)
"""Elements whose content is no text of the page. Take them out of the tree before it is written."""
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def render(html: str) -> str:
    """The text of serialised HTML in the dialect. Its characters are left as they are."""
    return _render(html, frozenset()) or ""


def render_text_only(html: str) -> str | None:
    """The same, but None if there are elements in it whose content is no text."""
    return None if "<script" in html or "<style" in html else _render(html, NEVER_TEXT)


def _render(html: str, refused: frozenset[str]) -> str | None:
    if "<!--" in html:
        html = _COMMENT.sub("", html)
    if BREAK in html:
        html = html.replace(BREAK, "")
    windows = windows_of(without_plain_tags(html))
    markup = split_tags(windows[0])
    layout = Layout()
    for window in windows:
        names = (markup if window is windows[0] else split_tags(window)).names
        if not refused.isdisjoint(names):
            return None
        layout.scan(names)
    writer = Writer(layout)
    for window in windows:
        writer.read(markup if window is windows[0] else split_tags(window))
    return writer.finish()
