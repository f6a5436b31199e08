"""What reading a file gives, and what is never read."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncline.connectors.files import connector as connector_module
from syncline.core.errors import BadContent, Forbidden, Transient
from syncline.core.model import Content, Entry, Gone
from tests.unit.connectors.files.looking import Clock, Connect, listed


@pytest.mark.parametrize("path", ["../outside.md", "/etc/passwd", "a/../../outside.md", "%00", ""])
async def test_a_locator_cannot_lead_out(tmp_path: Path, connect: Connect, path: str) -> None:
    """Locators come from a database that others may write to."""
    (tmp_path / "outside.md").write_text("secret", "utf-8")
    (tmp_path / "root").mkdir()
    for variant in (path, path.replace(".", "%2E"), path.replace("/", "%2F")):
        with pytest.raises(Forbidden):
            await connect(tmp_path / "root").fetch({"path": variant}, None)


async def test_special_and_large_files_are_never_read(tmp_path: Path, connect: Connect) -> None:
    """A pipe would wait for ever; two gigabytes would fill the memory; a folder is no file."""
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "folder.md").mkdir()
    with (tmp_path / "huge.md").open("wb") as huge:
        huge.truncate(2_000_000_000)
    connector = connect()
    with pytest.raises(BadContent, match="regular"):
        await connector.fetch({"path": "pipe.md"}, None)
    with pytest.raises(BadContent, match="50 MB"):
        await connector.fetch({"path": "huge.md"}, None)
    for gone in ("folder.md", "none.md", "none/x.md", "huge.md/x"):
        assert await connector.fetch({"path": gone}, None) == Gone(
            gone,
            "a folder stands in its place"
            if gone == "folder.md"
            else "the file is not there any more",
        )


@pytest.mark.parametrize("times", [1, 2])
async def test_a_file_that_changes_while_it_is_read_is_read_again_once(
    tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Half of one state and half of the next is never returned."""
    path = tmp_path / "a.md"
    path.write_text("before", "utf-8")
    real = connector_module._read_up_to
    left = times

    def writing(descriptor: int, limit: int) -> bytes:
        nonlocal left
        data = real(descriptor, limit)
        if left:
            left -= 1
            path.write_text(f"after, {left} left", "utf-8")
        return data

    monkeypatch.setattr(connector_module, "_read_up_to", writing)
    if times == 2:
        with pytest.raises(Transient, match="changes"):
            await connect().fetch({"path": "a.md"}, None)
        return
    content = await connect().fetch({"path": "a.md"}, None)
    assert isinstance(content, Content)
    assert content.data == b"after, 0 left"


async def test_a_file_that_may_be_written_again_unnoticed_is_asked_for_once_more(
    tmp_path: Path, connect: Connect, clock: Clock
) -> None:
    """Read within a tick of its last write, it gets a version that the next listing has not."""
    path = tmp_path / "a.md"
    path.touch()
    os.utime(path, (1_000_000_000, 1_000_000_000))
    [entry] = (await listed(connect())).values()
    assert isinstance(entry, Entry)
    for at, fresh in ((1_000_000_000.01, True), (1_000_000_001, False), (999_999_999, False)):
        clock.time = datetime.fromtimestamp(at, UTC)
        content = await connect().fetch(entry.locator, None)
        assert isinstance(content, Content)
        assert (content.version != entry.version) is fresh


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.MD", "text/markdown"),
        ("a.htm", "text/html"),
        ("a.rst", "text/plain"),
        ("a.log", "text/plain"),
    ],
)
async def test_the_extension_tells_the_media_type(
    tmp_path: Path, connect: Connect, name: str, media_type: str
) -> None:
    """An extension that someone asks for without our knowing it is plain text."""
    (tmp_path / name).touch()
    connector = connect(extensions="md,htm,rst,.LOG")
    [entry] = (await listed(connector)).values()
    assert isinstance(entry, Entry)
    content = await connector.fetch(entry.locator, None)
    assert isinstance(content, Content)
    assert content.media_type == media_type
