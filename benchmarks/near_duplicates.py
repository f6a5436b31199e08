"""Finding near-duplicates: 250 true pairs among 10,000 documents, and how fast; with two peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from typing import Any

from benchmarks.corpus import BUILD
from benchmarks.near_duplicates_corpus import (
    DOCUMENTS,
    THRESHOLD,
    Documents,
    make_documents,
)

__all__ = ["run"]

_PEERS = ("rensa", "datasketch")
_HOME = BUILD / "venvs" / "near_duplicates"
_PYTHON = _HOME / "bin" / "python"
_INSTALLED = _HOME / "installed"
_BATCH = 50
"""Texts that are signed together, as by a worker."""


def run(runs: int) -> None:
    """Print speed, precision and recall; the fastest of `runs`."""
    documents = make_documents()
    words = sum(len(text.split()) for text in documents.texts) / DOCUMENTS
    print(
        f"Near-duplicates: {len(documents.true)} true pairs at {THRESHOLD} among {DOCUMENTS:,} "
        f"documents of {words:.0f} words on average, {documents.near_misses} near misses; "
        f"CPU time of one process, the best of {runs}"
    )
    rows: list[tuple[str, float, Collection[tuple[int, int]]]] = []
    ours = min((_measure(documents) for _ in range(runs)), key=lambda took: took[0])
    rows.append(("syncline", *ours))
    for peer in _PEERS if _install_peers() else ():
        found = [_ask_peer(peer, documents) for _ in range(runs)]
        for way in ("estimated", "verified"):
            best = min((each[way] for each in found), key=lambda took: float(took["seconds"]))
            pairs = {(a, b) for a, b in best["pairs"]}
            rows.append((f"{peer} {found[0]['version']}, {way}", best["seconds"], pairs))
    print(f"  {'':28} documents/s  precision  recall  wrong  missed")
    for name, seconds, found_pairs in rows:
        _row(name, seconds, found_pairs, documents.true)
    _by_similarity(rows, documents.true)
    _check(ours, documents.true)


def _measure(documents: Documents) -> tuple[float, set[tuple[int, int]]]:
    """Everything from the texts to verified pairs, in memory, as a run does it by the database."""
    from syncline.pipeline.minhash import bands_of_each
    from syncline.pipeline.shingles import Hashes, jaccard, shingles

    texts = documents.texts
    started = time.process_time()
    first: dict[int, int] = {}
    holders: dict[int, list[int]] = {}
    candidates: set[tuple[int, int]] = set()
    for start in range(0, len(texts), _BATCH):
        for n, bands in enumerate(bands_of_each(texts[start : start + _BATCH]), start):
            for band in bands:
                if first.setdefault(band, n) != n:
                    others = holders.setdefault(band, [first[band]])
                    candidates.update((other, n) for other in others)
                    others.append(n)
    read: dict[int, Hashes] = {}
    pairs = set()
    for a, b in candidates:
        for each in (a, b):
            if each not in read:
                read[each] = shingles(texts[each])
        if jaccard(read[a], read[b]) >= THRESHOLD:
            pairs.add((a, b))
    return time.process_time() - started, pairs


def _row(
    name: str,
    seconds: float,
    pairs: Collection[tuple[int, int]],
    true: Mapping[tuple[int, int], float],
) -> None:
    right = len(true.keys() & set(pairs))
    print(
        f"  {name:28} {DOCUMENTS / seconds:11,.0f} {right / max(len(pairs), 1):10.4f}"
        f" {right / len(true):7.4f} {len(pairs) - right:6} {len(true) - right:7}",
        flush=True,
    )


def _by_similarity(
    rows: Collection[tuple[str, float, Collection[tuple[int, int]]]],
    true: Mapping[tuple[int, int], float],
) -> None:
    print(f"\n  Recall by true similarity:{'':3} 0.80-0.85  0.85-0.90  above")
    for name, _, pairs in rows:
        cells = []
        for low, high in ((0.80, 0.85), (0.85, 0.90), (0.90, 1.01)):
            wanted = {pair for pair, alike in true.items() if low <= alike < high}
            cells.append(f"{len(wanted & set(pairs)):4} of {len(wanted):3}")
        print(f"  {name:28} {'  '.join(cells)}")
    print(flush=True)


def _check(ours: tuple[float, set[tuple[int, int]]], true: Mapping[tuple[int, int], float]) -> None:
    seconds, pairs = ours
    right = len(pairs & true.keys())
    if right < 0.99 * len(pairs) or right < 0.99 * len(true):
        sys.exit("Precision or recall is below 0.99.")
    if seconds > DOCUMENTS / 5_000:
        print("  Slower than 5,000 documents a second: is this machine busy?")


def _install_peers() -> bool:
    """Into a virtual environment of their own; False where they cannot be had."""
    if not _INSTALLED.exists():
        print("  Installing the peers", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(_HOME)], check=True)
        install = [str(_PYTHON), "-m", "pip", "install", "-qq", *_PEERS]
        if subprocess.run(install, check=False).returncode:
            print("  The peers are left out: they could not be installed, and pip says why.")
            return False
        _INSTALLED.touch()
    return True


def _ask_peer(peer: str, documents: Documents) -> Any:
    script = BUILD.parents[1] / "benchmarks" / "near_duplicates_peers.py"
    with subprocess.Popen(
        [str(_PYTHON), str(script), peer, str(THRESHOLD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        text=True,
    ) as process:
        output, _ = process.communicate(json.dumps(documents.texts))
    if process.returncode:
        sys.exit(f"{peer} failed.")
    return json.loads(output)
