"""The full-text index's entries as arrays. Apart, since most of a sync does without NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from syncline.store.postings import STEPS

__all__ = ["Entries", "entries_of", "lengths"]

Entries = NDArray[np.int64]
"""Of one term: chunk << 16 | frequency << 8 | length's code."""


def entries_of(data: bytes) -> Entries:
    """The entries of a row, or of several in a row."""
    return np.frombuffer(data, ">i8").astype(np.int64)


def lengths() -> NDArray[np.float64]:
    """What each length code stands for."""
    return np.expm1(np.arange(256) / STEPS)
