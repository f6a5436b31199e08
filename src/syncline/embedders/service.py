"""An embedding service that speaks OpenAI's protocol: OpenAI itself, Ollama, vLLM, TEI and others.

The protocol: POST {base}/embeddings with a model and a list of texts; the answer has an embedding
for each, by index (OpenAI's API reference, "Create embeddings").
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from syncline.core.errors import BadContent, NotFound, SourceError, Unauthorized
from syncline.core.ports import HttpTransport
from syncline.core.urls import shown_url

__all__ = ["ServiceEmbedder"]

_MOST_TEXTS = 128
_MOST_CHARACTERS = 100_000
"""In one request; services bound both, OpenAI at 2,048 texts and 300,000 tokens."""
_AT_ONCE = 4
_ANSWER_BYTES = 64_000_000


class ServiceEmbedder:
    """Asks in batches, a few at a time; what goes wrong for a while is tried again."""

    def __init__(
        self,
        url: str,
        model: str,
        dimension: int,
        key: str | None = None,
        *,
        open_http: Callable[[str], AbstractAsyncContextManager[HttpTransport]] | None = None,
    ) -> None:
        """`url` is the base, such as `https://api.openai.com/v1`. `open_http` is for tests."""
        self.name = f"{model}/{dimension}"
        self.dimension = dimension
        self._model = model
        self._url = f"{url.rstrip('/')}/embeddings"
        self._host = urlsplit(url).hostname or ""
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._open_http = open_http or _open_http

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length 1; zero for a text without words, which is not asked for."""
        rows = np.zeros((len(texts), self.dimension), np.float32)
        wanted = [n for n, text in enumerate(texts) if text.strip()]
        if not wanted:
            return rows
        turns = asyncio.Semaphore(_AT_ONCE)

        async def fill(places: list[int]) -> None:
            async with turns:
                rows[places] = await self._ask(http, [texts[n] for n in places])

        async with self._open_http(self._host) as http:
            try:
                async with asyncio.TaskGroup() as group:
                    for places in _batches(wanted, texts):
                        group.create_task(fill(places))
            except* SourceError as failures:
                # What the others say followed from the same, or comes again.
                raise self._explained(_first(failures)) from failures
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
        np.divide(rows, lengths, out=rows, where=lengths > 0)
        return rows

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        row: NDArray[np.float32] = (await self.embed([text]))[0]
        return row

    async def _ask(self, http: HttpTransport, texts: list[str]) -> NDArray[np.float32]:
        question = {"model": self._model, "input": texts, "encoding_format": "float"}
        answer = await http.post(
            self._url,
            json.dumps(question).encode(),
            headers=self._headers,
            max_bytes=_ANSWER_BYTES,
        )
        try:
            found = json.loads(answer.body)["data"]
            vectors = [each["embedding"] for each in sorted(found, key=lambda each: each["index"])]
            rows = np.array(vectors, np.float32)
        except (ValueError, TypeError, KeyError) as error:
            raise BadContent(
                f"{shown_url(self._url)} gave no embeddings that can be read",
                hint="Is it an address that speaks OpenAI's protocol? It often ends in /v1.",
            ) from error
        if rows.shape != (len(texts), self.dimension):
            raise BadContent(
                f"{shown_url(self._url)} gave {_shape(rows)} for {len(texts)} texts, where "
                f"{self.dimension} numbers each were expected",
                hint="Set SYNCLINE_EMBEDDING_DIMENSION to what the model gives.",
            )
        if not np.isfinite(rows).all():
            raise BadContent(f"{shown_url(self._url)} gave embeddings that are no numbers")
        return rows

    def _explained(self, error: SourceError) -> SourceError:
        """The error, with what to do about it here."""
        if isinstance(error, Unauthorized):
            error.hint = "Set SYNCLINE_EMBEDDING_KEY to a key that the service accepts."
        elif isinstance(error, NotFound):
            error.hint = (
                f"Does the service have the model {self._model}, and does its address end in /v1?"
            )
        return error


@asynccontextmanager
async def _open_http(host: str) -> AsyncIterator[HttpTransport]:
    from syncline.transport.http import HttpSession

    # Whoever set the address may set one of this machine's own, as Ollama's is.
    async with HttpSession(allow_private_hosts=[host], concurrency=_AT_ONCE) as http:
        yield http


def _batches(wanted: Sequence[int], texts: Sequence[str]) -> Iterator[list[int]]:
    """The places of the texts that are asked for together."""
    batch: list[int] = []
    characters = 0
    for n in wanted:
        if batch and (len(batch) == _MOST_TEXTS or characters + len(texts[n]) > _MOST_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(n)
        characters += len(texts[n])
    yield batch


def _shape(rows: NDArray[Any]) -> str:
    if rows.ndim != 2:
        return f"{len(rows)} embeddings of different lengths"
    return f"{rows.shape[0]} embeddings of {rows.shape[1]} numbers"


def _first(group: BaseExceptionGroup[SourceError]) -> SourceError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, SourceError)
    return error
