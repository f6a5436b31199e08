"""The embedder without a model."""

from __future__ import annotations

import subprocess
import sys

from syncline.embedders.hashing import HashingEmbedder


def test_texts_that_share_words_are_alike() -> None:
    """And nothing else is: it knows no meaning."""
    rows = HashingEmbedder().vectors(["red apples and pears", "pears and red apples", "blue sky"])
    assert rows[0] @ rows[1] > 0.999
    assert rows[0] @ rows[2] < 0.5


def test_every_process_computes_the_same() -> None:
    """Though Python's own hashes differ between processes."""
    code = (
        "from syncline.embedders.hashing import HashingEmbedder\n"
        "print(HashingEmbedder().vectors(['one two three']).tobytes().hex())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == HashingEmbedder().vectors(["one two three"]).tobytes().hex()
