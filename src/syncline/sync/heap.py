"""Memory that a worker no longer needs goes back to the system.

A large page takes tens of megabytes for a moment. The C library keeps what is freed for itself,
so that without this each worker would stay as large as its largest page ever made it.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["Heap"]

_WORTH_IT = 16 * 1024 * 1024
"""Giving back takes some milliseconds, and so does taking again; less than this is kept."""
_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Heap:
    """This process's memory. On systems other than Linux with the GNU C library it does nothing."""

    def __init__(self) -> None:
        self._trim: Callable[[int], int] | None = None
        with suppress(OSError, AttributeError, TypeError):
            self._trim = ctypes.CDLL(None).malloc_trim
        self._least = _resident()

    def give_back(self) -> None:
        """Return what is free, if the process has grown since the last time."""
        if self._trim is not None and _resident() > self._least + _WORTH_IT:
            self._trim(0)
            self._least = _resident()


def _resident() -> int:
    """In bytes; 0 where the system does not say."""
    try:
        return int(_STATM.read_bytes().split()[1]) * _PAGE
    except OSError:
        return 0
