"""What `make demo` shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks_of
from tests.support.data_folders import make_data_folder, remove_data_folder
from tests.support.forks import put_command


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """What a first demo printed, and a second one that is also given a folder of one's own."""
    pages = tmp_path_factory.mktemp("pages")
    (pages / "kiln.md").write_text("# The kiln\n\nIt is fired to 1,240 degrees on Thursdays.\n")
    folder = make_data_folder()
    first = _demo(folder)
    second = _demo(
        folder,
        python=_python_beside_forked_commands(pages.with_name("bin")),
        DOCS=str(pages),
        ASK="when is the kiln fired",
    )
    yield first, second
    for data in folder.glob("syncline-demo-*/data"):
        remove_data_folder(data)
    shutil.rmtree(folder)


def _python_beside_forked_commands(folder: Path) -> str:
    """The demo runs the `syncline` that lies beside its Python. How a first start goes has been
    seen by then."""
    if sys.platform != "linux":
        return sys.executable
    put_command(folder)
    python = folder / "python"
    python.symlink_to(sys.executable)
    return str(python)


def _demo(temporary: Path, *, python: str = sys.executable, **environment: str) -> str:
    done = subprocess.run(
        [python, "examples/demo.py"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_finds_answers_and_writes_only_what_changed(shown: tuple[str, str]) -> None:
    """It syncs, finds, follows a change, and finds what changed."""
    first, _ = shown
    assert "+26 ~0 -0, unchanged 0" in first
    assert "+0 ~1 -0, unchanged 25" in first
    assert "Rotating API keys" in first
    assert "three years" in first


def test_the_demo_can_be_run_again_with_pages_of_ones_own(shown: tuple[str, str]) -> None:
    """It goes on with what it has; DOCS names a folder, ASK is the question."""
    _, second = shown
    assert "+0 ~1 -0, unchanged 25" in second
    assert "The kiln" in second


def test_the_readme_shows_the_demo_as_it_is(shown: tuple[str, str]) -> None:
    """The transcript has the commands of a real run, in their order."""
    transcript = next(
        block for block in blocks_of(ROOT / "README.md") if "syncline sync handbook" in block.text
    )
    assert _commands(transcript.text) == _commands(shown[0])


def _commands(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("$ ")]
