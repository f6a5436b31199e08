"""`python -m benchmarks peers`: Syncline and its peers on this machine, figures and ratios."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmarks.measure import machine
from benchmarks.peers.contenders import FOLDER_PEERS
from benchmarks.peers.figures import print_figures, to_json
from benchmarks.peers.folder import measure_folder
from benchmarks.peers.website import measure_website

__all__ = ["FEWEST_PAGES", "PEERS", "run"]

PEERS = (*FOLDER_PEERS, "scrapy")
FEWEST_PAGES = 100
"""Of fewer, one percent would be no page."""


def run(runs: int, only: Sequence[str] = PEERS, pages: int | None = None, *, as_json: bool) -> None:
    """Measure, and print tables or one JSON object. How far it is goes to standard error."""
    measured_on = machine()
    some = "" if pages is None else f" of {pages:,} pages"
    folder = measure_folder(only, runs, pages) if set(only) & set(FOLDER_PEERS) else []
    if folder and not as_json:
        heading = f"A folder{some}, embedder hashing, median of {runs} (memory: one run more)"
        print_figures(heading, folder)
    website = measure_website(runs, pages) if "scrapy" in only else []
    if website and not as_json:
        print_figures(f"A website{some} over nginx on loopback, median of {runs}", website)
    if as_json:
        told = {
            "machine": measured_on,
            "runs": runs,
            "folder": to_json(folder),
            "website": to_json(website),
        }
        print(json.dumps(told, indent=2))
