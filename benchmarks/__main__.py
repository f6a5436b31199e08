"""`python -m benchmarks`: run them all, or those that are named."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from benchmarks import (
    extraction,
    memory,
    near_duplicates,
    retrieval,
    search,
    sync_folder,
    sync_website,
)
from benchmarks.connectors import run as connectors
from benchmarks.corpus import make_corpus, names
from benchmarks.jobs import run as jobs
from benchmarks.measure import machine
from benchmarks.peers import run as peers

_RUN: dict[str, Callable[[int], None]] = {
    "folder": sync_folder.run,
    "website": sync_website.run,
    "memory": lambda runs: memory.run(),
    "extraction": extraction.run,
    "near-duplicates": near_duplicates.run,
    "search": search.run,
    "retrieval": lambda runs: retrieval.run(),
}
_ALL = (*_RUN, "connectors", "jobs", "peers")


def main() -> None:  # noqa: C901 - one branch for each benchmark that has options of its own
    """Parse what is wanted, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("which", nargs="*", metavar="NAME", help=f"of: {', '.join(_ALL)}")
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--only", help="of `peers`, `jobs` or `connectors` some, with commas")
    parser.add_argument("--jobs", type=int, help="of `jobs` a trial with this many each")
    some = parser.add_argument_group("peers and connectors")
    some.add_argument("--pages", type=int, help="a trial with this many pages")
    some.add_argument("--json", action="store_true", help="one JSON object")
    wanted = parser.parse_args()
    which = wanted.which or _ALL
    if unknown := set(which) - set(_ALL):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if wanted.runs < 1:
        parser.error("--runs: too few")
    if set(which) == {"jobs"} and not (wanted.pages or wanted.json):
        print(machine(), end="\n\n", flush=True)
        jobs.run(wanted.runs, _some(parser, wanted.only, jobs.NAMES), wanted.jobs)
        return
    if set(which) == {"connectors"} and not wanted.jobs:
        _connectors(parser, wanted)
        return
    only = _some(parser, wanted.only, peers.PEERS)
    if wanted.pages is not None and wanted.pages < peers.FEWEST_PAGES:
        parser.error(f"--pages: at least {peers.FEWEST_PAGES}")
    if (wanted.only or wanted.pages or wanted.json or wanted.jobs) and set(which) != {"peers"}:
        parser.error("--only, --jobs, --pages and --json are for one of the others alone")
    corpus = make_corpus()
    if not wanted.json:
        print(machine())
        print(f"{len(names(corpus)):,} pages of documentation\n", flush=True)
    for name, run in _RUN.items():
        if name in which:
            run(wanted.runs)
    if "connectors" in which:
        connectors.run(wanted.runs, connectors.NAMES, None, as_json=False)
    if "jobs" in which:
        jobs.run(wanted.runs)
    if "peers" in which:
        peers.run(wanted.runs, only, wanted.pages, as_json=wanted.json)


def _connectors(parser: argparse.ArgumentParser, wanted: argparse.Namespace) -> None:
    if wanted.pages is not None and wanted.pages < connectors.FEWEST:
        parser.error(f"--pages: at least {connectors.FEWEST}")
    only = _some(parser, wanted.only, connectors.NAMES)
    connectors.run(wanted.runs, only, wanted.pages, as_json=wanted.json)


def _some(parser: argparse.ArgumentParser, wanted: str | None, names: Sequence[str]) -> list[str]:
    only = wanted.split(",") if wanted else list(names)
    if unknown := set(only) - set(names):
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}; of: {', '.join(names)}")
    return only


if __name__ == "__main__":
    main()
