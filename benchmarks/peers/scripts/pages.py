"""What every peer is given to work with: the same text, the same passages, the same vectors.

Runs in the peers' environments, so it needs no more than selectolax and NumPy. The embedder is
the very file of the product, loaded by its path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser

__all__ = ["DIMENSION", "OVERLAP", "SIZE", "passages", "text_of", "vectors"]

SIZE, OVERLAP = 1000, 200
_EMBEDDER = Path(__file__).resolve().parents[3] / "src/syncline/embedders/hashing.py"


def text_of(data: bytes) -> str:
    """The text of a page's body, a line for each piece of text."""
    tree = LexborHTMLParser(data)
    return tree.body.text(separator="\n", strip=True) if tree.body is not None else ""


def passages(text: str) -> list[str]:
    """Pieces of up to 1,000 characters that end at white space; each repeats 200 of the last."""
    found = []
    start, end = 0, len(text)
    while start < end:
        stop = start + SIZE
        if stop < end:
            space = _last_space(text, start + OVERLAP + 1, stop)
            stop = space if space is not None else stop
        found.append(text[start:stop])
        if stop >= end:
            break
        start = stop - OVERLAP
    return found


_SPACE = re.compile(r"\s\S*\Z")


def _last_space(text: str, low: int, high: int) -> int | None:
    space = _SPACE.search(text, low, high)
    return space.start() if space else None


def vectors(texts: Sequence[str]) -> Any:
    """A row of 256 numbers for each text."""
    return _embedder.embed(texts)


def _load_embedder() -> Any:
    spec = spec_from_file_location("syncline_hashing", _EMBEDDER)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.HashingEmbedder()


_embedder = _load_embedder()
DIMENSION: int = _embedder.dimension
