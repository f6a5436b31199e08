"""A virtual environment for each peer, with the versions that its list pins.

They lie in build/benchmarks/venvs and are made anew when a list has changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.corpus import BUILD

__all__ = ["NotMeasured", "environment_of", "python_of", "run_on", "version_of"]

_LONGEST = 1800.0
_ROOT = Path(__file__).resolve().parents[2]


class NotMeasured(Exception):
    """A peer could not be installed, did not run, or did not do the work; its text says why."""


def python_of(peer: str) -> Path:
    """The interpreter of the peer's environment, which is made if need be."""
    wanted = _list_of(peer).read_text("utf-8")
    home = BUILD / "venvs" / peer
    made = home / "installed.txt"
    python = home / "bin" / "python"
    if made.is_file() and made.read_text("utf-8") == wanted:
        return python
    print(f"  installing {peer} {version_of(peer)}", file=sys.stderr, flush=True)
    shutil.rmtree(home, ignore_errors=True)
    _run(peer, [sys.executable, "-m", "venv", str(home)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(peer, [*pip, "--no-deps", "-r", str(_list_of(peer))])
    made.write_text(wanted, "utf-8")
    return python


def run_on(peer: str, folder: Path) -> None:
    """Run a peer's script, `scripts/{peer}_peer.py`, on a folder of arrays."""
    script = Path(__file__).parent / "scripts" / f"{peer}_peer.py"
    subprocess.run([str(python_of(peer)), str(script), str(folder)], check=True)


def environment_of(state: Path) -> dict[str, str]:
    """What a peer's process is started with; nobody's telemetry is on."""
    return {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith("SYNCLINE_") and name != "PYTHONDONTWRITEBYTECODE"
        },
        "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'src'}",
        "COCOINDEX_DISABLE_USAGE_TRACKING": "1",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "ANONYMIZED_TELEMETRY": "False",
        "DLT_DATA_DIR": str(state / "dlt"),
    }


def version_of(peer: str) -> str:
    """The pinned version of the peer itself."""
    package = {"llamaindex": "llama-index-core"}.get(peer, peer)
    pinned = re.search(rf"(?im)^{package}==(\S+)$", _list_of(peer).read_text("utf-8"))
    assert pinned is not None, peer
    return pinned[1]


def _list_of(peer: str) -> Path:
    return Path(__file__).parent / f"{peer}.txt"


def _run(peer: str, command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotMeasured(f"{peer} was not installed within {_LONGEST:.0f} s") from error
    if done.returncode != 0:
        told = [line for line in done.stderr.splitlines() if not line.startswith("WARNING")]
        raise NotMeasured(f"{peer} could not be installed: {' '.join(told[-3:])}")
