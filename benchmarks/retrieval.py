"""Does search find what was asked for? Beside BM25 and WordLlama alone, on the same chunks."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import syncline
from benchmarks.corpus import BUILD
from benchmarks.measure import Syncline, data_folder
from benchmarks.peers.environments import run_on
from benchmarks.retrieval_sets import Question, QuestionSet, documentation, meetings

__all__ = ["run"]

_DEEP = 10


@dataclass(frozen=True, slots=True)
class Chunks:
    """All chunks of a knowledge base, and their vectors."""

    entries: list[str]
    texts: list[str]
    vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]]


def run() -> None:
    """Print a table for each set of questions."""
    for questions in (documentation(), meetings()):
        if questions is None:
            print("The meetings are not there (../shared/data/meetings): left out.\n")
            continue
        with data_folder() as data:
            Syncline(data).run("sync", str(questions.folder), "--json")
            asyncio.run(_measure(data, questions))


async def _measure(data: Path, asked: QuestionSet) -> None:
    async with syncline.open(data_dir=data) as kb:
        await withhold_titles(kb)
        chunks = await read_chunks(kb)
        ranks = {"Syncline": [await _entries(kb, each.text) for each in asked.questions]}
        ranks["WordLlama alone"] = await _nearest(kb, chunks, asked.questions)
    ranks["bm25s"] = _bm25s(chunks, asked.questions)
    print(
        f"{asked.name}: {len(asked.questions):,} questions, {len(set(chunks.entries)):,} "
        f"documents, {len(chunks.texts):,} chunks"
    )
    for half in (True, False):
        chosen = [n for n, each in enumerate(asked.questions) if each.tuning is half]
        print(f"  {'tuning' if half else 'held out'} half ({len(chosen)})    R@1   R@10    MRR")
        for name, found in ranks.items():
            scores = _scores([found[n] for n in chosen], [asked.questions[n] for n in chosen])
            print(f"    {name:20} " + "  ".join(f"{each:.3f}" for each in scores))
    print(flush=True)


async def withhold_titles(kb: syncline.Syncline) -> None:
    """Take away the documents' titles: a page without one is given one by its first heading."""
    async with kb.session() as (db, workspace):
        await db.execute(
            "UPDATE documents SET title = NULL, title_terms = '' WHERE workspace_id = %s",
            (workspace,),
        )


async def read_chunks(kb: syncline.Syncline, most: int | None = None) -> Chunks:
    """Each chunk with its headings, as it is embedded."""
    async with kb.session() as (db, workspace):
        found = await db.execute(
            "SELECT d.entry_id, c.headings, c.text, e.vector::real[] FROM chunks c"
            " JOIN LATERAL (SELECT entry_id FROM documents d WHERE d.workspace_id = c.workspace_id"
            " AND d.content_id = c.content_id ORDER BY entry_id LIMIT 1) AS d ON true"
            " JOIN embeddings e ON e.workspace_id = c.workspace_id AND e.chunk_hash = c.hash"
            " WHERE c.workspace_id = %s ORDER BY c.content_id, c.n LIMIT %s",
            (workspace, most),
        )
        rows = await found.fetchall()
    return Chunks(
        [row[0] for row in rows],
        [" > ".join(row[1]) + "\n" + row[2] if row[1] else row[2] for row in rows],
        np.array([row[3] for row in rows], np.float32),
    )


async def _entries(kb: syncline.Syncline, question: str) -> list[str]:
    page = await kb.search(question, limit=_DEEP)
    # Documents with the very same content are one hit.
    return [" ".join([hit.entry_id, *(each.entry_id for each in hit.also)]) for hit in page.hits]


async def _nearest(
    kb: syncline.Syncline, chunks: Chunks, questions: Sequence[Question]
) -> list[list[str]]:
    vectors = await kb.load_embedder().embed([each.text for each in questions])
    found = []
    for vector in vectors:
        order = np.argsort(-(chunks.vectors @ vector), kind="stable")[:2000]
        found.append(list(dict.fromkeys(chunks.entries[n] for n in order))[:_DEEP])
    return found


def _bm25s(chunks: Chunks, questions: Sequence[Question]) -> list[list[str]]:
    folder = BUILD / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / "texts.json").write_text(json.dumps(chunks.texts))
        (folder / "questions.json").write_text(json.dumps([each.text for each in questions]))
        run_on("bm25s", folder)
        ranks = json.loads((folder / "bm25s.json").read_text())["ranks"]
    finally:
        shutil.rmtree(folder)
    return [list(dict.fromkeys(chunks.entries[n] for n in each))[:_DEEP] for each in ranks]


def _scores(
    ranks: Sequence[Sequence[str]], questions: Sequence[Question]
) -> tuple[float, float, float]:
    """Of how many questions the first hit, one of ten, answers; the mean reciprocal rank."""
    places = []
    for found, question in zip(ranks, questions, strict=True):
        right = [n for n, each in enumerate(found) if question.answers & set(each.split(" "))]
        places.append(right[0] + 1 if right else 0)
    count = len(places)
    return (
        sum(place == 1 for place in places) / count,
        sum(place > 0 for place in places) / count,
        sum(1 / place for place in places if place) / count,
    )
