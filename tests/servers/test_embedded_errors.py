"""What the bundled server says when it cannot start: what is wrong, and what to do."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncline.core.errors import DatabaseUnavailable
from syncline.settings import Settings
from syncline.store.embedded import EmbeddedServer, lifecycle
from syncline.store.embedded.failures import failure
from syncline.store.embedded.folder import DataFolder
from syncline.store.embedded.locks import FileLock
from tests.servers.conftest import Version
from tests.support.data_folders import make_data_folder, remove_data_folder, settings_for

pytestmark = pytest.mark.server("postgresql")

_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


async def _refused(settings: Settings, *, wait_seconds: float = 30) -> tuple[str, str]:
    """The message and the hint of the error that starting it raises."""
    server = EmbeddedServer(settings, wait_seconds=wait_seconds)
    with pytest.raises(DatabaseUnavailable) as caught:
        await server.acquire()
    assert server.users() == []
    return caught.value.message, str(caught.value.hint)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty data folder."""
    made = make_data_folder()
    yield made
    remove_data_folder(made)


async def test_a_data_folder_that_is_a_file(folder: Path) -> None:
    """Both for the folder itself and for one above it."""
    file = folder / "file"
    file.touch()
    for path in (file, file / "data"):
        message, hint = await _refused(settings_for(path))
        assert "is not a folder" in message
        assert "SYNCLINE_DATA_DIR" in hint


async def test_a_data_folder_that_may_not_be_written_to(folder: Path) -> None:
    """As root there is no such folder but on a file system that refuses."""
    if os.geteuid() == 0:
        place = Path("/proc/syncline")
    else:
        place = folder / "data"
        folder.chmod(0o500)
    message, hint = await _refused(settings_for(place))
    assert str(place) in message
    assert "SYNCLINE_DATA_DIR=" in hint


@_as_root
async def test_a_data_folder_of_somebody_elses(folder: Path) -> None:
    """Whose it is, and who we are."""
    os.chown(folder, 1, 1)
    message, hint = await _refused(settings_for(folder))
    assert "belongs to daemon, and this is root" in message
    assert "SYNCLINE_DATA_DIR" in hint
    os.chown(folder, 0, 0)


@_as_root
async def test_a_cluster_of_another_database_user(settings: Settings) -> None:
    """The setting was changed, or two people share a folder."""
    changed = settings.model_copy(update={"database_user": "daemon"})
    message, hint = await _refused(changed)
    assert "belongs to nobody" in message
    assert "SYNCLINE_DB_USER=nobody" in hint
    assert "chown -R daemon" in hint


@_as_root
@pytest.mark.parametrize("user", ["root", "no-such-user"])
async def test_a_database_user_that_will_not_do(folder: Path, user: str) -> None:
    """The server never runs as root."""
    message, hint = await _refused(settings_for(folder, database_user=user))
    assert user in message
    assert "SYNCLINE_DB_USER=nobody" in hint


@_as_root
async def test_a_data_folder_that_the_servers_user_cannot_reach(
    folder: Path, version: Version
) -> None:
    """The closed folder is named, and stays closed."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    message, hint = await _refused(settings_for(closed / "data", version))
    assert f"cannot enter {closed}," in message
    assert "SYNCLINE_DATA_DIR=" in hint
    assert "SYNCLINE_DB_USER" in hint
    assert closed.stat().st_mode & 0o777 == 0o700


@_as_root
async def test_an_empty_data_folder_of_our_own_is_made_passable(folder: Path) -> None:
    """One made by mktemp -d will do: it is Syncline's, and is made passable, not readable."""
    folder.chmod(0o700)
    async with EmbeddedServer(settings_for(folder)):
        assert folder.stat().st_mode & 0o777 == 0o711


@pytest.fixture
def tiny_disk(folder: Path) -> Iterator[Path]:
    """A data folder on a file system of 20 MB."""
    place = folder / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m,mode=0711", "tmpfs", place], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


async def test_a_full_disk(tiny_disk: Path, version: Version) -> None:
    """Nothing half-made is left to fill it further."""
    message, hint = await _refused(settings_for(tiny_disk, version))
    assert "free disk space" in message or "No space left" in message
    assert "disk is full" in hint
    assert not list(tiny_disk.glob("postgres*"))


@pytest.mark.parametrize("damage", ["control file", "write-ahead log", "commit log"])
async def test_damaged_files(settings: Settings, damage: str) -> None:
    """The last lines of the log are shown, and how to get out of it."""
    cluster = settings.data_dir / "postgres"
    if damage == "control file":
        (cluster / "global" / "pg_control").write_bytes(b"\0" * 8192)
    elif damage == "write-ahead log":
        for path in (cluster / "pg_wal").glob("0*"):
            path.write_bytes(b"\0" * 8192)
    else:
        (cluster / "pg_xact" / "0000").unlink()
    message, hint = await _refused(settings)
    assert "FATAL" in message or "PANIC" in message
    assert "log/postgres.log" in message
    assert "syncline db restore" in hint


@pytest.mark.parametrize("other", ["15", "19"])
async def test_a_cluster_of_a_version_that_is_not_in_the_wheel(
    settings: Settings, other: str
) -> None:
    """Older or newer: it is left alone."""
    (settings.data_dir / "postgres" / "PG_VERSION").write_text(f"{other}\n")
    message, hint = await _refused(settings)
    assert f"PostgreSQL {other}" in message
    assert "16 and 18" in message
    assert "syncline db backup" in hint


async def test_a_cluster_folder_with_something_else_in_it(folder: Path) -> None:
    """What we did not make is not ours to replace."""
    (folder / "postgres").mkdir(mode=0o700)
    (folder / "postgres" / "thesis.txt").touch()
    if os.geteuid() == 0:
        os.chown(folder / "postgres", 65_534, 65_534)
    message, hint = await _refused(settings_for(folder))
    assert "holds no database" in message
    assert "Move" in hint
    assert (folder / "postgres" / "thesis.txt").exists()


async def test_a_start_that_takes_too_long(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log is named; what was started is stopped."""
    with monkeypatch.context() as patch:
        patch.setattr(
            lifecycle,
            "observe",
            lambda folder: lifecycle.Observed(lifecycle.State.CHANGING, None, None),
        )
        message, hint = await _refused(settings, wait_seconds=0.05)
    assert "did not start in time" in message
    assert "log/postgres.log" in hint


async def test_somebody_who_holds_the_lock_for_too_long(settings: Settings) -> None:
    """The process is named."""
    (settings.data_dir / "locks").mkdir(exist_ok=True)
    lock = FileLock(DataFolder.at(settings.data_dir).start_lock)
    assert lock.try_acquire()
    lock.write_holder()
    message, hint = await _refused(settings, wait_seconds=0.05)
    assert f"Process {os.getpid()} " in message
    assert "Wait for it or end it" in hint
    lock.close()


async def test_without_the_wheel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How to get it, or do without."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message, hint = await _refused(settings_for(folder))
    assert "is not installed" in message
    assert "pip install" in hint
    assert "DATABASE_URL" in hint


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("FATAL:  could not map anonymous shared memory: Cannot allocate memory", "--memory"),
        ('could not resize shared memory segment "/P": No space left on device', "--shm-size"),
        ("PANIC:  could not write to file: No space left on device", "disk is full"),
        ("could not create directory: Read-only file system", "read-only"),
        ("FATAL:  database files are incompatible with server", "syncline db restore"),
        ("PANIC:  could not locate a valid checkpoint record", "syncline db restore"),
        ("error while loading shared libraries: libz.so.1", "DATABASE_URL"),
        ("Data page checksums are enabled.\nsomething new", "See /data/log"),
        ("something never heard of", "See /data/log"),
    ],
)
def test_each_cause_has_its_advice(said: str, advice: str) -> None:
    """The server's words are shown, and what they call for."""
    error = failure("It failed", said, log=Path("/data/log"), data=Path("/data"))
    assert said.splitlines()[-1] in error.message
    assert advice in str(error.hint)


async def test_one_failure_does_not_spoil_the_next_start(settings: Settings) -> None:
    """Once the cause is gone, the same object starts it."""
    server = EmbeddedServer(settings)
    own = settings.data_dir / "postgresql.local.conf"
    own.write_text("nonsense = 1\n")
    own.chmod(0o644)
    with pytest.raises(DatabaseUnavailable):
        await server.acquire()
    await asyncio.to_thread(own.unlink)
    async with server:
        assert server.info().running
