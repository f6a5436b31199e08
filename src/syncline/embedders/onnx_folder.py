"""What a sentence-transformer's folder says of its model, without loading it.

`model.onnx` (or `onnx/model.onnx`), `tokenizer.json`; and where they are there, `config.json`,
`1_Pooling/config.json` and `sentence_bert_config.json`, as the sentence-transformers library
writes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from msgspec import Struct

from syncline.core.errors import ConfigurationError
from syncline.core.ports import EmbedderInfo

__all__ = ["ModelFolder", "describe_folder", "read_folder"]

_MOST_TOKENS = 512
_SAMPLES, _SAMPLE_BYTES = 16, 65_536
_POOLING = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}


class ModelFolder(Struct, frozen=True):
    """A model's files, and how its tokens become one vector."""

    model: Path
    tokenizer: Path
    pooling: str
    """`mean` or `cls`."""
    dimension: int
    max_tokens: int
    name: str
    """The folder's own, with a digest of what decides about vectors, and their dimension."""


def describe_folder(folder: Path, max_tokens: int | None = None) -> EmbedderInfo:
    """The model in a folder. Raises `ConfigurationError` where it is none."""
    found = read_folder(folder, max_tokens)
    origin = {"folder": str(folder)}
    if max_tokens is not None:
        origin["max_tokens"] = str(max_tokens)
    return EmbedderInfo(found.name, found.dimension, "onnx", origin)


def read_folder(folder: Path, max_tokens: int | None = None) -> ModelFolder:
    """The model in a folder. Raises `ConfigurationError`."""
    places = (folder / "model.onnx", folder / "onnx" / "model.onnx")
    model = next((path for path in places if path.is_file()), None)
    tokenizer = folder / "tokenizer.json"
    for name, there in (("model.onnx", model is not None), (tokenizer.name, tokenizer.is_file())):
        if not there:
            raise ConfigurationError(
                f"there is no {name} in {folder}",
                hint="SYNCLINE_EMBEDDING_FOLDER is a folder with a sentence-transformer's "
                "model.onnx and tokenizer.json.",
            )
    assert model is not None
    config = _read(folder / "config.json")
    pooled = _read(folder / "1_Pooling" / "config.json")
    pooling = _pooling(folder, pooled)
    longest = _max_tokens(folder, config, max_tokens)
    dimension = _number(pooled, "word_embedding_dimension") or _number(config, "hidden_size")
    if dimension is None:
        raise ConfigurationError(
            f"how many numbers the model in {folder} gives is not known",
            hint='Put its config.json there too, or one that says {"hidden_size": 384}.',
        )
    files = ((path, path.stat()) for path in (model, tokenizer))
    stamps = tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in files)
    digest = blake2b(f"{pooling} {longest}".encode(), digest_size=4)
    digest.update(_digest(stamps))
    name = f"{folder.resolve().name}-{digest.hexdigest()}/{dimension}"
    return ModelFolder(model, tokenizer, pooling, dimension, longest, name)


def _pooling(folder: Path, config: Mapping[str, Any]) -> str:
    modes = (key for key, value in config.items() if value is True)
    asked = [key for key in modes if key.startswith("pooling_mode_")]
    for key in asked:
        if key not in _POOLING or len(asked) > 1:
            raise ConfigurationError(
                f"{folder} wants its tokens pooled by {', '.join(sorted(asked))}",
                hint="Models with mean or CLS pooling can be used.",
            )
    return _POOLING[asked[0]] if asked else "mean"


def _max_tokens(folder: Path, config: Mapping[str, Any], wanted: int | None) -> int:
    """What is asked for, or the folder's own word; never more than the model has places for."""
    places = _number(config, "max_position_embeddings")
    if wanted is None:
        own = _number(_read(folder / "sentence_bert_config.json"), "max_seq_length")
        wanted = own or _MOST_TOKENS
    return wanted if places is None else min(wanted, places)


def _number(config: Mapping[str, Any], name: str) -> int | None:
    value = config.get(name)
    return value if isinstance(value, int) and value > 0 else None


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}", hint="It must be JSON; get the model's files again."
        ) from error
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=8)
def _digest(files: tuple[tuple[Path, int, int], ...]) -> bytes:
    """Of the files' sizes and of samples throughout: weights that were trained on differ
    everywhere, and reading a gigabyte would take seconds."""
    digest = blake2b(digest_size=16)
    for path, size, _ in files:
        digest.update(size.to_bytes(8, "big"))
        with path.open("rb") as file:
            for n in range(_SAMPLES):
                file.seek(n * max(size - _SAMPLE_BYTES, 0) // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.digest()
