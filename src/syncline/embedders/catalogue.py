"""The embedders there are. Naming one loads nothing; creating one loads its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from syncline.core.errors import ConfigurationError
from syncline.core.ports import Embedder

__all__ = ["DEFAULT", "EmbedderInfo", "create", "describe", "known"]

DEFAULT = "wordllama"


@dataclass(frozen=True, slots=True)
class EmbedderInfo:
    """What is known of an embedder before its model is loaded."""

    name: str
    """The full name, with the model's version: part of every embedding's key."""
    dimension: int


def _wordllama() -> Embedder:
    from syncline.embedders.wordllama import WordLlamaEmbedder

    return WordLlamaEmbedder()


def _hashing() -> Embedder:
    from syncline.embedders.hashing import HashingEmbedder

    return HashingEmbedder()


_KNOWN: dict[str, tuple[EmbedderInfo, Callable[[], Embedder]]] = {
    "wordllama": (EmbedderInfo("wordllama-256/1", 256), _wordllama),
    "hashing": (EmbedderInfo("hashing-256/1", 256), _hashing),
}


def known() -> tuple[str, ...]:
    """The short names that settings may use."""
    return tuple(_KNOWN)


def describe(name: str) -> EmbedderInfo:
    """The full name and dimension of the embedder with this short name."""
    return _find(name)[0]


def create(name: str) -> Embedder:
    """The embedder with this short name, its model loaded."""
    return _find(name)[1]()


def _find(name: str) -> tuple[EmbedderInfo, Callable[[], Embedder]]:
    found = _KNOWN.get(name)
    if found is None:
        raise ConfigurationError(
            f'there is no embedder "{name}"', hint=f"Known ones: {', '.join(_KNOWN)}."
        )
    return found
