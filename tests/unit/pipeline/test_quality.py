"""How well the main part of real news pages is found, on pages with known texts."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter

from tests.support.shared_data import needs, shared_data
from tests.unit.pipeline.pages import read

PAGES = shared_data("html-extraction/aeb")
WORD = re.compile(r"\w+")


def shingles(text: str) -> Counter[tuple[str, ...]]:
    words = WORD.findall(text)
    return Counter(tuple(words[i : i + 4]) for i in range(max(1, len(words) - 3)))


@needs("html-extraction/aeb")
def test_articles_are_found_with_little_around_them() -> None:
    """F1 of runs of four words, against texts that people marked."""
    truth = json.loads((PAGES / "ground-truth.json").read_text())
    precision, recall = [], []
    for name, known in truth.items():
        text = read(gzip.decompress((PAGES / "html" / f"{name}.html.gz").read_bytes())).text
        # The marked texts do not have the title.
        text = "\n".join(line for line in text.split("\n") if not line.startswith("# "))
        found, wanted = shingles(text), shingles(known["articleBody"])
        both = (found & wanted).total()
        precision.append(both / found.total())
        recall.append(both / wanted.total())
    p, r = sum(precision) / len(truth), sum(recall) / len(truth)
    assert 2 * p * r / (p + r) >= 0.965
