"""How much of a page's text is found, how little else, and how fast; beside other programs.

Text is compared by its shingles, runs of four words, as the article extraction benchmark does:
precision and recall of each page, their means over all pages, and F1 of the means.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import BUILD
from benchmarks.extraction_pages import ARTICLES, KnownPage, articles, documentation
from benchmarks.extraction_peers import PEERS, ask_peer, make_environment
from syncline.core.model import Content, Metadata
from syncline.pipeline.extract import extract

__all__ = ["run"]

_PEERS_SEE_EVERY = 20
"""Of the pages of documentation, of which there are many, and some peers are slow."""
_LOST = 0.5
"""A page of whose text less is found."""


@dataclass(frozen=True, slots=True)
class _Score:
    precision: float
    recall: float
    seconds: float


def run(runs: int) -> None:
    """Print the figures of articles and of documentation. Speed is the best of `runs`."""
    python = make_environment(BUILD / "venvs" / "extraction")
    pages = articles()
    if pages:
        print("Articles that people marked")
        _heading()
        scores = _ours(pages, runs, _without_title)
        for group in ("tuning", "held out"):
            mine = [score for page, score in zip(pages, scores, strict=True) if page.group == group]
            _row(f"syncline, {group}", mine)
        _row("syncline, all", scores)
        _peers(python, pages)
    else:
        print(f"Articles: skipped, there is no folder {ARTICLES}\n")
    pages = documentation()
    print("Documentation, against the element that its generator marks")
    _heading()
    scores = _ours(pages, runs, lambda text: text)
    for group in dict.fromkeys(page.group for page in pages):
        _row(
            f"syncline, {group}",
            [score for page, score in zip(pages, scores, strict=True) if page.group == group],
        )
    _row("syncline, all", scores)
    sample = pages[::_PEERS_SEE_EVERY]
    _row(f"syncline, every {_PEERS_SEE_EVERY}th", scores[::_PEERS_SEE_EVERY])
    _peers(python, sample)
    lost = [page.name for page, score in zip(pages, scores, strict=True) if score.recall < _LOST]
    print(f"  mostly lost (recall below {_LOST}): {len(lost)} {' '.join(lost[:5])}\n", flush=True)


def _ours(pages: Sequence[KnownPage], runs: int, text_of: Callable[[str], str]) -> list[_Score]:
    """All of `extract`: decoding, metadata, finding the text, rendering and normalising it."""
    scores = []
    for page in pages:
        content = Content(page.html, "text/html")
        seconds, text = [], ""
        for _ in range(runs):
            started = time.process_time()
            text = extract(content, Metadata()).text
            seconds.append(time.process_time() - started)
        scores.append(_score(text_of(text), page.text, min(seconds)))
    return scores


def _peers(python: Path, pages: Sequence[KnownPage]) -> None:
    sources = [page.html.decode("utf-8", "replace") for page in pages]
    for peer in PEERS:
        texts, seconds = ask_peer(python, peer, sources)
        _row(
            peer,
            [
                _score(text, page.text, took)
                for text, page, took in zip(texts, pages, seconds, strict=True)
            ],
        )
    print(flush=True)


def _without_title(text: str) -> str:
    """The marked texts of articles do not have their titles."""
    return "\n".join(line for line in text.split("\n") if not line.startswith("# "))


_WORD = re.compile(r"\w+")


def _shingles(text: str) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text)
    return Counter(tuple(words[n : n + 4]) for n in range(max(1, len(words) - 3)))


def _score(found: str, known: str, seconds: float) -> _Score:
    ours, wanted = _shingles(found), _shingles(known)
    both = (ours & wanted).total()
    return _Score(both / ours.total(), both / wanted.total(), seconds)


def _heading() -> None:
    print(f"  {'':24} pages  precision  recall     F1  pages/s")


def _row(name: str, scores: Sequence[_Score]) -> None:
    precision = sum(score.precision for score in scores) / len(scores)
    recall = sum(score.recall for score in scores) / len(scores)
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    speed = len(scores) / sum(score.seconds for score in scores)
    print(
        f"  {name:24} {len(scores):5} {precision:10.3f} {recall:7.3f} {f1:6.3f} {speed:8.0f}",
        flush=True,
    )
