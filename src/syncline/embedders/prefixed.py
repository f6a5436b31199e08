"""Models that want to be told what a text is: a prefix for questions, another for passages."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from syncline.core.ports import Embedder

__all__ = ["Prefixed", "name_with"]


class Prefixed(Struct, frozen=True):
    """An embedder that puts these before what it is given."""

    inner: Embedder
    query: str
    passage: str

    @property
    def name(self) -> str:
        return name_with(self.inner.name, self.passage)

    @property
    def dimension(self) -> int:
        return self.inner.dimension

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        row: NDArray[np.float32] = await self.inner.embed_query(_after(self.query, text))
        return row

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        rows: NDArray[np.float32] = await self.inner.embed(
            [_after(self.passage, text) for text in texts]
        )
        return rows


def name_with(name: str, passage: str) -> str:
    """A model's name, and what is put before its passages: other embeddings have another name."""
    if not passage:
        return name
    return f"{name}+{blake2b(passage.encode(), digest_size=4).hexdigest()}"


def _after(prefix: str, text: str) -> str:
    return prefix + text if text.strip() else text
