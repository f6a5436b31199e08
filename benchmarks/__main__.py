"""`python -m benchmarks`: run them all, or those that are named."""

from __future__ import annotations

import argparse

from benchmarks import memory, retrieval, search, sync_folder, sync_website
from benchmarks.corpus import make_corpus, names
from benchmarks.measure import machine

_ALL = ("folder", "website", "memory", "search", "retrieval")


def main() -> None:
    """Parse what is wanted, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="*", metavar="NAME", help=f"of: {', '.join(_ALL)}")
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured (5)")
    wanted = parser.parse_args()
    unknown = set(wanted.which) - set(_ALL)
    if unknown or wanted.runs < 1:
        parser.error(f"there is no {', '.join(sorted(unknown))}" if unknown else "--runs: too few")
    which = wanted.which or _ALL
    print(machine())
    print(f"{len(names(make_corpus())):,} pages of documentation\n", flush=True)
    if "folder" in which:
        sync_folder.run(wanted.runs)
    if "website" in which:
        sync_website.run(wanted.runs)
    if "memory" in which:
        memory.run()
    if "search" in which:
        search.run(wanted.runs)
    if "retrieval" in which:
        retrieval.run()


if __name__ == "__main__":
    main()
