"""A peer's own virtual environment, under build/benchmarks/venvs/search."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.corpus import BUILD

__all__ = ["run_peer"]

_PACKAGES = {"bm25s": ("bm25s", "PyStemmer", "numpy"), "lancedb": ("lancedb", "numpy")}


def run_peer(name: str, folder: Path) -> None:
    """Run the peer's script on a folder, its environment made if it is not there yet."""
    environment = BUILD / "venvs" / "search" / name
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    if subprocess.run(
        [python, "-c", f"import {name}"], capture_output=True, check=False
    ).returncode:
        subprocess.run([python, "-m", "pip", "-q", "install", *_PACKAGES[name]], check=True)
    script = Path(__file__).with_name(f"{name}_peer.py")
    subprocess.run([python, str(script), str(folder)], check=True)
