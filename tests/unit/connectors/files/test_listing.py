"""What is listed of a folder, in which order, and why something is left out."""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncline.connectors.files.connector import FilesConnector
from syncline.connectors.files.spec import FilesOptions
from syncline.connectors.files.walk import BATCH, Walk
from syncline.core.errors import Transient
from syncline.core.model import Content, Entry, Gone
from tests.unit.connectors.files.looking import Connect, listed, live


async def test_a_folder_is_listed_files_first_in_the_order_of_names(
    tmp_path: Path, connect: Connect
) -> None:
    """Two runs can be compared line by line; every entry says what a filter may ask for."""
    for name in ("b/z.md", "b/a.txt", "a/x.html", "c.md", "B.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text", "utf-8")
    found = await listed(connect())
    assert list(found) == ["B.md", "c.md", "a/x.html", "b/a.txt", "b/z.md"]
    entry = found["b/z.md"]
    assert isinstance(entry, Entry)
    status = (tmp_path / "b/z.md").stat()
    assert entry.version == f"{status.st_mtime_ns}-4-{status.st_ino}"
    assert entry.size == 4
    assert entry.locator == {"path": "b/z.md"}
    assert entry.metadata.url == (tmp_path / "b/z.md").as_uri()
    assert entry.metadata.updated_at == datetime.fromtimestamp(status.st_mtime, UTC)
    assert entry.metadata.title is None


async def test_large_trees_are_handed_over_in_batches(tmp_path: Path, connect: Connect) -> None:
    """No batch is larger than it should be, and none of them loses an entry."""
    for number in range(BATCH + 40):
        folder = tmp_path / f"{number % 3}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.md").touch()
    batches = list(Walk(FilesOptions.model_validate({"path": tmp_path})).batches())
    assert max(map(len, batches)) <= BATCH
    assert len(batches) > 1
    assert len(await live(connect())) == BATCH + 40


async def test_every_file_that_is_left_out_says_why(tmp_path: Path, connect: Connect) -> None:
    """Extension, patterns, size, links and special files; nothing vanishes silently."""
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "d.md").touch()
    (tmp_path / "old").mkdir()
    for name in ("a.md", "picture.jpg", "LICENSE", "old/o.md", "note.txt"):
        (tmp_path / name).write_text("x", "utf-8")
    with (tmp_path / "huge.md").open("wb") as huge:
        huge.truncate(2_000_000_000)
    (tmp_path / "inside.md").symlink_to("a.md")
    (tmp_path / "outside").symlink_to("/etc")
    (tmp_path / "dangling.md").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.md")
    connector = connect(include="*.md,pipe*", exclude="drafts/,old/*.md")
    assert await live(connector) == ["a.md"]
    for name, reason in (
        ("picture.jpg", "extension"),
        ("LICENSE", "extension"),
        ("note.txt", "included"),
        ("drafts/", "excluded by 'drafts/', with all"),
        ("old/o.md", "excluded by 'old/*.md'"),
        ("huge.md", "2,000 MB, more than max_mb = 50"),
        ("inside.md", "a link"),
        ("outside", "a link"),
        ("dangling.md", "a link"),
        ("pipe.md", "not a regular file"),
    ):
        assert reason in await _reason(connector, name), name
    assert len(await listed(connector)) == 11
    with socket.socket(socket.AF_UNIX) as listener:
        place = Path.cwd()
        os.chdir(tmp_path)
        listener.bind("socket.md")
        os.chdir(place)
    assert await _reason(connector, "socket.md") == "not a regular file"


async def test_hidden_files_are_not_listed_unless_asked_for(
    tmp_path: Path, connect: Connect
) -> None:
    """Names that begin with a dot belong to tools, not to readers."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.md").touch()
    (tmp_path / ".hidden.md").touch()
    assert not await listed(connect())
    assert await live(connect(hidden="yes")) == [".hidden.md", ".git/x.md"]


@pytest.mark.parametrize(
    "name",
    [
        b"one%.md",
        b"100%25.md",
        b"-rf.md",
        b"new\nline.md",
        b"caf\xe9.md",
        b"\xff\xfe.md",
        "Ünï.md".encode(),
        b" .md",
        b"a\\b.md",
        b"x" * 252 + b".md",
        b"<script>.md",
        b"~.md",
    ],
)
async def test_hostile_names_are_listed_stored_and_read(
    tmp_path: Path, connect: Connect, name: bytes
) -> None:
    """Whatever the file system allows comes through, and leads back to its file."""
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))).write_bytes(name)
    [entry] = (await listed(connect())).values()
    assert isinstance(entry, Entry)
    assert entry.filtered is None
    entry.id.encode()
    assert entry.metadata.url is not None
    assert entry.metadata.url.isascii()
    content = await connect().fetch(entry.locator, None)
    assert isinstance(content, Content)
    assert content.data == name
    assert content.metadata == entry.metadata
    assert content.version == entry.version


async def test_a_path_too_long_for_an_id_is_left_out_with_its_reason(
    tmp_path: Path, connect: Connect
) -> None:
    """Deeper than a path may be, and longer than an id may be: still walked, and told."""
    depth, name = 20, os.fsdecode(b"\xff" * 200)
    current = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=current)
        below = os.open(name, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(os.open("a.md", os.O_CREAT | os.O_WRONLY, dir_fd=current))
    os.close(current)
    [entry] = (await listed(connect())).values()
    assert isinstance(entry, Entry)
    assert "longer than 8192 bytes" in (entry.filtered or "")
    assert len(entry.id.encode()) <= 8192


async def test_a_single_file_is_a_source(tmp_path: Path, connect: Connect) -> None:
    """Its id is its name; its neighbours are none of our business."""
    for name in ("only.md", "other.md"):
        (tmp_path / name).write_text(name, "utf-8")
    connector = connect(tmp_path / "only.md")
    assert (await connector.check()).detail == {"is": "file"}
    [entry] = (await listed(connector)).values()
    assert isinstance(entry, Entry)
    assert (entry.id, entry.metadata.url) == ("only.md", (tmp_path / "only.md").as_uri())
    content = await connector.fetch(entry.locator, None)
    assert isinstance(content, Content)
    assert content.data == b"only.md"
    assert content.metadata == entry.metadata
    assert isinstance(await connector.fetch({"path": "other.md"}, None), Gone)
    (tmp_path / "only.md").unlink()
    with pytest.raises(Transient):
        await connector.fetch(entry.locator, None)


async def _reason(connector: FilesConnector, name: str) -> str:
    found = (await listed(connector))[name]
    assert isinstance(found, Entry)
    return found.filtered or ""
