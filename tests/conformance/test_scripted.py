"""The scripted source, in each of its kinds, through the conformance suite."""

from pathlib import Path

import pytest

from syncline.core.errors import Forbidden, Transient
from syncline.core.model import Checkpoint, Content, Entry, Failed, Gone
from syncline.core.ports import ConnectorSpec
from syncline.testing.connector_suite import ConnectorSuite, SourceWorld
from tests.conformance.worlds import ScriptedWorld
from tests.support import scripted


class TestScripted(ConnectorSuite):
    @pytest.fixture(
        params=[
            scripted.SPEC,
            scripted.PROOF,
            scripted.LISTING,
            scripted.CONFIRM,
            scripted.HINTS,
        ],
        ids=lambda spec: spec.kind,
    )
    def world(self, tmp_path: Path, request: pytest.FixtureRequest) -> SourceWorld:
        spec: ConnectorSpec = request.param
        return ScriptedWorld(tmp_path / "world.json", spec)


async def test_failures_happen_as_often_as_a_test_asked(tmp_path: Path) -> None:
    """They are counted in a file, so that a process started anew goes on counting."""
    source = ScriptedWorld(tmp_path / "world.json", scripted.SPEC)
    await source.add("one", "text")
    source.world.fail_fetch("one", times=2)
    for _ in range(2):
        async with source.open() as connector:
            with pytest.raises(Transient, match="one"):
                await connector.fetch({"name": "one"}, None)
    async with source.open() as connector:
        assert isinstance(await connector.fetch({"name": "one"}, None), Content)
    assert source.world.fetches() == ["one"] * 3
    source.world.clear_log()
    assert not source.world.log()


async def test_a_listing_fails_where_a_test_asked(tmp_path: Path) -> None:
    """By an exception at a step, by an entry, or by a whole part; until it is healed."""
    source = ScriptedWorld(tmp_path / "world.json", scripted.SPEC)
    world = source.world
    world.put_many({f"{number}": "text" for number in range(5)})
    async with source.open() as connector:
        part = (await connector.partitions())[0]
        world.fail_listing(3, "forbidden")
        world.fail_entry("1")
        stream = aiter(connector.changes(part, None))
        seen = [type(await anext(stream)) for _ in range(4)]
        assert seen == [Entry, Failed, Checkpoint, Entry]
        with pytest.raises(Forbidden):
            await anext(stream)
        world.heal()
        world.fail_part()
        world.remove("0")
        world.vanish("4")
        whole = [change async for change in connector.changes(part, None)]
    assert [each.id for each in whole if isinstance(each, Entry)] == ["1", "2", "3"]
    assert [each.id for each in whole if isinstance(each, Gone)] == ["0"]
    assert whole[0] == Failed("forbidden", "this part cannot be listed")
