"""What checks of APIs assert of a reader: that it knows what an undisturbed one would."""

from __future__ import annotations

from syncline.testing.api_world import ApiWorld, Reader
from syncline.testing.world import TEXTS

__all__ = ["assert_as_is", "assert_feed_told"]


async def assert_as_is(world: ApiWorld, reader: Reader, where: str, *, settle: bool = True) -> None:
    """The reader knows exactly what an undisturbed one would."""
    fresh = Reader(world)
    if settle:
        await world.settle()
    await fresh.run()
    expected = await world.expected_ids()
    assert set(fresh.state) == expected, (
        f"{where}, a fresh run differs from what is there by {set(fresh.state) ^ expected}"
    )
    lacks, beyond = set(fresh.state) - set(reader.state), set(reader.state) - set(fresh.state)
    assert not lacks, f"{where}: missing {sorted(lacks)}"
    assert not beyond, f"{where}: still there {sorted(beyond)}"
    old = {name for name, version in fresh.versions().items() if reader.versions()[name] != version}
    assert not old, f"{where}: an old version of {sorted(old)}"
    assert len(expected) >= len(TEXTS) - 1


async def assert_feed_told(world: ApiWorld, reader: Reader, edited: set[str], where: str) -> None:
    """What was added and edited is known already before everything is enumerated."""
    fresh = Reader(world)
    await fresh.run()
    missing = set(fresh.state) - set(reader.state)
    assert not missing, f"{where}: the next run does not name {sorted(missing)}"
    for each in edited:
        now, known = fresh.state[each].version, reader.state[each].version
        assert now == known, f"{where}: the next run does not tell of the edit of {each}"
