"""What a peer has stored, told as JSON, so that the benchmark can compare it with the source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sized

from benchmarks.peers.scripts.embedder import DIMENSION

__all__ = ["print_state"]


def print_state(rows: Iterable[tuple[str, str, Sized | None]]) -> None:
    """Print each page's passages, and which of them have no vector."""
    pages: dict[str, list[str]] = {}
    bare = 0
    for page, text, vector in rows:
        pages.setdefault(page, []).append(text)
        bare += vector is None or len(vector) != DIMENSION
    print(
        json.dumps({"pages": {page: sorted(texts) for page, texts in pages.items()}, "bare": bare})
    )
