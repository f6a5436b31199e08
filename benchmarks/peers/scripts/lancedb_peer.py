"""LanceDB, in its own environment: `python lancedb_peer.py FOLDER`.

FOLDER has texts.json, questions.json, vectors.npy and asked.npy (the questions' vectors). What was
found by vector, and what a hybrid search took, are written to lancedb.json.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path

import lancedb
import numpy as np


def schedule(policy: int, priority: int) -> None:
    """As `benchmarks.measure.undisturbed` does, which is not to be had here."""
    with contextlib.suppress(OSError):
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(priority))


def main(folder: Path) -> None:
    """Index, warm up, ask."""
    texts = json.loads((folder / "texts.json").read_text("utf-8"))
    questions = json.loads((folder / "questions.json").read_text("utf-8"))
    vectors, asked = np.load(folder / "vectors.npy"), np.load(folder / "asked.npy")
    database = lancedb.connect(str(folder / "lance"))
    table = database.create_table(
        "chunks",
        [
            {"id": n, "text": text, "vector": vector}
            for n, (text, vector) in enumerate(zip(texts, vectors, strict=True))
        ],
    )
    table.create_index(
        metric="dot", index_type="IVF_HNSW_SQ", num_partitions=1, m=16, ef_construction=100
    )
    table.create_fts_index("text", stem=True, remove_stop_words=True)

    def hybrid(question: str, vector: np.ndarray) -> None:
        words = " ".join("".join(c if c.isalnum() else " " for c in question).split())
        table.search(query_type="hybrid").vector(vector).text(words).ef(200).limit(10).to_list()

    for question, vector in list(zip(questions, asked, strict=True))[:20]:
        hybrid(question, vector)
    seconds, found = [], []
    schedule(os.SCHED_RR, 1)
    started_cpu = time.process_time()
    for question, vector in zip(questions, asked, strict=True):
        started = time.perf_counter()
        hybrid(question, vector)
        seconds.append(time.perf_counter() - started)
    schedule(os.SCHED_OTHER, 0)
    cpu = (time.process_time() - started_cpu) / len(questions)
    for vector in asked:
        near = table.search(vector).distance_type("dot").ef(200).limit(10).to_list()
        found.append([row["id"] for row in near])
    (folder / "lancedb.json").write_text(
        json.dumps({"seconds": seconds, "cpu": cpu, "near": found})
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
