"""The embedders there are."""

from __future__ import annotations

import numpy as np
import pytest

from syncline.core.errors import ConfigurationError
from syncline.embedders.catalogue import DEFAULT, create, describe, known


@pytest.mark.parametrize("name", known())
def test_what_is_described_is_what_is_created(name: str) -> None:
    """Name and dimension are known before the model is loaded, and right."""
    embedder, info = create(name), describe(name)
    assert (embedder.name, embedder.dimension) == (info.name, info.dimension)
    rows = embedder.embed(["some words", "", "other things"])
    assert rows.shape == (3, info.dimension)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 0, 1], atol=1e-5)
    assert embedder.embed([]).shape == (0, info.dimension)


def test_the_default_is_known() -> None:
    """Settings may leave it out."""
    assert DEFAULT in known()


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """A typo in a setting says what was possible."""
    for use in (create, describe):
        with pytest.raises(ConfigurationError) as caught:
            use("wordlama")
        assert caught.value.hint is not None
        assert "wordllama" in caught.value.hint
