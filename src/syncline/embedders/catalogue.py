"""The embedders there are. Naming one loads nothing; creating one loads its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncline.core.errors import ConfigurationError
from syncline.core.ports import Embedder
from syncline.settings import Settings

__all__ = ["EmbedderInfo", "create", "describe"]

_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}
"""Of models that everybody uses, as their vendor documents them."""


@dataclass(frozen=True, slots=True)
class EmbedderInfo:
    """What is known of an embedder before its model is loaded."""

    name: str
    """The full name, with the model's version: part of every embedding's key."""
    dimension: int


def describe(settings: Settings) -> EmbedderInfo:
    """The full name and dimension of the embedder that is set. Raises `ConfigurationError`."""
    return _find(settings)[0](settings)


def create(settings: Settings) -> Embedder:
    """The embedder that is set, its model loaded. Raises `ConfigurationError`."""
    return _find(settings)[1](settings)


def _find(
    settings: Settings,
) -> tuple[Callable[[Settings], EmbedderInfo], Callable[[Settings], Embedder]]:
    found = _KNOWN.get(settings.embedder)
    if found is None:
        raise ConfigurationError(
            f'there is no embedder "{settings.embedder}"',
            hint=f"SYNCLINE_EMBEDDER is one of: {', '.join(_KNOWN)}.",
        )
    return found


def _wordllama(settings: Settings) -> Embedder:
    from syncline.embedders.wordllama import WordLlamaEmbedder

    return WordLlamaEmbedder()


def _hashing(settings: Settings) -> Embedder:
    from syncline.embedders.hashing import HashingEmbedder

    return HashingEmbedder()


def _service_info(settings: Settings) -> EmbedderInfo:
    model = settings.embedding_model
    dimension = settings.embedding_dimension or _DIMENSIONS.get(model)
    if dimension is None:
        raise ConfigurationError(
            f"how many numbers an embedding of {model} has is not known",
            hint="Set SYNCLINE_EMBEDDING_DIMENSION; the model's page says how many.",
        )
    return EmbedderInfo(f"{model}/{dimension}", dimension)


def _service(settings: Settings) -> Embedder:
    from syncline.embedders.service import ServiceEmbedder

    key = settings.embedding_key
    return ServiceEmbedder(
        settings.embedding_url,
        settings.embedding_model,
        _service_info(settings).dimension,
        None if key is None else key.get_secret_value(),
    )


_KNOWN: dict[str, tuple[Callable[[Settings], EmbedderInfo], Callable[[Settings], Embedder]]] = {
    "wordllama": (lambda settings: EmbedderInfo("wordllama-256/1", 256), _wordllama),
    "hashing": (lambda settings: EmbedderInfo("hashing-256/1", 256), _hashing),
    "service": (_service_info, _service),
}
