"""Vendors' descriptions and others' fixtures, which are too large, or not ours, to lie here.

They are looked for in `shared/data` beside the repository, or where `SYNCLINE_TEST_DATA` says. A
test that needs some is left out where they are not; the summary then names them. Where the variable
is set, a test whose data is missing fails.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["needs", "shared_data"]

_SAID = os.environ.get("SYNCLINE_TEST_DATA")
_FOLDER = Path(_SAID) if _SAID else Path(__file__).resolve().parents[3] / "shared" / "data"


def shared_data(place: str) -> Path:
    """Where the data lies that has this name."""
    return _FOLDER / place


def needs(place: str) -> pytest.MarkDecorator:
    """Leaves a test out where its data is not."""
    there = bool(_SAID) or shared_data(place).exists()
    reason = f"needs {place} in ../shared/data, or in the folder SYNCLINE_TEST_DATA"
    return pytest.mark.skipif(not there, reason=reason)
