"""What happens when a folder cannot be read, or changes under our feet."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncline.connectors.files.walk import BATCH, Walk
from syncline.core.errors import Forbidden, NotFound, Rejected, SourceError, Transient
from syncline.core.model import Entry, Failed
from tests.unit.connectors.files.looking import PARTITION, Connect, as_nobody, listed, live


async def test_an_unreadable_folder_makes_the_listing_incomplete_and_no_more(
    tmp_path: Path, connect: Connect
) -> None:
    """Its siblings are listed; a `Failed` without an id keeps anything from being deleted."""
    for name in ("a", "closed", "z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.md").touch()
    (tmp_path / "closed").chmod(0)
    with as_nobody(tmp_path):
        found = await listed(connect())
    (tmp_path / "closed").chmod(0o755)
    failed = [each for each in found.values() if isinstance(each, Failed)]
    assert [(each.code, each.id) for each in failed] == [("forbidden", None)]
    assert str(tmp_path / "closed") in failed[0].message
    assert {"a/x.md", "z/x.md"} <= set(found)


async def test_an_unreadable_file_fails_alone(tmp_path: Path, connect: Connect) -> None:
    """It is listed, and reading it says what to do."""
    (tmp_path / "closed.md").touch(mode=0)
    with as_nobody(tmp_path):
        assert await live(connect()) == ["closed.md"]
        with pytest.raises(Forbidden, match=r"closed\.md") as caught:
            await connect().fetch({"path": "closed.md"}, None)
    assert caught.value.hint


@pytest.mark.parametrize("broken", ["missing", "unreadable", "special"])
async def test_a_root_that_cannot_be_read_says_what_to_do(
    tmp_path: Path, connect: Connect, broken: str
) -> None:
    """Missing, forbidden or no folder at all; the message names the path."""
    root = tmp_path / "root"
    expected: type[SourceError] = NotFound
    if broken == "unreadable":
        root.mkdir(mode=0)
        expected = Forbidden
    elif broken == "special":
        os.mkfifo(root)
        expected = Rejected
    connector = connect(root)
    with as_nobody(tmp_path):
        with pytest.raises(expected, match=str(root)) as caught:
            await connector.check()
        assert caught.value.hint
        if broken != "special":
            with pytest.raises(expected, match=str(root)) as caught:
                await listed(connector)
            assert caught.value.hint


async def test_a_root_replaced_while_it_is_listed_is_no_proof_of_absence(
    tmp_path: Path, connect: Connect
) -> None:
    """A disk that is unplugged in mid-listing must not look like an emptied folder."""
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    for number in range(BATCH + 1):
        (root / f"{number}.md").touch()
    listing = connect(root).enumerate(PARTITION)
    await anext(listing)
    root.rename(tmp_path / "unplugged")
    root.mkdir()
    with pytest.raises(Transient, match="replaced"):
        [each async for each in listing]


async def test_a_folder_that_vanishes_while_walking_is_fine(
    tmp_path: Path, connect: Connect
) -> None:
    """It is gone, and so is what lay in it."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    for number in range(BATCH + 1):
        (tmp_path / "a" / f"{number}.md").touch()
    listing = connect().enumerate(PARTITION)
    await anext(listing)
    (tmp_path / "b").rmdir()
    assert len([each async for each in listing]) == BATCH


async def test_a_folder_swapped_for_a_link_is_not_followed(
    tmp_path: Path, connect: Connect
) -> None:
    """Neither while listing nor while reading; the listing counts as incomplete."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.md").touch()
    root = tmp_path / "root"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
    for number in range(BATCH + 1):
        (root / "a" / f"{number}.md").touch()
    listing = connect(root).enumerate(PARTITION)
    await anext(listing)
    (root / "b").rmdir()
    (root / "b").symlink_to(outside)
    rest = [each async for each in listing]
    assert any(isinstance(each, Failed) and each.id is None for each in rest)
    assert "b/secret.md" not in [each.id for each in rest]
    with pytest.raises(Forbidden, match="link"):
        await connect(root).fetch({"path": "b/secret.md"}, None)


async def test_a_listing_that_is_cancelled_in_its_step_ends_quietly(
    tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread finishes its step, then lets go of the folder; nothing is left open."""
    (tmp_path / "a.md").touch()
    begun, go_on, ended = asyncio.Event(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    real = Walk._folder

    def slow(self: Walk, *arguments: Any) -> Iterator[Entry | Failed]:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait()
        yield from real(self, *arguments)
        loop.call_soon_threadsafe(ended.set)

    before = sum(1 for _ in Path("/dev/fd").iterdir())
    monkeypatch.setattr(Walk, "_folder", slow)
    listing = connect().enumerate(PARTITION)
    step = asyncio.ensure_future(anext(listing))
    await begun.wait()
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    go_on.set()
    await ended.wait()
    await loop.shutdown_default_executor()
    assert sum(1 for _ in Path("/dev/fd").iterdir()) == before
