"""The embedders there are."""

from __future__ import annotations

import numpy as np
import pytest

from syncline.core.errors import ConfigurationError
from syncline.embedders.catalogue import create, describe
from syncline.settings import Settings


def _settings(**values: object) -> Settings:
    return Settings.model_validate(values)


@pytest.mark.parametrize("name", ["wordllama", "hashing"])
async def test_what_is_described_is_what_is_created(name: str) -> None:
    """Name and dimension are known before the model is loaded, and right."""
    settings = _settings(embedder=name)
    embedder, info = create(settings), describe(settings)
    assert (embedder.name, embedder.dimension) == (info.name, info.dimension)
    rows = await embedder.embed(["some words", "", "other things"])
    assert rows.shape == (3, info.dimension)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 0, 1], atol=1e-5)
    assert (await embedder.embed([])).shape == (0, info.dimension)


def test_the_default_needs_no_network() -> None:
    """Settings may leave it out."""
    assert describe(Settings()).name == "wordllama-256/1"


def test_a_services_model_is_named_with_its_dimension() -> None:
    """So that vectors of different models never meet; the common ones are known."""
    assert describe(_settings(embedder="service")).name == "text-embedding-3-small/1536"
    own = _settings(embedder="service", embedding_model="nomic", embedding_dimension=768)
    assert (describe(own).name, describe(own).dimension) == ("nomic/768", 768)
    assert create(own).name == "nomic/768"
    for use in (create, describe):
        with pytest.raises(ConfigurationError) as caught:
            use(_settings(embedder="service", embedding_model="nomic"))
        assert "SYNCLINE_EMBEDDING_DIMENSION" in (caught.value.hint or "")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """A typo in a setting says what was possible."""
    for use in (create, describe):
        with pytest.raises(ConfigurationError) as caught:
            use(_settings(embedder="wordlama"))
        assert caught.value.hint is not None
        assert "wordllama" in caught.value.hint
