"""Processes that a test has made stand still (SIGSTOP)."""

from __future__ import annotations

from contextlib import suppress

import psutil  # type: ignore[import-untyped]

__all__ = ["stopped_children"]


def stopped_children(parent: int) -> list[int]:
    """The stopped processes among those that a process has started."""
    found = []
    for child in psutil.Process(parent).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if child.status() == psutil.STATUS_STOPPED:
                found.append(child.pid)
    return found
