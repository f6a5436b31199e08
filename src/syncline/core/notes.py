"""What a person wants to know of a kind of source before connecting it; shown and in the docs."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Notes"]


class Notes(Struct, frozen=True):
    """Sentences in Markdown, each complete in itself."""

    reads: str
    """What becomes a document, and what does not."""
    access: str = ""
    """Who finds it: the principals that documents carry."""
    deletions: str = ""
    """How it is noticed that something is gone, where the capabilities do not say it all."""
    requests: str = ""
    """What a first sync, one without news, and an enumeration cost."""
    credentials: str = ""
    """How to come by them, with which scopes."""
    limits: tuple[str, ...] = ()
    """What the source's API does not let us do."""
