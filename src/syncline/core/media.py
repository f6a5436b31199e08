"""Which media types Syncline can read, and what a file's name says about its own."""

from __future__ import annotations

from pathlib import PurePosixPath

__all__ = ["EXTENSIONS", "media_type_of"]

EXTENSIONS: dict[str, str] = {
    ".htm": "text/html",
    ".html": "text/html",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".mdown": "text/markdown",
    ".mkd": "text/markdown",
    ".rst": "text/plain",
    ".text": "text/plain",
    ".txt": "text/plain",
    ".xhtml": "text/html",
}
"""By extension, in lower case."""


def media_type_of(name: str) -> str | None:
    """The media type of a file's name, or None if Syncline cannot read such files."""
    return EXTENSIONS.get(PurePosixPath(name).suffix.lower())
