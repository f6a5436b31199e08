"""How fast search is among 100,000 passages, in process and warm, beside LanceDB and bm25s.

The questions are titles of documents. Time is that of the whole call, with the question's
embedding. CPU is what the process, and our database's one, spent on it. While questions are asked,
the processes go before all others on the machine, if we may say so.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import syncline
from benchmarks.corpus import BUILD, make_large_corpus
from benchmarks.measure import Syncline, data_folder, undisturbed
from benchmarks.peers.environments import run_on
from benchmarks.retrieval import read_chunks
from syncline.store import search as index
from syncline.store.search_scope import Scope

__all__ = ["run"]

_QUESTIONS = 200


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    seconds: Sequence[float]
    cpu: float
    recall: float | None


def run(runs: int) -> None:
    """Print what `runs` rounds of all questions took."""
    corpus = make_large_corpus()
    with data_folder() as data:
        Syncline(data).run("sync", str(corpus), "--json")
        asyncio.run(_measure(data, runs))


async def _measure(data: Path, runs: int) -> None:
    async with syncline.open(data_dir=data) as kb:
        questions = await _titles(kb)
        chunks = await read_chunks(kb)
        exact, _ = await _near(kb, questions)
        print(f"Search, {len(chunks.texts):,} chunks in one workspace, {len(questions)} questions")
        rows = [await _ask(kb, "Syncline, exact vectors", questions, 1, 1.0)]
        started = time.perf_counter()
        await kb.maintain()
        built = time.perf_counter() - started
        near, indexed = await _near(kb, questions)
        assert indexed
        rows.append(await _ask(kb, "Syncline, vector index", questions, runs, _recall(near, exact)))
        asked = await kb.load_embedder().embed(questions)
        truth = [set(np.argsort(-(chunks.vectors @ each))[:10].tolist()) for each in asked]
        rows += _peers(chunks.texts, questions, chunks.vectors, asked, truth)
    print(f"  {'':26} p50 ms  p95 ms  CPU ms  recall@10 of vectors")
    for row in rows:
        ordered = sorted(each * 1000 for each in row.seconds)
        recall = "-" if row.recall is None else f"{row.recall:.3f}"
        print(
            f"  {row.name:26} {statistics.median(ordered):6.1f}"
            f"  {ordered[int(len(ordered) * 0.95)]:6.1f}  {row.cpu * 1000:6.1f}  {recall:>9}"
        )
    print(f"  The vector index was built in {built:.0f} s.\n", flush=True)


async def _titles(kb: syncline.Syncline) -> list[str]:
    async with kb.session() as (db, workspace):
        found = await db.execute(
            "SELECT title FROM (SELECT DISTINCT title FROM documents WHERE workspace_id = %s"
            " AND title IS NOT NULL) AS t ORDER BY md5(title) LIMIT %s",
            (workspace, _QUESTIONS),
        )
        return [row[0] for row in await found.fetchall()]


async def _ask(
    kb: syncline.Syncline, name: str, questions: Sequence[str], runs: int, recall: float
) -> Row:
    for question in questions[:50]:
        await kb.search(question)
    async with kb.session() as (db, _):
        server = db.info.backend_pid
    seconds = []
    spent = _spent(server)
    with undisturbed(os.getpid(), server):
        for question in list(questions) * runs:
            started = time.perf_counter()
            await kb.search(question)
            seconds.append(time.perf_counter() - started)
    return Row(name, seconds, (_spent(server) - spent) / len(seconds), recall)


def _spent(server: int) -> float:
    """CPU seconds of this process and of the database's process that serves it."""
    nanoseconds = int(Path(f"/proc/{server}/schedstat").read_text("ascii").split()[0])
    return time.process_time() + nanoseconds / 1e9


async def _near(kb: syncline.Syncline, questions: Sequence[str]) -> tuple[list[set[int]], bool]:
    """The ten nearest chunks to each question, and whether an index was asked."""
    found = []
    async with kb.session() as (db, workspace):
        corpus = await index.describe_corpus(db, workspace)
        for vector in await kb.load_embedder().embed(questions):
            literal = index.vector_literal(vector.tolist())
            asked = index.Asked(corpus.models[0], literal)
            near = await index.nearest(db, Scope(workspace, None), asked, 100)
            found.append([(each.id, each.meaning or 0.0) for each in near])
    return [_ten(each) for each in found], corpus.models[0].index is not None


def _ten(near: Sequence[tuple[int, float]]) -> set[int]:
    return {chunk for chunk, _ in near[:10]}


def _recall(found: Sequence[set[int]], exact: Sequence[set[int]]) -> float:
    hits = sum(len(one & other) for one, other in zip(found, exact, strict=True))
    return hits / sum(len(each) for each in exact)


def _peers(
    texts: Sequence[str], questions: Sequence[str], vectors: Any, asked: Any,
    truth: Sequence[set[int]],
) -> list[Row]:  # fmt: skip
    folder = BUILD / "peers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        (folder / "texts.json").write_text(json.dumps(texts))
        (folder / "questions.json").write_text(json.dumps(questions))
        np.save(folder / "vectors.npy", vectors)
        np.save(folder / "asked.npy", asked)
        rows = []
        for name in ("lancedb", "bm25s"):
            run_on(name, folder)
            took = json.loads((folder / f"{name}.json").read_text())
            near = [set(each) for each in took.get("near", [])]
            rows.append(
                Row(
                    {"lancedb": "LanceDB, hybrid", "bm25s": "bm25s, words alone"}[name],
                    took["seconds"],
                    took["cpu"],
                    _recall(near, truth) if near else None,
                )
            )
        return rows
    finally:
        shutil.rmtree(folder)
