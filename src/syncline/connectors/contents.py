"""Contents that an API sends as markup."""

from __future__ import annotations

from syncline.core.model import Content, Metadata

__all__ = ["html"]


def html(
    markup: str,
    about: Metadata,
    principals: tuple[str, ...] | None,
    version: str | None = None,
) -> Content:
    """A text in HTML; None of `principals` is everyone."""
    return Content(
        markup.encode(), "text/html", "utf-8", about, principals=principals, version=version
    )
