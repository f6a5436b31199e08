"""Ten exports a minute, of all that use the account: Zendesk says so, and that is kept to."""

from __future__ import annotations

import pytest

from syncline.connectors.zendesk.account import EXPORTS, QUOTA
from syncline.testing.api_world import ApiWorld
from syncline.testing.counting_ledger import CountingLedger
from syncline.testing.fakes.zendesk import FakeZendesk
from syncline.testing.fakes.zendesk_tickets import FakeZendeskTickets
from syncline.transport.hosts import Shared
from tests.unit.connectors.zendesk.conftest import Connect

_PAGES = 25


def _metered(world: ApiWorld) -> None:
    world.shared = Shared(CountingLedger(world.server.clock), quota=QUOTA, routes=(EXPORTS,))
    world.server.cap = 1
    world.server.clock.advance(3_600)


def _spend(world: ApiWorld, path: str, others: int) -> float:
    """Others export too; answers when we begin."""
    for _ in range(others):
        assert world.server.windows.enter(path) == 0
    world.server.requests.clear()
    return world.server.clock.monotonic()


@pytest.mark.parametrize("others", [0, 7])
async def test_changes_of_a_help_center_are_exported_no_faster(
    center: FakeZendesk, connect: Connect, others: int
) -> None:
    """What others of the same account have used is heard of with the first answer."""
    numbers = [center.create(f"Old {n}", "<p>Old</p>") for n in range(_PAGES)]
    world, reader = connect()
    await reader.catch_up()
    for number in numbers:
        center.translate(number, "en-us", "New", "<p>New</p>")
        center.clock.advance(1)
    _metered(world)
    began = _spend(world, EXPORTS.paths[1], others)
    await reader.run()
    assert center.windows.refused == 0
    assert {each.metadata.title for each in reader.state.values()} == {"New"}
    assert sum("/incremental/" in each.path for each in center.requests) >= _PAGES
    assert 120 <= center.clock.monotonic() - began < 250


@pytest.mark.parametrize("others", [0, 7])
async def test_tickets_are_exported_no_faster(
    desk: FakeZendeskTickets, connect_desk: Connect, others: int
) -> None:
    """Their comments are not held up by that."""
    for number in range(_PAGES - 1):  # and one that was deleted
        desk.create(f"Ticket {number}", "Text.")
        desk.clock.advance(1)
    world, reader = connect_desk(internal_comments=False)
    _metered(world)
    began = _spend(world, EXPORTS.paths[0], others)
    await reader.run()
    waited = desk.clock.monotonic() - began
    assert desk.windows.refused == 0
    assert len(reader.state) == _PAGES - 1
    assert 120 <= waited < 250
    async with world.open() as connector:
        for entry in reader.state.values():
            await connector.fetch(entry.locator, None)
    assert desk.clock.monotonic() - began == waited
    assert desk.windows.refused == 0
