"""The conformance suite: what every connector must do, whatever its source.

A connector's own test derives from `ConnectorSuite` and gives it a world::

    class TestWiki(ConnectorSuite):
        @pytest.fixture
        async def world(self):
            async with FakeWiki() as site:
                yield WikiWorld(SPEC, SPEC.options(url=site.url), site)

where `WikiWorld` is a `SourceWorld`: how to add, edit and remove an entry at that source. The
checks that apply follow from `spec.capabilities`. Needs pytest and pytest-asyncio.

A connector that reads an API over HTTP derives from `ApiSuite`, with a fake of that API (`FakeApi`)
and an `ApiWorld`: it is also tried with faults, edits and kills between any two requests, with
small quotas, a clock that differs from ours, cursors that are taken no more, and expiring tokens.
"""

from __future__ import annotations

import pytest

from syncline.core.capabilities import Changes
from syncline.testing.api_checks import API_CHECKS, ApiCheck
from syncline.testing.api_world import ApiWorld
from syncline.testing.fetch_checks import FEED_CHECKS, FETCH_CHECKS
from syncline.testing.listing_checks import LISTING_CHECKS
from syncline.testing.spec_checks import SPEC_CHECKS
from syncline.testing.world import Check, SourceWorld

__all__ = ["CHECKS", "ApiSuite", "ApiWorld", "ConnectorSuite", "SourceWorld", "applies"]

CHECKS: tuple[Check, ...] = (*SPEC_CHECKS, *LISTING_CHECKS, *FETCH_CHECKS, *FEED_CHECKS)


def applies(check: Check, world: SourceWorld) -> bool:
    """Whether a check concerns a source with this world's capabilities."""
    return check not in FEED_CHECKS or world.spec.capabilities.changes is Changes.FEED


class ConnectorSuite:
    """Derive from it and define the fixture `world`."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_conforms(self, world: SourceWorld, check: Check) -> None:
        """The connector has the property that the check's docstring states."""
        if applies(check, world):
            await check(world)


class ApiSuite(ConnectorSuite):
    """For connectors of APIs; the fixture `world` gives an `ApiWorld`."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("check", API_CHECKS, ids=lambda check: check.__name__)
    async def test_survives(self, world: ApiWorld, check: ApiCheck) -> None:
        """The connector has the property that the check's docstring states."""
        await check(world)
