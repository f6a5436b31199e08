"""A sentence-transformer that runs here, from its files, through onnxruntime.

Texts of like length are computed together, so that little is spent on padding. It happens in a
thread: a hundred texts may take seconds, and what else the process does goes on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from syncline.core.errors import ConfigurationError
from syncline.embedders.onnx_folder import ModelFolder, read_folder

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

__all__ = ["OnnxEmbedder"]

_MOST_TOKENS = 8_192
"""In one computation, padding included."""
_INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


class OnnxEmbedder:
    """Tokens to vectors by the model, pooled, of length 1."""

    def __init__(self, folder: Path, *, max_tokens: int | None = None) -> None:
        """Load the model. Raises `ConfigurationError`."""
        self._folder = read_folder(folder, max_tokens)
        self._tokenizer = _load_tokenizer(self._folder)
        self._session = _load_model(self._folder)
        self._inputs = {each.name for each in self._session.get_inputs()}
        unknown = self._inputs - _INPUTS
        if unknown or "input_ids" not in self._inputs:
            raise ConfigurationError(
                f"{self._folder.model} takes {', '.join(sorted(self._inputs))}",
                hint="A sentence-transformer takes input_ids and an attention_mask.",
            )
        self.name = self._folder.name
        self.dimension = self._folder.dimension

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """See `Embedder.embed_query`."""
        row: NDArray[np.float32] = (await self.embed([text]))[0]
        return row

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        return await asyncio.to_thread(self.vectors, texts)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length 1; zero for a text without words."""
        rows = np.zeros((len(texts), self.dimension), np.float32)
        wanted = [n for n, text in enumerate(texts) if text.strip()]
        encoded = self._tokenizer.encode_batch([texts[n] for n in wanted])
        by_length = sorted(range(len(wanted)), key=lambda n: len(encoded[n].ids))
        for batch in _batches(by_length, encoded):
            rows[[wanted[n] for n in batch]] = self._compute([encoded[n] for n in batch])
        return rows

    def _compute(self, encoded: Sequence[Encoding]) -> NDArray[np.float32]:
        longest = max(len(each.ids) for each in encoded)
        ids = np.zeros((len(encoded), longest), np.int64)
        mask = np.zeros_like(ids)
        for n, each in enumerate(encoded):
            ids[n, : len(each.ids)] = each.ids
            mask[n, : len(each.ids)] = each.attention_mask
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        tokens = self._session.run(
            None, {name: value for name, value in given.items() if name in self._inputs}
        )[0]
        if tokens.shape != (*ids.shape, self.dimension):
            raise ConfigurationError(
                f"{self._folder.model} gives {' × '.join(map(str, tokens.shape))} numbers for "
                f"{len(encoded)} texts of up to {longest} tokens",
                hint=f"Its first output must have {self.dimension} numbers for each token.",
            )
        pooled = _pool(tokens.astype(np.float32), mask, self._folder.pooling)
        lengths = np.sqrt(np.einsum("ij,ij->i", pooled, pooled))[:, None]
        np.divide(pooled, lengths, out=pooled, where=lengths > 0)
        return pooled


def _pool(
    tokens: NDArray[np.float32], mask: NDArray[np.int64], pooling: str
) -> NDArray[np.float32]:
    if pooling == "cls":
        return tokens[:, 0].copy()
    weights = mask[:, :, None].astype(np.float32)
    mean: NDArray[np.float32] = (tokens * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
    return mean


def _batches(by_length: Sequence[int], encoded: Sequence[Encoding]) -> list[list[int]]:
    """Neighbours in length, as many as are computed together."""
    batches: list[list[int]] = []
    for n in by_length:
        if not batches or (len(batches[-1]) + 1) * len(encoded[n].ids) > _MOST_TOKENS:
            batches.append([])
        batches[-1].append(n)
    return batches


def _load_tokenizer(folder: ModelFolder) -> Tokenizer:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise _missing("tokenizers") from error
    try:
        tokenizer = Tokenizer.from_file(str(folder.tokenizer))
    except Exception as error:  # what it raises has no type of its own
        raise ConfigurationError(
            f"{folder.tokenizer} cannot be read: {error}",
            hint="It must be a tokenizer.json of Hugging Face's tokenizers library.",
        ) from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(folder.max_tokens)
    return tokenizer


def _load_model(folder: ModelFolder) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing("onnxruntime") from error
    options = onnxruntime.SessionOptions()
    # Workers are one for each core already.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            str(folder.model), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # what it raises has no base of its own
        raise ConfigurationError(
            f"{folder.model} cannot be loaded: {error}",
            hint="Is it a whole ONNX model? Large ones have their weights in files beside it.",
        ) from error


def _missing(package: str) -> ConfigurationError:
    return ConfigurationError(
        f"the embedder onnx needs the package {package}, which is not installed",
        hint="Install it: pip install 'syncline[onnx]'.",
    )
