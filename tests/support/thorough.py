"""What ordinary test runs leave out, and `make soak` does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

__all__ = ["THOROUGH", "of_all"]

T = TypeVar("T")

THOROUGH = "SYNCLINE_STORM_ENTRIES" in os.environ
"""Whether time does not matter."""


def of_all(few: Sequence[T], others: Sequence[T]) -> list[T]:
    """`few` of the cases; with the `others` where time does not matter."""
    return [*few, *(others if THOROUGH else ())]
