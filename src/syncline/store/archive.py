"""A backup's file: a ZIP archive with a stream for each table, and a manifest at its end.

::

    tables/<name>     what COPY … TO STDOUT (FORMAT binary) wrote
    secret-keys       the keys that stored secrets are encrypted with, where they were asked for
    manifest.json     what the rest must be: columns, rows, bytes and SHA-256 of each table

Both ways are streams: memory is bounded by one block, whatever the size of a table. A file that
is cut off has no directory, and each member has checksums, so damage is found by `verify`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, ValidationError

from syncline.core.errors import BadBackup
from syncline.store.embedded.locks import FileLock
from syncline.store.transfer import Table

__all__ = ["FORMAT", "Archive", "ArchiveWriter", "Manifest", "TablePart", "discard_unfinished"]

FORMAT = 1
"""Raised when an older Syncline could not read what a newer one writes."""

_MANIFEST = "manifest.json"
_KEYS = "secret-keys"
_UNFINISHED = ".syncline-part"
_BLOCK = 1 << 20
# Of 97 MB, the levels 1, 4 and 6 leave 29, 26 and 25 MB, in 1.2, 1.7 and 3.9 seconds.
_LEVEL = 4
_LONGEST_KEYS = 1 << 20


class TablePart(BaseModel):
    """One table of a backup."""

    model_config = ConfigDict(frozen=True)

    name: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str

    @property
    def table(self) -> Table:
        """The table that it goes into."""
        return Table(self.name, self.columns)


class Manifest(BaseModel):
    """What a backup says of itself. `made_at` is ISO 8601, in UTC."""

    model_config = ConfigDict(frozen=True)

    format: int
    revision: str
    """Of the schema."""
    syncline: str
    postgres: str
    made_at: str
    workspaces: int
    documents: int
    tables: tuple[TablePart, ...]
    sequences: Mapping[str, tuple[int, bool]]
    """The last number of each, and whether it has been given out."""
    keys: bool
    """Whether the keys of stored secrets are in it."""

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.tables)

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.tables)


class ArchiveWriter:
    """Writes a backup beside its place, and moves it there when it is complete and on the disk.

    A context manager: leaving it without `finish` leaves nothing behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=_UNFINISHED, dir=path.parent
        )
        self._new = Path(name)  # readable by its owner alone, as mkstemp makes it
        self._lock = FileLock(self._new)
        self._lock.try_acquire()
        self._file: IO[bytes] = os.fdopen(descriptor, "w+b")
        self._zip = zipfile.ZipFile(
            self._file, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=_LEVEL
        )

    def write_table(
        self, table: Table, blocks: Iterable[bytes], rows: Callable[[], int]
    ) -> TablePart:
        """Write one table's stream; `rows` tells, after the last block, how many there were."""
        digest, length = hashlib.sha256(), 0
        with self._zip.open(_member(table.name), "w", force_zip64=True) as member:
            for block in blocks:
                digest.update(block)
                length += len(block)
                member.write(block)
        return TablePart(
            name=table.name,
            columns=table.columns,
            rows=rows(),
            bytes=length,
            sha256=digest.hexdigest(),
        )

    def write_keys(self, keys: bytes) -> None:
        """Put the keys of stored secrets in."""
        self._zip.writestr(_KEYS, keys)

    @property
    def written(self) -> int:
        """How many bytes the file has so far."""
        return self._file.tell()

    def finish(self, manifest: Manifest, *, overwrite: bool) -> int:
        """Complete the file, and put it in its place. Its size.

        Raises `FileExistsError` where there is one by now that may not be overwritten.
        """
        self._zip.writestr(_MANIFEST, manifest.model_dump_json(indent=1))
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._file.close()
        if not overwrite:
            self._claim()
        if os.name == "nt":  # where nothing that is open can be moved
            self._lock.close()
        self._new.replace(self._path)
        _sync_folder(self._path.parent)
        return size

    def _claim(self) -> None:
        """Fail where there is a file of this name, and let nobody else make one."""
        os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._file.closed:  # not finished
            with suppress(OSError, ValueError):
                self._zip.close()
            self._file.close()
        self._new.unlink(missing_ok=True)
        self._lock.close()


def discard_unfinished(folder: Path) -> None:
    """Remove what backups that were killed have left in this folder."""
    for path in folder.glob(f".*{_UNFINISHED}"):
        lock = FileLock(path)
        if lock.try_acquire():
            path.unlink(missing_ok=True)
            lock.close()


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _member(table: str) -> str:
    return f"tables/{table}"


class Archive(Struct, frozen=True):
    """A backup that is there. Nothing of it is trusted before `verify`."""

    path: Path

    def manifest(self) -> Manifest:
        """What it says of itself. Raises `BadBackup`, also for a format that is newer than ours."""
        with self._opened() as archive:
            text = archive.read(_MANIFEST)
            found = json.loads(text)
            if isinstance(found, dict) and isinstance(found.get("format"), int):
                self._check_format(found["format"])
            return Manifest.model_validate(found)

    def _check_format(self, found: int) -> None:
        if found > FORMAT:
            raise BadBackup(
                f"{self.path} was made by a newer Syncline (format {found}; this one reads"
                f" up to {FORMAT}).",
                hint="Upgrade Syncline on this machine, then restore it.",
            )

    def verify(self, manifest: Manifest, *, read: Callable[[int], object]) -> None:
        """Read all of it, and compare it with its manifest; `read` is told how many bytes were.

        Raises `BadBackup`.
        """
        with self._opened() as archive:
            wanted = {_MANIFEST, *(_member(part.name) for part in manifest.tables)}
            wanted |= {_KEYS} if manifest.keys else set()
            if set(archive.namelist()) != wanted or len(archive.namelist()) != len(wanted):
                raise ValueError("its members are not those of its manifest")
            for part in manifest.tables:
                digest, length = hashlib.sha256(), 0
                with archive.open(_member(part.name)) as member:
                    while block := member.read(_BLOCK):
                        digest.update(block)
                        length += len(block)
                        read(len(block))
                if (digest.hexdigest(), length) != (part.sha256, part.bytes):
                    raise ValueError(f"the table {part.name} is not what was written")

    def blocks(self, part: TablePart) -> Iterator[bytes]:
        """One table's stream, in blocks. Raises `BadBackup`."""
        with self._opened() as archive, archive.open(_member(part.name)) as member:
            while block := member.read(_BLOCK):
                yield block

    def keys(self) -> bytes:
        """The keys that are in it. Raises `BadBackup`."""
        with self._opened() as archive, archive.open(_KEYS) as member:
            return member.read(_LONGEST_KEYS)

    @contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except _DAMAGE as error:
            raise self._damaged(error) from error
        except OSError as error:
            if error.errno != errno.EINVAL:  # which a place before the file's beginning is
                raise
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> BadBackup:
        lines = str(error).strip().splitlines()
        why = lines[0] if lines else type(error).__name__
        return BadBackup(
            f"{self.path} is not a backup, or it is damaged or cut off: {why}",
            hint="Nothing has been changed. Use another backup, or fetch this file again.",
        )


_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, LookupError, ValueError, ValidationError),
    RuntimeError,  # a flipped bit says that a member is encrypted, or compressed unheard of
    OverflowError,
)
