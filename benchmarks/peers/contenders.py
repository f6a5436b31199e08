"""Who takes part: Syncline, and each peer by its program in `scripts`. All are whole processes."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.corpus import Edits, names
from benchmarks.measure import Ended, Syncline, Took, data_folder, run_process
from benchmarks.peers.environments import NotMeasured, environment_of, python_of, version_of
from benchmarks.peers.stored import check, expected_of, read_stored
from benchmarks.verify import check_counts, check_documents
from syncline import __version__

__all__ = ["FOLDER_PEERS", "Contender", "Session", "contender", "run_script"]

_TITLES: Mapping[str, str] = {
    "cocoindex": "CocoIndex",
    "llamaindex": "LlamaIndex",
    "dlt": "dlt",
    "scrapy": "Scrapy",
}
FOLDER_PEERS = ("cocoindex", "llamaindex", "dlt")


class Session(Protocol):
    """One contender's store and the folder that it follows."""

    def sync(self, *, watch: bool = False) -> Took:
        """Bring the store in step with the folder, as a process of its own."""

    def check(self, edits: Edits | None = None) -> int:
        """How many passages are stored; ends if the store is not what the folder has."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who keeps a store in step with a folder."""

    name: str
    title: str
    open: Callable[[Path], AbstractContextManager[Session]]


def contender(name: str) -> Contender:
    """The contender of this name, ready to start. Raises `NotMeasured`."""
    if name == "syncline":
        return Contender(name, f"Syncline {__version__}", _open_syncline)
    python = python_of(name)

    @contextmanager
    def open_peer(folder: Path) -> Iterator[Session]:
        state = Path(tempfile.mkdtemp(prefix="peer-benchmark-", dir="/var/tmp"))
        try:
            yield _PeerSession(name, python, folder, state)
        finally:
            shutil.rmtree(state)

    return Contender(name, f"{_TITLES[name]} {version_of(name)}", open_peer)


@contextmanager
def _open_syncline(folder: Path) -> Iterator[Session]:
    with data_folder() as data:
        yield _SynclineSession(Syncline(data, {"SYNCLINE_EMBEDDER": "hashing"}), folder)


class _SynclineSession:
    """`syncline sync`, with the stand-in embedder that the peers have too."""

    def __init__(self, syncline: Syncline, folder: Path) -> None:
        self._syncline = syncline
        self._folder = folder
        self._latest: Took | None = None

    def sync(self, *, watch: bool = False) -> Took:
        self._latest = self._syncline.run("sync", str(self._folder), "--json", watch=watch)
        return self._latest

    def check(self, edits: Edits | None = None) -> int:
        assert self._latest is not None, "nothing was synced"
        report, pages = self._latest.output, names(self._folder)
        if edits is None:
            check_counts(report, listed=len(pages), updated=0, deleted=0)
        else:
            counts = {"updated": len(edits.edited), "deleted": len(edits.deleted)}
            check_counts(report, listed=len(pages), **counts)
        check_documents(self._syncline, set(pages), report, edits)
        return int(self._syncline.run("status", "--json").output["totals"]["chunks"])


class _PeerSession:
    """A peer's program: `sync` does the work, `inspect` tells what is stored."""

    def __init__(self, name: str, python: Path, folder: Path, state: Path) -> None:
        self._name = name
        self._python = python
        self._folder = folder
        self._state = state

    def sync(self, *, watch: bool = False) -> Took:
        return self._run("sync", watch=watch).took

    def check(self, edits: Edits | None = None) -> int:
        stored = read_stored(self._run("inspect").output)
        check(stored, expected_of(self._folder), edits)
        return stored.chunks

    def _run(self, command: str, *, watch: bool = False) -> Ended:
        arguments = (command, str(self._folder), str(self._state))
        return run_script(self._name, self._python, self._state, *arguments, watch=watch)


def run_script(name: str, python: Path, state: Path, *arguments: str, watch: bool = False) -> Ended:
    """Run a peer's program to its end. Raises `NotMeasured` when it fails."""
    command = [str(python), "-m", f"benchmarks.peers.scripts.with_{name}", *arguments]
    ended = run_process(command, environment_of(state), watch=watch)
    if ended.code != 0:
        told = ended.errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        print(ended.errors.decode("utf-8", "replace"), file=sys.stderr)
        raise NotMeasured(f"{arguments[0]} ended with code {ended.code}: {' '.join(told)}")
    return ended
