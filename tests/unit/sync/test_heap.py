"""What a worker gives back to the system."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import sys
from pathlib import Path

from syncline.sync.heap import Heap

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * int(sys.argv[1]) // 1_000_000

heap = Heap()
blocks = [bytes(60_000) for _ in range(1_500)]  # 90 MB in pieces that are kept when freed
last = bytes(60_000)  # at the heap's end, so that it cannot simply shrink
large = resident()
del blocks
kept = resident()
heap.give_back()
print(large, kept, resident())
"""


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists() or platform.libc_ver()[0] != "glibc",
    reason="needs Linux with the GNU C library",
)
def test_what_was_freed_goes_back_to_the_system() -> None:
    """It would stay with the process otherwise."""
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(os.sysconf("SC_PAGE_SIZE"))],
        check=True,
        capture_output=True,
        text=True,
    )
    large, kept, now = map(int, run.stdout.split())
    assert kept > large - 10, "there was nothing to give back"
    assert now < large - 60
