"""A backup's file: it is complete or not there, and damage never passes for a backup."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncline.core.errors import BadBackup
from syncline.store.archive import (
    FORMAT,
    Archive,
    ArchiveWriter,
    Manifest,
    TablePart,
    discard_unfinished,
)
from syncline.store.transfer import Table

_STREAMS = {"chunks": [b"some" * 500, b"text" * 700], "runs": [b"\0" * 90], "nothing": [b""]}


def _manifest(parts: list[TablePart], **others: object) -> Manifest:
    given = {
        "format": FORMAT,
        "revision": "0001",
        "syncline": "1",
        "postgres": "18",
        "made_at": "2026-01-01T00:00:00+00:00",
        "workspaces": 1,
        "documents": 2,
        "tables": tuple(parts),
        "sequences": {"content_ids": (7, True)},
        "keys": False,
    }
    return Manifest.model_validate(given | others)


def _write(path: Path, *, overwrite: bool = False, **others: object) -> Manifest:
    with ArchiveWriter(path) as writer:
        parts = [
            writer.write_table(Table(name, ("a", "b")), iter(blocks), lambda: 3)
            for name, blocks in _STREAMS.items()
        ]
        if others.get("keys"):
            writer.write_keys(b"secret")
        manifest = _manifest(parts, **others)
        writer.finish(manifest, overwrite=overwrite)
    return manifest


def _check(path: Path) -> Manifest:
    archive = Archive(path)
    manifest = archive.manifest()
    archive.verify(manifest, read=lambda length: None)
    return manifest


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Tables, numbers and keys; and only its owner may read the file."""
    path = tmp_path / "a.backup"
    manifest = _write(path, keys=True)
    assert _check(path) == manifest
    archive = Archive(path)
    for part in manifest.tables:
        data = b"".join(_STREAMS[part.name])
        assert b"".join(archive.blocks(part)) == data
        assert (part.bytes, part.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert archive.keys() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    """Also one that appeared while the backup was written."""
    path = tmp_path / "a.backup"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        _write(path)
    assert path.read_text() == "mine"
    _write(path, overwrite=True)
    assert _check(path)
    assert list(tmp_path.iterdir()) == [path]


def test_one_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """Nothing half-written, under no name."""
    path = tmp_path / "a.backup"
    path.write_text("the last good one")

    def breaks() -> Iterator[bytes]:
        yield b"some"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError), ArchiveWriter(path) as writer:
        writer.write_table(Table("chunks", ("a",)), breaks(), lambda: 0)
    assert path.read_text() == "the last good one"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_backup_left_is_removed_and_one_under_way_is_not(tmp_path: Path) -> None:
    """The next backup in the folder does so."""
    left = tmp_path / ".a.backup.x.syncline-part"
    left.write_text("half")
    with ArchiveWriter(tmp_path / "b.backup") as writer:
        discard_unfinished(tmp_path)
        assert not left.exists()
        writer.finish(_manifest([]), overwrite=False)
    assert _check(tmp_path / "b.backup").tables == ()


@pytest.mark.parametrize("text", [b"", b"PK", b"just text\n" * 900])
def test_other_files_are_no_backups(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(text)
    with pytest.raises(BadBackup, match="not a backup"):
        _check(path)


def test_another_archive_is_no_backup(tmp_path: Path) -> None:
    """Nor is one with members that nobody vouches for."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "hello")
    with pytest.raises(BadBackup):
        _check(path)
    _write(path, overwrite=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more", "hello")
    with pytest.raises(BadBackup, match="members"):
        _check(path)


def test_a_newer_format_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "a.backup"
    _write(path, format=FORMAT + 1)
    with pytest.raises(BadBackup, match="newer Syncline") as caught:
        _check(path)
    assert "Upgrade" in (caught.value.hint or "")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, Manifest]:
    path = tmp_path_factory.mktemp("archive") / "a.backup"
    manifest = _write(path)
    return path, path.read_bytes(), manifest


def test_one_that_is_cut_off_is_refused_wherever_it_ends(
    good: tuple[Path, bytes, Manifest],
) -> None:
    path, data, _ = good
    cut = path.with_name("cut")
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        with pytest.raises(BadBackup):
            _check(cut)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_changed_byte_is_noticed_or_changes_nothing(
    good: tuple[Path, bytes, Manifest], data: st.DataObject
) -> None:
    """Some bytes of a ZIP archive say nothing, such as times; all others are vouched for."""
    path, content, manifest = good
    place = data.draw(st.integers(0, len(content) - 1))
    bits = data.draw(st.integers(1, 255))
    changed = bytearray(content)
    changed[place] ^= bits
    bad = path.with_name("changed")
    bad.write_bytes(changed)
    try:
        found = _check(bad)
    except BadBackup:
        return
    assert found == manifest
    archive = Archive(bad)
    for part in manifest.tables:
        assert b"".join(archive.blocks(part)) == b"".join(_STREAMS[part.name])
