"""Folders that the person who runs the command may not read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.commands import Commands, Finished
from tests.support.data_folders import settings_for
from tests.support.external import external_server

_BOUND_BY_RIGHTS = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
pytestmark = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None,
    reason="as root, file modes bind nobody, unless setpriv makes them",
)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of three files, and commands that file modes bind, root or not."""

    docs: Path
    commands: Commands
    database: str

    def run(self, *words: str) -> Finished:
        bound = _BOUND_BY_RIGHTS if os.geteuid() == 0 else ()
        with subprocess.Popen(
            [*bound, sys.executable, "-m", "syncline", *words],
            env=self.commands.environment(DATABASE_URL=self.database),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            return self.commands.wait(process)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A server that is reached without the rights of root."""
    with external_server("18") as url:
        Path(parse_qs(urlsplit(url).query)["host"][0]).chmod(0o711)
        yield url


@pytest.fixture
def place(database: str, workspace_name: str, tmp_path: Path) -> Iterator[Place]:
    docs = tmp_path / "docs"
    for name in ("open.md", "closed.md", "private/inner.md"):
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {path.stem}\n\nthe text of {path.stem}\n")
    settings = settings_for(tmp_path / "data", workers=1, embedder="hashing")
    yield Place(docs, Commands(settings, workspace_name), database)
    for path in (docs, docs / "private"):
        path.chmod(0o755)


def test_a_folder_without_rights_is_a_clear_failure(place: Place) -> None:
    """Exit code 1, a message that names the folder and says what to do; nothing is deleted."""
    docs = str(place.docs)
    assert place.run("sync", docs, "--json").json["created"] == 3
    place.docs.chmod(0)
    finished = place.run("sync", docs)
    assert (finished.status, finished.output) == (1, "")
    assert f"{docs} cannot be read: permission denied" in finished.errors
    assert "Let the user that Syncline runs as read it" in finished.errors
    assert "Traceback" not in finished.errors
    place.docs.chmod(0o755)
    again = place.run("sync", docs, "--json")
    assert (again.json["unchanged"], again.json["gone"]) == (3, 0)


def test_a_part_without_rights_fails_alone_and_nothing_of_it_is_deleted(place: Place) -> None:
    """A closed file fails as an entry; beneath a closed folder nothing is known to be gone."""
    docs = str(place.docs)
    assert place.run("sync", docs, "--json").json["created"] == 3
    (place.docs / "private").chmod(0)
    (place.docs / "closed.md").write_text("# closed\n\nwith another text\n")
    (place.docs / "closed.md").chmod(0)
    finished = place.run("sync", docs, "--json")
    report = finished.json
    assert finished.status == 3
    assert (report["failed"], report["gone"], report["unchanged"]) == (1, 0, 1)
    run = place.run("runs", str(report["run"]))
    assert "closed.md" in run.output
    assert "permission denied" in run.output
    assert str(place.docs / "private") in run.output
    documents = place.run("documents", "list", "--json").json["documents"]
    assert {each["entry"] for each in documents} == {"open.md", "closed.md", "private/inner.md"}
