"""The default embedder computes what its library does, and always the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.embedders.wordllama import WordLlamaEmbedder

WORDS = ["the", "quick", "brown", "fox,", "jumps", "(over)", "a", "dog."]
TEXTS = [
    "Refunds are paid within 14 days.",
    "Guide > Install\nRun `pip install syncline`, then:\n\n```\nfor x in y:\n    print(x)\n```",
    "| a | b |\n| 1 | 2 |\n\n- item one\n- item two",
    "Größe, naïve café; 退款政策 и кириллица 🙂",
    "one  two   three    four\n\n\nfive",
    "CamelCase snake_case os.path.join(a, b) != c[0]",
    "word",
    "\nleading line end",
    *(" ".join(random.Random(n).choices(WORDS, k=80)) for n in range(20)),
]


@pytest.fixture(scope="module")
def embedder() -> WordLlamaEmbedder:
    return WordLlamaEmbedder()


def test_it_agrees_with_the_library(embedder: WordLlamaEmbedder) -> None:
    """Cosine at least 0.999 in the median, and close everywhere."""
    # The library sets up the root logger when it is imported, so it runs elsewhere.
    code = (
        "import json, pathlib, sys, wordllama\n"
        "model = wordllama.WordLlama.load(\n"
        "    cache_dir=pathlib.Path(wordllama.__file__).parent, disable_download=True)\n"
        "json.dump(model.embed(json.load(sys.stdin), norm=True).tolist(), sys.stdout)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(TEXTS),
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = np.array(json.loads(ran.stdout), np.float32)
    cosines = (theirs * embedder.vectors(TEXTS)).sum(axis=1)
    assert np.median(cosines) >= 0.999
    assert cosines.min() >= 0.98


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(len(TEXTS))), st.integers(1, 9))
def test_a_vector_depends_on_its_text_alone(
    embedder: WordLlamaEmbedder, order: list[int], batch: int
) -> None:
    """Bit for bit, in any order, in batches of any size, with whatever remembered."""
    alone = [WARM.vectors([text])[0].astype(np.float16) for text in TEXTS]
    small = WordLlamaEmbedder.__new__(WordLlamaEmbedder)
    small.__dict__.update(embedder.__dict__, _remembered=5, _rows={}, _sums=embedder._sums[:0])
    for each in (embedder, small):
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            rows = each.vectors([TEXTS[n] for n in places]).astype(np.float16)
            for n, row in zip(places, rows, strict=True):
                assert row.tobytes() == alone[n].tobytes()


WARM = WordLlamaEmbedder()


def test_what_is_remembered_is_bounded() -> None:
    """Many distinct words do not fill the memory."""
    embedder = WordLlamaEmbedder(remembered=100)
    for n in range(10):
        embedder.vectors([" ".join(f"w{n}x{i}" for i in range(60))])
        assert len(embedder._rows) <= 100


def test_meaning_is_near_meaning(embedder: WordLlamaEmbedder) -> None:
    """A question lies nearer to its answer than to something else."""
    question, answer, other = embedder.vectors(
        [
            "how do I get my money back",
            "refund policy: we return your payment",
            "weather in the mountains",
        ]
    )
    assert question @ answer > question @ other


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_a_vector(embedder: WordLlamaEmbedder, text: str) -> None:
    """Finite, of length one, or zero where there is nothing."""
    text = text.encode("utf-8", "ignore").decode()
    [row] = embedder.vectors([text])
    assert np.isfinite(row).all()
    assert abs(float(np.linalg.norm(row)) - (1.0 if text.strip(" ") else 0.0)) < 1e-3
