"""LlamaIndex: an ingestion pipeline whose document store finds changes and deletions.

After its guides on document management and on readers for further formats. The document store is
a file that is read and written whole in each run, so it has the pages' texts and not their HTML.
`python -m benchmarks.peers.scripts.with_llamaindex sync FOLDER STATE`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llama_index.core import SimpleDirectoryReader
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import (
    BaseNode,
    Document,
    NodeRelationship,
    TextNode,
    TransformComponent,
)
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.vector_stores.lancedb import LanceDBVectorStore

from benchmarks.peers.scripts.embedder import vectors
from benchmarks.peers.scripts.pages import passages, text_of
from benchmarks.peers.scripts.state import print_state

_COMMAND, _FOLDER, _STATE = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
_DOCSTORE = _STATE / "docstore.json"


class Pages(BaseReader):
    """The text of a page."""

    def load_data(self, file: Path, extra_info: dict[str, Any] | None = None) -> list[Document]:
        return [Document(text=text_of(file.read_bytes()), metadata=extra_info or {})]


class Passages(TransformComponent):
    """Passages and vectors of each page."""

    def __call__(self, nodes: Sequence[Document], **kwargs: Any) -> Sequence[BaseNode]:
        found: list[BaseNode] = []
        for page in nodes:
            texts = passages(page.text)
            source = {NodeRelationship.SOURCE: page.as_related_node_info()}
            for text, vector in zip(texts, vectors(texts).tolist(), strict=True):
                found.append(TextNode(text=text, embedding=vector, relationships=source))
        return found


def _sync() -> None:
    known = _DOCSTORE.exists()
    documents = SimpleDirectoryReader(
        str(_FOLDER),
        recursive=True,
        required_exts=[".html"],
        file_extractor={".html": Pages()},
        filename_as_id=True,
    ).load_data()
    docstore = (
        SimpleDocumentStore.from_persist_path(str(_DOCSTORE)) if known else SimpleDocumentStore()
    )
    vectors_of_pages = _open_vectors("append" if known else "create")
    pipeline = IngestionPipeline(
        transformations=[Passages()],
        docstore=docstore,
        vector_store=vectors_of_pages,
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        disable_cache=True,
    )
    added = pipeline.run(documents=documents)
    # LlamaIndex itself makes the full-text index anew with the first question after a change.
    if not known:
        vectors_of_pages.table.create_fts_index("text")
    elif added:
        vectors_of_pages.table.optimize()
    docstore.persist(str(_DOCSTORE))


class Vectors(LanceDBVectorStore):
    """With a condition that LanceDB reads as a text; as published, it reads the id as a column."""

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        self.table.delete(f"{self.doc_id_key} = '{ref_doc_id}'")


def _open_vectors(mode: str) -> Vectors:
    return Vectors(uri=str(_STATE / "lance"), mode=mode)


def _inspect() -> None:
    root = f"{_FOLDER.resolve()}/"
    rows = _open_vectors("append").table.to_arrow()
    pages = [each.removeprefix(root).removesuffix("_part_0") for each in rows["doc_id"].to_pylist()]
    print_state(zip(pages, rows["text"].to_pylist(), rows["vector"].to_pylist(), strict=True))


if __name__ == "__main__":
    if _COMMAND == "inspect":
        _inspect()
    else:
        _sync()
