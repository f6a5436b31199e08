"""Walks a folder in a fixed order and says what is there, a batch at a time.

It blocks, so the connector runs it in a thread. Memory is bounded by the largest single folder.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_from_bytes

from msgspec.structs import replace

from syncline.connectors.files.globs import Glob, first_match
from syncline.connectors.files.names import MAX_ID_BYTES, entry_id, path_of
from syncline.connectors.files.spec import FilesOptions
from syncline.core.errors import Forbidden, NotFound, SourceError, Transient
from syncline.core.model import Entry, Failed, Metadata
from syncline.security.paths import GuardedRoot, is_link

__all__ = ["BATCH", "MEGABYTE", "Found", "Walk", "metadata_of", "root_error", "version_of"]

BATCH = 512
"""Entries and folders between two hand-overs: some milliseconds of work."""
MEGABYTE = 1_000_000
_UNQUOTED = re.compile(r"[A-Za-z0-9_.~/-]*").fullmatch
_LINK = "a link: links are not followed"

Found = Entry | Failed


def version_of(status: os.stat_result) -> str:
    """Moves with every write that the file system notices, and when a file is replaced."""
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


def metadata_of(uri: str, status: os.stat_result) -> Metadata:
    """What the file system knows of a file."""
    return Metadata(url=uri, updated_at=_updated_at(status))


def root_error(path: Path, error: OSError) -> SourceError:
    """Why the connection's own folder or file cannot be read, and what to do."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotFound(
            f"{path} is not there",
            hint="If it is on a disk or share that is not connected, connect it; "
            "if it was moved, change the connection's path.",
        )
    if isinstance(error, PermissionError):
        return Forbidden(
            f"{path} cannot be read: permission denied",
            hint="Let the user that Syncline runs as read it (and enter the folders above it).",
        )
    return Transient(f"{path} cannot be read: {error.strerror or error}")


class Walk:
    """Lists what a connection's options name."""

    def __init__(self, options: FilesOptions) -> None:
        self._options = options
        self._include = tuple(map(Glob.compile, options.include))
        self._exclude = tuple(map(Glob.compile, options.exclude))
        self._uri = options.path.as_uri()
        self._prefix = f"{self._uri.rstrip('/')}/"

    def batches(self) -> Iterator[list[Found]]:
        """Everything in the folder, each folder's names sorted, its files before its folders.

        Raises a `SourceError` if the folder itself cannot be read, or was another one at the
        end than at the beginning: then what was not listed may well exist.
        """
        path = self._options.path
        try:
            if not path.is_dir():
                status = path.lstat()
                only = self._file(path.name, (path.name,), status)
                yield [replace(only, metadata=metadata_of(self._uri, status))]
                return
            with GuardedRoot(path) as root:
                yield from self._walk(root)
                if not root.is_still_there():
                    raise Transient(f"{path} was replaced while it was being listed")
        except OSError as error:
            raise root_error(path, error) from error

    def _walk(self, root: GuardedRoot) -> Iterator[list[Found]]:
        batch: list[Found] = []
        work = 0
        pending: list[tuple[str, ...]] = [()]
        while pending:
            folder = pending.pop()
            below: list[str] = []
            for found in self._folder(root, folder, below):
                batch.append(found)
                work += 1
                if work >= BATCH:
                    yield batch
                    batch, work = [], 0
            pending.extend((*folder, name) for name in reversed(below))
            work += 1
        yield batch

    def _folder(
        self, root: GuardedRoot, parts: tuple[str, ...], below: list[str]
    ) -> Iterator[Found]:
        """One folder's entries; appends the names of the folders beneath it to `below`."""
        prefix = "".join(f"{part}/" for part in parts)
        try:
            with root.scan(parts) as scan:
                shown = (child for child in scan if self._options.hidden or child.name[0] != ".")
                for child in sorted(shown, key=_name):
                    found = self._child(child, parts, prefix, below)
                    if found is not None:
                        yield found
        except (OSError, Forbidden) as error:
            if not parts:
                raise
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                yield self._unreadable(parts, error)

    def _child(
        self, child: os.DirEntry[str], parts: tuple[str, ...], prefix: str, below: list[str]
    ) -> Found | None:
        name = prefix + child.name
        try:
            status = _status(child)
        except FileNotFoundError:
            return None
        except OSError as error:
            identifier = entry_id(name)
            return Failed(
                Forbidden.code if isinstance(error, PermissionError) else Transient.code,
                f"{identifier}: {error.strerror or error}",
                identifier,
                {"path": identifier},
            )
        if stat.S_ISREG(status.st_mode) or not stat.S_ISDIR(status.st_mode) or is_link(status):
            return self._file(name, (*parts, child.name), status)
        excluded = first_match(self._exclude, (*parts, child.name), folder=True)
        if excluded is None:
            below.append(child.name)
            return None
        reason = f"excluded by {excluded.pattern!r}, with all that lies beneath"
        return self._entry(f"{name}/", status, reason)

    def _file(self, name: str, parts: tuple[str, ...], status: os.stat_result) -> Entry:
        """The entry of what is no folder, with the reason if it is left out."""
        return self._entry(name, status, self._why_not(parts, status))

    def _why_not(self, parts: tuple[str, ...], status: os.stat_result) -> str | None:
        if not stat.S_ISREG(status.st_mode):
            return _LINK if is_link(status) else "not a regular file"
        if not parts[-1].lower().endswith(self._options.extensions):
            return "not one of the extensions that are read"
        if self._include and first_match(self._include, parts) is None:
            return "not among what is included"
        if self._exclude and (glob := first_match(self._exclude, parts)) is not None:
            return f"excluded by {glob.pattern!r}"
        if status.st_size > self._options.max_mb * MEGABYTE:
            megabytes = status.st_size / MEGABYTE
            return f"{megabytes:,.0f} MB, more than max_mb = {self._options.max_mb}"
        return None

    def _entry(self, name: str, status: os.stat_result, reason: str | None) -> Entry:
        identifier = entry_id(name)
        if len(identifier) * 4 > MAX_ID_BYTES and path_of(identifier) != name:
            reason = f"its path is longer than {MAX_ID_BYTES} bytes"
        return Entry(
            identifier,
            version_of(status),
            {"path": identifier},
            metadata=metadata_of(self._uri_beneath(name), status),
            size=status.st_size,
            filtered=reason,
        )

    def uri(self, parts: tuple[str, ...]) -> str:
        """The file:// URL of what lies at `parts`."""
        if not self._options.path.is_dir():
            return self._uri
        return self._uri_beneath("/".join(parts))

    def _uri_beneath(self, name: str) -> str:
        quoted = name if _UNQUOTED(name) else quote_from_bytes(os.fsencode(name))
        return f"{self._prefix}{quoted}"

    def _unreadable(self, parts: tuple[str, ...], error: Exception) -> Failed:
        path = self._options.path.joinpath(*parts)
        reason = getattr(error, "strerror", None) or str(error)
        code = Forbidden.code if isinstance(error, PermissionError) else Transient.code
        shown = entry_id(str(path))
        return Failed(code, f"The folder {shown} cannot be listed: {reason}")


def _name(child: os.DirEntry[str]) -> str:
    return child.name


def _status(child: os.DirEntry[str]) -> os.stat_result:
    """Windows' listing knows no inode; there the file itself is asked."""
    return os.lstat(child.path) if os.name == "nt" else child.stat(follow_symlinks=False)


def _updated_at(status: os.stat_result) -> datetime | None:
    try:
        return datetime.fromtimestamp(status.st_mtime, UTC)
    except (OverflowError, ValueError, OSError):
        return None
