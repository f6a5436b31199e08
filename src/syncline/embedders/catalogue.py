"""The embedders there are. Naming one loads nothing; creating one loads its model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr

from syncline.core.errors import ConfigurationError
from syncline.core.ports import Embedder, EmbedderInfo
from syncline.settings import Settings

__all__ = ["create", "describe", "recreate"]

_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
"""Of models that everybody uses, as their vendor documents them."""


def describe(settings: Settings) -> EmbedderInfo:
    """The full name and dimension of the embedder that is set. Raises `ConfigurationError`."""
    found = _KNOWN.get(settings.embedder)
    if found is None:
        raise ConfigurationError(
            f'there is no embedder "{settings.embedder}"',
            hint=f"SYNCLINE_EMBEDDER is one of: {', '.join(_KNOWN)}.",
        )
    return found(settings)


def create(settings: Settings) -> Embedder:
    """The embedder that is set, its model loaded. Raises `ConfigurationError`."""
    return _load(describe(settings), settings.embedding_key)


def recreate(settings: Settings, info: EmbedderInfo) -> Embedder:
    """An embedder from what was noted of it when it was set; another one may be set now.

    Raises `ConfigurationError` where it is not to be had any more.
    """
    with suppress(ConfigurationError):
        if describe(settings).name == info.name:
            return create(settings)
    key = settings.former_embedding_key
    if key is None and info.origin.get("url") == settings.embedding_url:
        key = settings.embedding_key  # a key goes to the address that it is for, and to no other
    return _load(info, key)


def _wordllama(settings: Settings) -> EmbedderInfo:
    return EmbedderInfo("wordllama-256/1", 256, "wordllama")


def _hashing(settings: Settings) -> EmbedderInfo:
    return EmbedderInfo("hashing-256/1", 256, "hashing")


def _service(settings: Settings) -> EmbedderInfo:
    model = settings.embedding_model
    dimension = settings.embedding_dimension or _DIMENSIONS.get(model)
    if dimension is None:
        raise ConfigurationError(
            f"how many numbers an embedding of {model} has is not known",
            hint="Set SYNCLINE_EMBEDDING_DIMENSION; the model's page says how many.",
        )
    origin = {"url": settings.embedding_url, "model": model}
    return _prefixed(settings, EmbedderInfo(f"{model}/{dimension}", dimension, "service", origin))


def _onnx(settings: Settings) -> EmbedderInfo:
    from syncline.embedders.onnx_folder import describe_folder

    if settings.embedding_folder is None:
        raise ConfigurationError(
            "where the model's files are is not known",
            hint="Set SYNCLINE_EMBEDDING_FOLDER to a folder with model.onnx and tokenizer.json.",
        )
    folder = settings.embedding_folder.absolute()
    return _prefixed(settings, describe_folder(folder, settings.embedding_max_tokens))


def _prefixed(settings: Settings, info: EmbedderInfo) -> EmbedderInfo:
    from syncline.embedders.prefixed import name_with

    prefixes = {
        "query": settings.embedding_query_prefix,
        "passage": settings.embedding_passage_prefix,
    }
    return EmbedderInfo(
        name_with(info.name, prefixes["passage"]),
        info.dimension,
        info.kind,
        {**info.origin, **{name: prefix for name, prefix in prefixes.items() if prefix}},
    )


_KNOWN: dict[str, Callable[[Settings], EmbedderInfo]] = {
    "wordllama": _wordllama,
    "hashing": _hashing,
    "service": _service,
    "onnx": _onnx,
}


def _load(info: EmbedderInfo, key: SecretStr | None) -> Embedder:
    embedder = _load_bare(info, key)
    query, passage = info.origin.get("query", ""), info.origin.get("passage", "")
    if query or passage:
        from syncline.embedders.prefixed import Prefixed

        embedder = Prefixed(embedder, query, passage)
    if embedder.name != info.name:
        raise ConfigurationError(
            f"{info.name} is now {embedder.name}",
            hint="Its files have changed. With the old ones its embeddings could be used.",
        )
    return embedder


def _load_bare(info: EmbedderInfo, key: SecretStr | None) -> Embedder:
    match info.kind, info.name:
        case _, "wordllama-256/1":
            from syncline.embedders.wordllama import WordLlamaEmbedder

            return WordLlamaEmbedder()
        case _, "hashing-256/1":
            from syncline.embedders.hashing import HashingEmbedder

            return HashingEmbedder()
        case "service", _:
            from syncline.embedders.service import ServiceEmbedder

            secret = None if key is None else key.get_secret_value()
            origin = info.origin
            return ServiceEmbedder(origin["url"], origin["model"], info.dimension, secret)
        case "onnx", _:
            from syncline.embedders.onnx import OnnxEmbedder

            most = info.origin.get("max_tokens")
            return OnnxEmbedder(
                Path(info.origin["folder"]), max_tokens=None if most is None else int(most)
            )
    raise ConfigurationError(
        f"where {info.name} is to be had is not known",
        hint="It was set before Syncline noted that. Set it once more, and it is known.",
    )
