"""The path guard: opens what lies inside a root folder, and nothing else.

Names come from strangers (a listing, an archive, a stored locator), and the tree may change
between looking and opening. So a path is opened component by component, each relative to the
folder opened before it and never through a link; a folder that is swapped for a link in between
leads nowhere. Where the platform cannot do that, what was opened is compared with what was
checked.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from syncline.core.errors import Forbidden

__all__ = ["GuardedRoot", "is_link", "open_file", "split_name"]

_BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_ALWAYS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = _ALWAYS | getattr(os, "O_DIRECTORY", 0)
_BENEATH = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Without blocking: opening a FIFO must not wait for its writer."""


def split_name(name: str) -> tuple[str, ...]:
    """The components of a relative POSIX path that a stranger wrote.

    Raises `Forbidden` for whatever could lead out of the folder it is meant for, or is no
    path at all: an absolute path, `..`, an empty component, a NUL, a drive letter.
    """
    parts = tuple(name.split("/"))
    for part in parts:
        if part in {"", ".", ".."} or "\0" in part:
            raise Forbidden(f"{name!r} is not the path of something inside the folder")
        if os.name == "nt" and (set(part) & set('\\:*?"<>|') or part != part.rstrip(". ")):
            raise Forbidden(f"{name!r} is not a path that this system can hold")
    return parts


class GuardedRoot:
    """An open folder, beneath which things can be listed and opened, and only there.

    The folder itself may be reached through links: its path comes from its owner. Opening it
    raises `OSError` as `os.open` does. Use it as a context manager.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, _FOLDER) if _BY_DESCRIPTOR else None
        self._status = path.stat() if self._descriptor is None else os.fstat(self._descriptor)
        if not stat.S_ISDIR(self._status.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder. May be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_still_there(self) -> bool:
        """Whether the path still leads to the folder that was opened.

        Raises `OSError` if it leads nowhere.
        """
        return os.path.samestat(self._status, self.path.stat())

    def open(self, parts: Sequence[str]) -> int:
        """A read-only descriptor of what lies at `parts`; the caller closes it.

        Raises `Forbidden` where a link stands in the way, otherwise `OSError` as `os.open`
        does. It may be anything but a link: look at its `fstat` before reading.
        """
        if self._descriptor is None:
            return _open_and_compare(self.path, parts)
        return _open_beneath(self._descriptor, parts, _ALWAYS)

    @contextmanager
    def scan(self, parts: Sequence[str]) -> Iterator[Iterator[os.DirEntry[str]]]:
        """What the folder at `parts` holds, in no order. Use the entries inside the block.

        Raises as `open` does.
        """
        if self._descriptor is None:
            _refuse_links(self.path, parts)
            with os.scandir(self.path.joinpath(*parts)) as children:
                yield children
            return
        folder = _open_beneath(self._descriptor, parts, _FOLDER)
        try:
            with os.scandir(folder) as children:
                yield children
        finally:
            os.close(folder)


def open_file(path: Path) -> int:
    """A read-only descriptor of a file that its owner named, unless it is a link by now.

    Raises as `GuardedRoot.open` does.
    """
    if is_link(path.lstat()):
        raise Forbidden(f"{path} is a link; links are not followed")
    return os.open(path, _ALWAYS | _BENEATH)


def is_link(status: os.stat_result) -> bool:
    """Whether an `lstat` result is a symbolic link or, on Windows, a junction."""
    if stat.S_ISLNK(status.st_mode):
        return True
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return junction is not None and getattr(status, "st_reparse_tag", None) == junction


def _open_beneath(root: int, parts: Sequence[str], flags: int) -> int:
    current = os.dup(root)
    try:
        for depth, part in enumerate(parts, 1):
            wanted = flags if depth == len(parts) else _FOLDER
            try:
                following = os.open(part, wanted | _BENEATH, dir_fd=current)
            except OSError as error:
                if _was_a_link(error, part, current):
                    raise Forbidden(f"{part!r} is a link; links are not followed") from error
                raise
            os.close(current)
            current = following
    except BaseException:
        os.close(current)
        raise
    return current


def _was_a_link(error: OSError, part: str, parent: int) -> bool:
    """Systems disagree on what it is called: ELOOP, EMLINK, or ENOTDIR for a folder."""
    if error.errno not in {errno.ELOOP, errno.EMLINK, errno.ENOTDIR}:
        return False
    try:
        return is_link(os.stat(part, dir_fd=parent, follow_symlinks=False))
    except OSError:
        return False


def _open_and_compare(root: Path, parts: Sequence[str]) -> int:
    """For platforms without `dir_fd`: nothing is read unless it is what was checked."""
    path = root.joinpath(*parts)
    _refuse_links(root, parts)
    opened = os.open(path, _ALWAYS | _BENEATH)
    try:
        _refuse_links(root, parts)
        same = os.path.samestat(os.fstat(opened), path.lstat())
    except BaseException:
        os.close(opened)
        raise
    if not same:
        os.close(opened)
        raise Forbidden(f"{path} was replaced while it was being opened")
    return opened


def _refuse_links(root: Path, parts: Sequence[str]) -> None:
    path = root
    for part in parts:
        path /= part
        if is_link(path.lstat()):
            raise Forbidden(f"{part!r} is a link; links are not followed")
