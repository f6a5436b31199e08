"""A question in the words of each model that a workspace's passages are embedded with.

Mostly that is one. While another takes its place, passages are found by whichever has embedded
them; where the former one is not to be had any more, by their words, and the notes say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct

from syncline.core.errors import ConfigurationError, SourceError
from syncline.core.ports import Embedder, EmbedderInfo
from syncline.store.search import Asked, Corpus, UsedModel, vector_literal

__all__ = ["Models", "ask"]


class Models(Struct, frozen=True):
    """How embedders are had."""

    load: Callable[[], Embedder] | None
    """The one that is set; None: none is asked."""
    name: str
    """Its full name."""
    recreate: Callable[[EmbedderInfo], Embedder] | None
    """Any other one, from what was noted of it; may raise `ConfigurationError`."""


async def ask(models: Models, corpus: Corpus, text: str) -> tuple[tuple[Asked, ...], list[str]]:
    """The question in each model that answers, and what the asker should know of the others."""
    if models.load is None:
        return (), ["without a model: found by words alone"]
    if not corpus.models:
        return (), [f"nothing is embedded with {models.name} yet: found by words alone"]
    answers = await asyncio.gather(*(_vector(models, used, text) for used in corpus.models))
    asked = []
    failures = []
    for used, answer in zip(corpus.models, answers, strict=True):
        if isinstance(answer, Exception):
            failures.append((used.info.name, answer))
        elif answer:
            asked.append(Asked(used, answer))
    if len(corpus.models) == 1:
        notes = [
            f"found by words alone, because the model did not answer: {error}"
            for _, error in failures
        ]
    else:
        notes = [
            f"what only {name} has embedded was found by words alone, because it did not answer: "
            f"{error}"
            for name, error in failures
        ]
    return tuple(asked), notes


async def _vector(models: Models, used: UsedModel, text: str) -> str | Exception:
    """Empty for a question that says nothing to the model."""
    assert models.load is not None
    try:
        if used.info.name == models.name:
            embedder = await asyncio.to_thread(models.load)
        elif models.recreate is not None:
            embedder = await asyncio.to_thread(models.recreate, used.info)
        else:
            return ConfigurationError(f"{used.info.name} is not set")
        vector = (await embedder.embed_query(text)).tolist()
    except (SourceError, ConfigurationError) as error:
        return error
    return vector_literal(vector) if any(vector) else ""
