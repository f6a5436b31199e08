"""What the page for contributors says of a connector for an API is followed to the letter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks_of

_FILE = re.compile(r"# ((?:\w+/)*\w+\.py)\n")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page, and what installing them as a package leaves."""
    folder = tmp_path_factory.mktemp("acme")
    for block in blocks_of(ROOT / "CONTRIBUTING.md"):
        name = _FILE.match(block.text)
        if block.language == "python" and name is not None:
            path = folder / name[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text)
    (folder / "acme_notes" / "__init__.py").touch()
    information = folder / "acme_notes-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-notes\nVersion: 1.0\n")
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    entry = re.search(r'acme-notes = "([\w.:]+)"', page)
    assert entry is not None
    (information / "entry_points.txt").write_text(
        f"[syncline.connectors]\nacme-notes = {entry[1]}\n"
    )
    return folder


def _run(package: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=package,
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_connector_is_short(package: Path) -> None:
    """Under 120 lines, but for blank ones."""
    text = (package / "acme_notes" / "connector.py").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) < 120, len(lines)


def test_the_connector_passes_the_suite(package: Path) -> None:
    options = ("asyncio_mode=auto", "asyncio_default_fixture_loop_scope=function")
    said = _run(
        package,
        *("pytest", "-q", "-p", "no:cacheprovider"),
        *(word for each in options for word in ("-o", each)),
    )
    assert re.search(r"\b[34]\d passed", said), said


def test_the_package_is_found_by_its_entry_point(package: Path) -> None:
    """Installed elsewhere, it is listed and described like ours."""
    assert "Acme notes" in _run(package, "syncline", "connectors")
    assert "one for 100 notes" in _run(package, "syncline", "connectors", "show", "acme-notes")
