"""Lists and reads files of this machine."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

from syncline.connectors.files.names import path_of
from syncline.connectors.files.spec import FilesOptions
from syncline.connectors.files.walk import (
    MEGABYTE,
    Found,
    Walk,
    metadata_of,
    root_error,
    version_of,
)
from syncline.core.errors import BadContent, Forbidden, Rejected, Transient
from syncline.core.media import media_type_of
from syncline.core.model import (
    Change,
    Content,
    Cursor,
    Entry,
    Failed,
    Fetched,
    Gone,
    Identity,
    Locator,
    Partition,
    Validators,
)
from syncline.core.ports import Context
from syncline.security.paths import GuardedRoot, open_file, split_name

__all__ = ["FilesConnector"]

_PIECE = 1 << 20
_TICK_NS = 20_000_000
"""Two writes within one tick of a file system's clock may leave the same time behind."""


class FilesConnector:
    """One folder, or one file, of this machine."""

    def __init__(self, options: FilesOptions, context: Context) -> None:
        self._options = options
        self._clock = context.clock
        self._walk = Walk(options)

    async def check(self) -> Identity:
        return await asyncio.to_thread(self._check)

    async def partitions(self) -> Sequence[Partition]:
        return (Partition("files", self._options.path.name),)

    async def changes(self, partition: Partition, cursor: Cursor | None) -> AsyncIterator[Change]:
        async for found in self.enumerate(partition):
            yield found

    async def enumerate(self, partition: Partition) -> AsyncIterator[Entry | Failed]:
        steps = _Steps(self._walk.batches())
        try:
            while (batch := await asyncio.to_thread(steps.advance)) is not None:
                for found in batch:
                    yield found
        finally:
            steps.stop()

    async def fetch(self, locator: Locator, validators: Validators | None) -> Fetched:
        return await asyncio.to_thread(self._fetch, str(locator["path"]))

    def _check(self) -> Identity:
        path = self._options.path
        try:
            if path.is_dir():
                with GuardedRoot(path) as root, root.scan(()) as children:
                    next(children, None)
                return Identity(str(path), {"is": "folder"})
            if not stat.S_ISREG(path.stat().st_mode):
                raise Rejected(f"{path} is neither a folder nor a file", hint="Name a folder.")
            os.close(open_file(path))
        except OSError as error:
            raise root_error(path, error) from error
        return Identity(str(path), {"is": "file"})

    def _fetch(self, identifier: str) -> Fetched:
        parts = split_name(path_of(identifier))
        for _ in range(2):
            try:
                with self._opened(parts) as descriptor:
                    if descriptor is None:
                        return Gone(identifier, "the file is not there any more")
                    fetched = self._read(descriptor, identifier, parts)
            except PermissionError as error:
                raise Forbidden(
                    f"{identifier} cannot be read: permission denied",
                    hint="Let the user that Syncline runs as read it.",
                ) from error
            except OSError as error:
                raise Transient(f"{identifier} cannot be read: {error.strerror}") from error
            if fetched is not None:
                return fetched
        raise Transient(f"{identifier} changes while it is being read")

    @contextmanager
    def _opened(self, parts: tuple[str, ...]) -> Iterator[int | None]:
        """A descriptor of the file at `parts`; None if it is gone, but the root is there."""
        path = self._options.path
        descriptor: int | None
        try:
            if stat.S_ISDIR(path.stat().st_mode):
                with GuardedRoot(path) as root:
                    descriptor = _unless_gone(root, parts)
            else:
                descriptor = open_file(path) if parts == (path.name,) else None
        except FileNotFoundError as error:
            raise Transient(str(root_error(path, error)), hint="Is its disk connected?") from error
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _read(self, descriptor: int, identifier: str, parts: tuple[str, ...]) -> Fetched | None:
        """The file's content, or None if it changed in the meantime."""
        now_ns = int(self._clock.now().timestamp() * 1e9)
        before = os.fstat(descriptor)
        if stat.S_ISDIR(before.st_mode):
            return Gone(identifier, "a folder stands in its place")
        if not stat.S_ISREG(before.st_mode):
            raise BadContent(f"{identifier} is not a regular file")
        if before.st_size > self._options.max_mb * MEGABYTE:
            raise BadContent(
                f"{identifier} is larger than {self._options.max_mb} MB",
                hint="Raise the option max_mb.",
            )
        data = _read_up_to(descriptor, before.st_size + 1)
        if len(data) != before.st_size or version_of(os.fstat(descriptor)) != version_of(before):
            return None
        version = version_of(before)
        if 0 <= now_ns - before.st_mtime_ns < _TICK_NS:
            version += "-fresh"  # another write could still leave this version; so ask once more
        return Content(
            data,
            media_type_of(parts[-1]) or "text/plain",
            metadata=metadata_of(self._walk.uri(parts), before),
            version=version,
        )


class _Steps:
    """A blocking iterator that threads advance and that may be stopped at any moment."""

    def __init__(self, batches: Iterator[list[Found]]) -> None:
        self._batches: Iterator[list[Found]] | None = batches
        self._lock = threading.Lock()

    def advance(self) -> list[Found] | None:
        """The next batch; None when there is none, or none is wanted any more."""
        with self._lock:
            return None if self._batches is None else next(self._batches, None)

    def stop(self) -> None:
        """Let go of it: now, or when the thread that is at work with it has ended its step."""
        self._batches = None


def _unless_gone(root: GuardedRoot, parts: Sequence[str]) -> int | None:
    try:
        return root.open(parts)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _read_up_to(descriptor: int, limit: int) -> bytes:
    pieces = []
    while limit > 0:
        piece = os.read(descriptor, min(limit, _PIECE))
        if not piece:
            break
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)
