"""The same pages over HTTP: nginx on loopback, with a sitemap."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.corpus import BUILD, copy_corpus, edit, names
from benchmarks.measure import Syncline, Took, data_folder, median, table
from benchmarks.nginx import serve, urls, write_sitemap
from benchmarks.verify import check_counts, check_documents

__all__ = ["run"]

_STEPS = (
    "first sync",
    "nothing changed",
    "nothing changed, each page asked",
    "1 % changed, 1 % deleted",
)


def run(runs: int) -> None:
    """Print the medians of this many runs."""
    site = BUILD / "site"
    with serve(site) as url:
        steps = [_once(site, url) for _ in range(runs)]
    print(f"The same pages over nginx on loopback, embedder wordllama, median of {runs}")
    table([(name, median([step[n] for step in steps])) for n, name in enumerate(_STEPS)])
    shutil.rmtree(site)


def _once(site: Path, url: str) -> list[Took]:
    copy_corpus(site)
    write_sitemap(site, url)
    pages = names(site)
    with data_folder() as data:
        syncline = Syncline(data)
        first = syncline.run("sync", url, "--json")
        check_documents(syncline, urls(site, url), first.output)
        again = syncline.run("sync", url, "--json")
        check_counts(again.output, listed=len(pages), created=0, updated=0, deleted=0)
        # Without dates in the sitemap, every page is asked whether it has changed.
        write_sitemap(site, url, dated=False)
        asked = syncline.run("sync", url, "--json")
        check_counts(asked.output, listed=len(pages), created=0, updated=0, deleted=0)
        write_sitemap(site, url)
        edits = edit(site)
        write_sitemap(site, url, edited=edits.edited)
        last = syncline.run("sync", url, "--json")
        check_counts(
            last.output,
            listed=len(pages) - len(edits.deleted),
            updated=len(edits.edited),
            deleted=len(edits.deleted),
        )
        check_documents(syncline, urls(site, url), last.output, edits)
    return [first, again, asked, last]
