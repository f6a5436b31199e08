"""A website on loopback: how fast its pages are fetched, extracted and cut, beside Scrapy."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks.corpus import BUILD, copy_corpus, names
from benchmarks.measure import Syncline, Took, data_folder
from benchmarks.nginx import serve, urls, write_sitemap
from benchmarks.peers.contenders import run_script
from benchmarks.peers.environments import NotMeasured, python_of, version_of
from benchmarks.peers.figures import Figures
from benchmarks.peers.folder import sample, tell
from benchmarks.verify import check_counts, check_documents
from syncline import __version__
from syncline.core.model import Content, Metadata
from syncline.pipeline.chunk import Chunking, chunk
from syncline.pipeline.extract import extract

__all__ = ["measure_website"]

_STEP = "all pages"
_SETTINGS: Mapping[str, str] = {"SYNCLINE_EMBEDDER": "hashing"}


def measure_website(runs: int, pages: int | None) -> list[Figures]:
    """`syncline plan`, Scrapy and `syncline sync`, in turn in each run; memory in one more."""
    site = sample(copy_corpus(BUILD / "site"), pages)
    count = len(names(site))
    contenders: list[tuple[Figures, Callable[[Path, str, bool], Took]]] = [
        (Figures("plan", f"Syncline {__version__}, plan", pages=count), _plan),
        (Figures("scrapy", f"Scrapy {version_of('scrapy')}", pages=count), _scrapy),
        (Figures("sync", f"Syncline {__version__}, sync", pages=count), _sync),
    ]
    with serve(site) as url:
        write_sitemap(site, url)
        for n in range(runs + 1):
            for figures, measure in contenders:
                if figures.failed is None:
                    what = f"run {n + 1} of {runs}" if n < runs else "memory"
                    _once(figures, what, partial(measure, site, url, n == runs), watch=n == runs)
    shutil.rmtree(site)
    return [figures for figures, _ in contenders]


def _once(figures: Figures, what: str, measure: Callable[[], Took], *, watch: bool) -> None:
    try:
        took = measure()
    except NotMeasured as error:
        figures.failed = str(error)
        tell(f"{figures.title}: {error}")
        return
    tell(f"{what}: {figures.title}, {_STEP}: {took.wall:.2f} s")
    if watch:
        figures.peak = took.peak
    else:
        figures.steps.setdefault(_STEP, []).append(took)
    figures.chunks = took.output.get("chunks")


def _plan(site: Path, url: str, watch: bool) -> Took:
    with data_folder() as data:
        took = Syncline(data, _SETTINGS).run("plan", url, "--json", watch=watch)
        check_counts(took.output, listed=len(names(site)), failed=0)
    return took


def _sync(site: Path, url: str, watch: bool) -> Took:
    with data_folder() as data:
        syncline = Syncline(data, _SETTINGS)
        took = syncline.run("sync", url, "--json", watch=watch)
        check_documents(syncline, urls(site, url), took.output)
    return took


def _scrapy(site: Path, url: str, watch: bool) -> Took:
    with tempfile.TemporaryDirectory(prefix="peer-benchmark-", dir="/var/tmp") as state:
        ended = run_script("scrapy", python_of("scrapy"), Path(state), url, watch=watch)
    counts = json.loads(ended.output)
    expected = {"pages": len(names(site)), "chunks": _chunks_of(site)}
    if counts != expected:
        raise NotMeasured(f"it read {counts}, where the site has {expected}")
    took = ended.took
    return Took(took.wall, took.cpu, took.peak, counts, took.parts)


def _chunks_of(site: Path) -> int:
    """How many passages the pages have: both sides extract and cut them alike."""
    texts = (
        extract(Content((site / name).read_bytes(), "text/html"), Metadata())
        for name in names(site)
    )
    return sum(len(chunk(text.text, text.stemming, Chunking())) for text in texts)
