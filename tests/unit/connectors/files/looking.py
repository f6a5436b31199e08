"""How the tests look at a folder through the connector."""

import concurrent.futures.thread  # noqa: F401 - `as_nobody` may not be able to import it
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from syncline.connectors.files.connector import FilesConnector
from syncline.core.model import Entry, Failed, Partition

PARTITION = Partition("files")
_NOBODY = 65534


class Clock:
    """A wall clock that a test sets; long after every file was written, unless told."""

    def __init__(self) -> None:
        self.time = datetime(2100, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


@contextmanager
def as_nobody(path: Path) -> Iterator[None]:
    """Without the rights of root, in a folder that anyone may enter."""
    if os.geteuid() != 0:
        yield
        return
    for folder in [path, *path.parents]:
        if folder.owner() == "root" and not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


async def listed(connector: FilesConnector) -> dict[str, Entry | Failed]:
    found = [each async for each in connector.enumerate(PARTITION)]
    return {each.id or str(each): each for each in found}


async def live(connector: FilesConnector) -> list[str]:
    return [
        name
        for name, each in (await listed(connector)).items()
        if isinstance(each, Entry) and each.filtered is None
    ]


Connect = Callable[..., FilesConnector]
