"""Options: what people type, and what older and newer versions stored."""

from typing import Any

import pytest
from msgspec.structs import replace
from pydantic import Field

from syncline.connectors.files.spec import SPEC
from syncline.connectors.options import parse_options
from syncline.core.errors import ConfigurationError
from syncline.core.ports import Options


class _Sample(Options):
    words: list[str] = Field(default=[], description="Words")
    numbers: frozenset[int] | None = Field(default=None, description="Numbers")
    either: str | list[str] = Field(default="", description="Either")
    switch: bool = Field(default=False, description="Switch")


_SAMPLE = replace(SPEC, options=_Sample)


def test_typed_strings_become_what_the_option_asks_for() -> None:
    """Comma lists, booleans and numbers; a plain string stays one where it may."""
    raw = {"words": " a, b ,,c ", "numbers": "1,2", "either": "a,b", "switch": "yes"}
    parsed = parse_options(_SAMPLE, raw)
    assert parsed == _Sample(
        words=["a", "b", "c"], numbers=frozenset({1, 2}), either="a,b", switch=True
    )
    files = parse_options(SPEC, {"path": "/srv", "extensions": "MD, .txt,*.rst", "max_mb": "7"})
    assert files.model_dump() | {} == {
        **parse_options(SPEC, {"path": "/srv"}).model_dump(),
        "extensions": (".md", ".txt", ".rst"),
        "max_mb": 7,
    }


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        ({"path": "docs"}, ["path", "'docs'", "absolute"]),
        ({}, ["'path'", "missing", "folder"]),
        ({"path": "/srv", "max_mb": "many"}, ["max_mb", "'many'", "integer"]),
        ({"path": "/srv", "max_mb": "0"}, ["max_mb", "'0'", "greater than or equal to 1"]),
        ({"path": "/srv", "hidden": "perhaps"}, ["hidden", "'perhaps'", "boolean"]),
        ({"path": "/srv", "include": "../x"}, ["include", "../x", "relative"]),
        ({"path": "/srv", "extensions": ""}, ["extensions", "at least one"]),
        ({"path": "/srv", "colour": "red"}, ["'colour'"]),
        ({"path": "/srv", "max_mb": "x" * 5000}, ["max_mb", "…"]),
    ],
)
def test_what_does_not_validate_names_option_value_and_expectation(
    raw: dict[str, Any], parts: list[str]
) -> None:
    """A person can correct it from the message alone."""
    with pytest.raises(ConfigurationError) as caught:
        parse_options(SPEC, raw)
    assert all(part in caught.value.message for part in parts), caught.value.message
    assert len(caught.value.message) < 400
    assert "colour" not in raw or "exclude" in str(caught.value.hint)


def test_older_options_are_upgraded() -> None:
    """Their connector turns them into today's, and knows which version they are of."""

    def upgrade(version: int, values: dict[str, Any]) -> dict[str, Any]:
        assert version == 1
        return {"words": values["terms"]}

    spec = replace(_SAMPLE, options_version=2, upgrade_options=upgrade)
    assert parse_options(spec, {"terms": ["a"]}, 1) == _Sample(words=["a"])
    assert parse_options(spec, {"words": ["a"]}, 2) == _Sample(words=["a"])


def test_newer_options_are_refused() -> None:
    """An older machine does not read half of what a newer one wrote."""
    with pytest.raises(ConfigurationError, match="newer version") as caught:
        parse_options(_SAMPLE, {}, 2)
    assert "Upgrade" in str(caught.value.hint)
    with pytest.raises(ConfigurationError, match="how to upgrade"):
        parse_options(replace(_SAMPLE, options_version=2), {}, 1)
