"""CocoIndex: a memoised function a file, whose rows are declared in an SQLite table with vectors.

After its examples on text embeddings and its page on the SQLite connector.
`python -m benchmarks.peers.scripts.with_cocoindex sync FOLDER STATE`.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import cocoindex as coco
import numpy as np
from cocoindex.connectors import localfs, sqlite
from cocoindex.resources.file import FileLike, PatternFilePathMatcher

from benchmarks.peers.scripts.embedder import vectors
from benchmarks.peers.scripts.pages import passages, text_of
from benchmarks.peers.scripts.state import print_state

_COMMAND, _FOLDER, _STATE = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
_TABLE = "chunks"
_DATABASE = coco.ContextKey[sqlite.ManagedConnection]("pages_db")


@dataclass
class Passage:
    """A row."""

    id: str
    page: str
    text: str
    vector: bytes
    """As sqlite-vec has it; its extension cannot be loaded into every Python."""


@coco.lifespan
async def lifespan(builder: coco.EnvironmentBuilder) -> AsyncIterator[None]:
    builder.settings.db_path = _STATE / "cocoindex.db"
    with sqlite.managed_connection(_STATE / "pages.sqlite", load_vec=False) as connection:
        builder.provide(_DATABASE, connection)
        yield


@coco.fn(memo=True)
async def process_file(file: FileLike, table: sqlite.TableTarget[Passage]) -> None:
    texts = passages(text_of(await file.read()))
    page = file.file_path.path.as_posix()
    for n, (text, vector) in enumerate(zip(texts, vectors(texts), strict=True)):
        table.declare_row(row=Passage(f"{page}#{n}", page, text, vector.tobytes()))


@coco.fn
async def app_main(folder: Path) -> None:
    table = await sqlite.mount_table_target(
        _DATABASE,
        table_name=_TABLE,
        table_schema=await sqlite.TableSchema.from_class(Passage, primary_key=["id"]),
    )
    files = localfs.walk_dir(
        folder, recursive=True, path_matcher=PatternFilePathMatcher(included_patterns=["**/*.html"])
    )
    await coco.mount_each(process_file, files.items(), table)


def _inspect() -> None:
    connection = sqlite3.connect(_STATE / "pages.sqlite")
    rows = connection.execute(f"SELECT page, text, vector FROM {_TABLE}")
    print_state((page, text, np.frombuffer(vector, np.float32)) for page, text, vector in rows)
    connection.close()


if __name__ == "__main__":
    if _COMMAND == "inspect":
        _inspect()
    else:
        os.chdir(_FOLDER)
        coco.App(coco.AppConfig(name="Pages"), app_main, folder=Path()).update_blocking()
