"""Other programs that find the text of a page, in a virtual environment of their own.

Run as a script by that environment's Python, this reads pages and prints what was found in them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from html import unescape
from pathlib import Path
from typing import Any

__all__ = ["PEERS", "ask_peer", "make_environment"]

PEERS = (
    "tags stripped",
    "trafilatura",
    "trafilatura, fast",
    "trafilatura, precision",
    "readability-lxml",
    "resiliparse",
)
_PACKAGES = ("trafilatura", "resiliparse", "lxml_html_clean", "cssselect", "chardet")
_WITHOUT_DEPENDENCIES = ("readability-lxml",)
"""It asks for an extra of lxml's that is the package `lxml_html_clean` today."""


def make_environment(folder: Path) -> Path:
    """The Python of the peers' environment, made if it is not there yet."""
    python = folder / "bin" / "python"
    done = folder / "made"
    if not done.exists():
        print(f"  Installing {', '.join((*_PACKAGES, *_WITHOUT_DEPENDENCIES))}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *_PACKAGES], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(
            [*pip, "--no-deps", *_WITHOUT_DEPENDENCIES], check=True, stderr=subprocess.DEVNULL
        )
        done.touch()
    return python


def ask_peer(python: Path, peer: str, pages: Sequence[str]) -> tuple[list[str], list[float]]:
    """What the peer finds in each page, and the CPU seconds that each took it."""
    done = subprocess.run(
        [python, __file__, peer],
        input=json.dumps(pages),
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    found = json.loads(done.stdout)
    return found["texts"], found["seconds"]


def _main() -> None:
    extract = _extractor(sys.argv[1])
    texts, seconds = [], []
    for page in json.load(sys.stdin):
        started = time.process_time()
        try:
            text = extract(page)
        except Exception:  # noqa: BLE001  (what a peer cannot read, it has not found)
            text = ""
        seconds.append(time.process_time() - started)
        texts.append(text or "")
    json.dump({"texts": texts, "seconds": seconds}, sys.stdout)


def _extractor(peer: str) -> Callable[[str], str | None]:
    if peer == "tags stripped":
        return _stripped
    if peer == "readability-lxml":
        return _readability()
    if peer == "resiliparse":
        from resiliparse.extract.html2text import extract_plain_text  # type: ignore[import-not-found]

        return lambda page: str(extract_plain_text(page, main_content=True, alt_texts=False))
    import trafilatura  # type: ignore[import-not-found]

    options: dict[str, Any] = {"include_comments": False}
    if peer.endswith("fast"):
        options["fast"] = True
    if peer.endswith("precision"):
        options["favor_precision"] = True
    return lambda page: trafilatura.extract(page, **options)


_NO_TEXT = re.compile(r"<(script|style)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


def _stripped(page: str) -> str:
    return unescape(_TAG.sub(" ", _NO_TEXT.sub(" ", page)))


def _readability() -> Callable[[str], str]:
    from readability import Document  # type: ignore[import-not-found]

    return lambda page: _stripped(Document(page).summary())


if __name__ == "__main__":
    _main()
