"""From a source's bytes to normalised text, whatever they are written in."""

from __future__ import annotations

from syncline.core.errors import BadContent
from syncline.core.model import Content, Metadata
from syncline.core.prepared import Extracted

__all__ = ["EXTRACTOR_VERSION", "extract"]

EXTRACTOR_VERSION = 1
"""Moves whenever the same bytes would yield another text: everything is then read again."""


def extract(content: Content, listed: Metadata) -> Extracted:
    """The text and metadata of `content`, completed by what the listing said of it.

    Where the listing, or what came with the content, sets a field, that wins over what
    the text says about itself. Raises `BadContent` for what cannot be read.
    """
    # Each format brings its own dependencies; a worker loads those it meets.
    kind = content.media_type.strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        from syncline.pipeline.extract.html import read_html as read
    elif kind in ("text/markdown", "text/x-markdown"):
        from syncline.pipeline.extract.markdown import read_markdown as read
    elif kind.startswith("text/") or not kind:
        from syncline.pipeline.extract.plain import read_plain as read
    else:
        raise BadContent(
            f"content of type {content.media_type} cannot be read",
            hint="Readable are HTML, Markdown and plain text.",
        )
    from syncline.pipeline.extract.reading import complete

    return complete(content, listed, read(content, listed))
