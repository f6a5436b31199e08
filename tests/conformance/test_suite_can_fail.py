"""The conformance suite notices what it is there to notice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from syncline.testing.connector_suite import CHECKS, SourceWorld, applies
from tests.conformance.mutants import MUTANTS

_BY_NAME = {check.__name__: check for check in CHECKS}


@pytest.mark.parametrize(
    ("check", "build"),
    [(check, build) for check, _, build in MUTANTS],
    ids=[f"{check}-{wrong}" for check, wrong, _ in MUTANTS],
)
async def test_a_wrong_connector_fails_the_check(
    check: str,
    build: Callable[[Path], SourceWorld],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connector that breaks one rule does not pass the check of that rule."""
    monkeypatch.syspath_prepend(tmp_path)
    world = build(tmp_path)
    assert applies(_BY_NAME[check], world)
    with pytest.raises(AssertionError):
        await _BY_NAME[check](world)


def test_every_check_is_known_to_fail() -> None:
    """No check is without a connector that it rejects; a new one cannot be forgotten."""
    assert {check for check, _, _ in MUTANTS} == set(_BY_NAME)
    assert all(check.__doc__ for check in CHECKS)
