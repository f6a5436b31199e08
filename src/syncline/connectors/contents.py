"""Contents that an API sends along with its entries."""

from __future__ import annotations

from syncline.core.errors import BadContent
from syncline.core.model import Content, Entry, Failed, Gone, Metadata

__all__ = ["complete_file", "fetched", "html"]


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


def fetched(entry: Entry | Failed) -> Content | Gone:
    """What `fetch` answers where an entry brings its content along, unless it is left out.

    Raises `BadContent` for one that could not be read.
    """
    if isinstance(entry, Failed):
        raise BadContent(entry.message)
    if entry.filtered is None and entry.content is not None:
        return entry.content
    return Gone(entry.id, entry.filtered or "it has no content any more")


def complete_file(data: bytes, size: float | None, name: str) -> bytes:
    """A file's data, where it is as long as the source says: `size` bytes, if it says.

    Raises `BadContent`: a log-in or error page may have come in its place.
    """
    if size and len(data) != size:
        raise BadContent(
            f"the data of {name} is not what its source describes: {len(data):,} bytes came, "
            f"and not {size:,.0f}",
            hint="A log-in or error page may have come in its place. The next run tries again.",
        )
    return data
