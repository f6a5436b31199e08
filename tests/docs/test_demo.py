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


@pytest.fixture
def temporary() -> Iterator[Path]:
    """For TMPDIR: the demo's folder is made in it."""
    folder = make_data_folder()
    yield folder
    for data in folder.glob("syncline-demo-*/data"):
        remove_data_folder(data)
    shutil.rmtree(folder)


def _demo(temporary: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "examples/demo.py"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_finds_answers_and_writes_only_what_changed(temporary: Path) -> None:
    """It can be run again, and then goes on with what it has."""
    first = _demo(temporary)
    assert "+26 ~0 -0, unchanged 0" in first
    assert "+0 ~1 -0, unchanged 25" in first
    assert "Rotating API keys" in first
    assert "three years" in first
    again = _demo(temporary)
    assert "+0 ~1 -0, unchanged 25" in again


def test_the_demo_reads_a_folder_of_ones_own(temporary: Path, tmp_path: Path) -> None:
    """DOCS names it, ASK is the question."""
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "kiln.md").write_text("# The kiln\n\nIt is fired to 1,240 degrees on Thursdays.\n")
    shown = _demo(temporary, DOCS=str(pages), ASK="when is the kiln fired")
    assert "The kiln" in shown


def test_the_readme_shows_the_demo_as_it_is(temporary: Path) -> None:
    """The transcript has the commands of a real run, in their order."""
    shown = [line for line in _demo(temporary).splitlines() if line.startswith("$ ")]
    transcript = next(
        block for block in blocks_of(ROOT / "README.md") if "syncline sync handbook" in block.text
    )
    assert [line for line in transcript.text.splitlines() if line.startswith("$ ")] == shown
