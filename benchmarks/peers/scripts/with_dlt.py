"""dlt: its filesystem source with an incremental cursor, merged into DuckDB page by page.

After its guides on the filesystem source, and on merge loading with deletions. A listing does not
tell dlt what is gone, so a second resource compares it with what is stored.
`python -m benchmarks.peers.scripts.with_dlt sync FOLDER STATE`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.sources.filesystem import filesystem

from benchmarks.peers.scripts.embedder import DIMENSION, vectors
from benchmarks.peers.scripts.pages import passages, text_of
from benchmarks.peers.scripts.state import print_state

_COMMAND, _FOLDER, _STATE = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
_DATABASE = _STATE / "pages.duckdb"
_SCHEMA = pa.schema(
    [
        pa.field("page", pa.string(), nullable=False),
        ("n", pa.int64()),
        ("text", pa.string()),
        ("vector", pa.list_(pa.float32(), DIMENSION)),
        ("deleted", pa.bool_()),
    ]
)


def _pipeline() -> dlt.Pipeline:
    return dlt.pipeline(
        "pages",
        pipelines_dir=str(_STATE / "pipelines"),
        destination=dlt.destinations.duckdb(str(_DATABASE)),
        dataset_name="knowledge",
    )


_MERGED: dict[str, Any] = {
    "write_disposition": "merge",
    "merge_key": "page",
    "columns": {"deleted": {"hard_delete": True}},
    "table_name": "chunks",
}


@dlt.transformer(**_MERGED)
def changed(files: list[Any]) -> Iterator[pa.Table]:
    rows: list[dict[str, Any]] = []
    for file in files:
        page, texts = file["relative_path"], passages(text_of(file.read_bytes()))
        rows += [
            {"page": page, "n": n, "text": text, "vector": vector, "deleted": False}
            for n, (text, vector) in enumerate(zip(texts, vectors(texts), strict=True))
        ]
    yield pa.Table.from_pylist(rows, _SCHEMA)


@dlt.resource(**_MERGED)
def removed(gone: set[str]) -> Iterator[pa.Table]:
    if gone:
        yield pa.Table.from_pylist([{"page": page, "deleted": True} for page in gone], _SCHEMA)


def _sync() -> None:
    pipeline = _pipeline()
    files = {"bucket_url": _FOLDER.resolve().as_uri(), "file_glob": "**/*.html"}
    listed = {file["relative_path"] for file in filesystem(**files)}
    modified = dlt.sources.incremental("modification_date")
    pages = filesystem(**files, incremental=modified) | changed
    pipeline.run([pages, removed(_stored(pipeline) - listed)])


def _stored(pipeline: dlt.Pipeline) -> set[str]:
    if not _DATABASE.exists():
        return set()
    with pipeline.sql_client() as client:
        return {page for (page,) in client.execute_sql("SELECT DISTINCT page FROM chunks") or ()}


def _inspect() -> None:
    with _pipeline().sql_client() as client:
        print_state(client.execute_sql("SELECT page, text, vector::FLOAT[] FROM chunks") or ())


if __name__ == "__main__":
    if _COMMAND == "inspect":
        _inspect()
    else:
        _sync()
