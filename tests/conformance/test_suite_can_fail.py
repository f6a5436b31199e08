"""The conformance suite notices what it is there to notice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from syncline.core.ports import ConnectorSpec
from syncline.testing.api_checks import API_CHECKS
from syncline.testing.connector_suite import CHECKS, SourceWorld, applies
from syncline.testing.fakes.zendesk import FakeZendesk
from tests.conformance import api_mutants
from tests.conformance.mutants import MUTANTS
from tests.conformance.test_zendesk import ArticlesWorld

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


@pytest.mark.parametrize(
    ("check", "spec"),
    [(check, spec) for check, _, spec in api_mutants.MUTANTS],
    ids=[f"{check}-{wrong}" for check, wrong, _ in api_mutants.MUTANTS],
)
async def test_a_wrong_connector_of_an_api_fails_the_check(check: str, spec: ConnectorSpec) -> None:
    """The same, of the checks of APIs."""
    known = {each.__name__: each for each in API_CHECKS}
    async with FakeZendesk() as server:
        world = ArticlesWorld(server)
        world.spec = spec
        with pytest.raises(AssertionError):
            await known[check](world)


def test_every_check_of_apis_is_known_to_fail() -> None:
    """None of them is without a connector that it rejects."""
    assert {check for check, _, _ in api_mutants.MUTANTS} == {c.__name__ for c in API_CHECKS}
    assert all(check.__doc__ for check in API_CHECKS)
