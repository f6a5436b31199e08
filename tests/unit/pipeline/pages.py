"""Shorthand for reading pages in tests."""

from __future__ import annotations

from syncline.core.model import Content, Metadata
from syncline.core.prepared import Extracted
from syncline.pipeline.extract import extract

__all__ = ["docs", "page", "read", "text_of"]


def read(
    data: bytes | str,
    media_type: str = "text/html",
    listed: Metadata | None = None,
    charset: str | None = None,
) -> Extracted:
    raw = data.encode() if isinstance(data, str) else data
    return extract(Content(raw, media_type, charset), listed or Metadata())


def page(body: str, head: str = "", attributes: str = "") -> str:
    return f"<!doctype html><html {attributes}><head>{head}</head><body>{body}</body></html>"


def docs(body: str) -> str:
    """A page whose main part is plain: what a documentation generator writes."""
    return page(f'<div class="body" role="main">{body}</div>')


def text_of(body: str) -> str:
    """The dialect of a main part."""
    return read(docs(body)).text
