"""What the pipeline makes of a content, and the store keeps."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from syncline.core.model import ContentHash, Metadata

__all__ = ["SIGNATURE_VERSION", "Chunk", "Extracted", "embedding_text"]

SIGNATURE_VERSION = 1
"""Moves whenever the same text would have other bands: stored ones are then made again."""


class Extracted(Struct, frozen=True):
    """A source's bytes, read: normalised text and what the text says about itself.

    The text is Markdown of one fixed dialect, whatever the source was: `#` headings, fenced
    code, `|` table rows, `-` list items, blank lines between blocks. NFC, no NUL, no
    trailing spaces, `\\n` line ends.
    """

    text: str
    hash: ContentHash
    """Of `text` and, unless it is English, of the language whose stems index it."""
    stemming: str
    """A Snowball language, such as `english`."""
    metadata: Metadata
    """The listing's, completed by the content's own (the source's word wins)."""
    canonical: str | None = None
    """An absolute URL the page names as its canonical address."""
    directives: tuple[str, ...] = ()
    """`noindex` and the like, from the page and from the source."""


class Chunk(Struct, frozen=True):
    """A searchable piece of a content."""

    n: int
    """Its place in the content, from 0."""
    text: str
    headings: tuple[str, ...]
    """The headings it stands under, outermost first."""
    start: int
    """Where `text` begins in the content's text, in characters."""
    hash: bytes
    """16 bytes: BLAKE2b-128 of `embedding_text`; equal chunks share an embedding."""
    terms: Sequence[str]
    """Stemmed words of the text and its headings, each as often as it occurs."""

    @property
    def length(self) -> int:
        """How many words it has."""
        return len(self.terms)

    @property
    def embedding_text(self) -> str:
        """What is embedded: the chunk under its headings."""
        return embedding_text(self.headings, self.text)


def embedding_text(headings: Sequence[str], text: str) -> str:
    """What is embedded of a chunk: its text under its headings."""
    return " > ".join(headings) + "\n" + text if headings else text
