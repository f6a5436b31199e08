"""`python -m tests.support.snippet FILE`: the file, run as `python -W error` would run it."""

from __future__ import annotations

import runpy
import sys
import warnings

if __name__ == "__main__":
    warnings.simplefilter("error")
    runpy.run_path(sys.argv[1], run_name="__main__")
