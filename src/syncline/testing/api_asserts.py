"""What checks of APIs assert of a reader: that it knows what an undisturbed one would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from syncline.core.errors import SourceError
from syncline.testing.api_reader import Reader
from syncline.testing.api_world import ApiWorld
from syncline.testing.world import TEXTS

__all__ = ["assert_as_is", "assert_feed_told", "fails"]


async def assert_as_is(world: ApiWorld, reader: Reader, where: str, *, settle: bool = True) -> None:
    """The reader knows exactly what an undisturbed one would, texts and access lists as well."""
    fresh = Reader(world, reads=reader.reads)
    if settle:
        await world.settle()
    await fresh.run()
    texts = await world.expected_texts()
    expected = set(texts)
    assert set(fresh.state) == expected, (
        f"{where}, a fresh run differs from what is there by {set(fresh.state) ^ expected}"
    )
    lacks, beyond = set(fresh.state) - set(reader.state), set(reader.state) - set(fresh.state)
    assert not lacks, f"{where}: missing {sorted(lacks)}"
    assert not beyond, f"{where}: still there {sorted(beyond)}"
    old = {name for name, version in fresh.versions().items() if reader.versions()[name] != version}
    assert not old, f"{where}: an old version of {sorted(old)}"
    if reader.reads:
        _assert_read(reader, fresh, texts, where)
    assert len(expected) >= len(TEXTS) - 1


def _assert_read(reader: Reader, fresh: Reader, texts: Mapping[str, str], where: str) -> None:
    unread = set(texts) - set(reader.contents)
    assert not unread, f"{where}: nobody has read {sorted(unread)}"
    for name, words in texts.items():
        now, known = fresh.contents[name], reader.contents[name]
        assert words.encode() in now.data, f"{where}, a fresh run reads {name} without {words!r}"
        assert words.encode() in known.data, f"{where}: an old text of {name}, without {words!r}"
        assert known.data == now.data, f"{where}: another text of {name} than a fresh run reads"
        assert known.principals == now.principals, f"{where}: an old access list of {name}"


async def assert_feed_told(world: ApiWorld, reader: Reader, edited: set[str], where: str) -> None:
    """What was added and edited is known already before everything is enumerated."""
    fresh = Reader(world, reads=False)
    await fresh.run()
    missing = set(fresh.state) - set(reader.state)
    assert not missing, f"{where}: the next run does not name {sorted(missing)}"
    for each in edited:
        now, known = fresh.state[each].version, reader.state[each].version
        assert now == known, f"{where}: the next run does not tell of the edit of {each}"


async def fails(attempt: Callable[[], Awaitable[None]]) -> bool:
    """Whether the source's error ends it."""
    try:
        await attempt()
    except SourceError:
        return True
    return False
