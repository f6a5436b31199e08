"""The fenced blocks of the documentation, and the marks that say how they are run.

A block is run when its language is `console` (lines that begin with `$ `; the others are output)
or `python`. A comment on the line before it may change that::

    <!-- not run: why -->     the outside world is needed
    <!-- exit 4 -->           the last command ends with this code
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Block", "blocks_of", "documents"]

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+)(?P<language>\w*)\s*$")
_NOT_RUN = re.compile(r"^ *<!-- not run: .+ -->$")
_WITH_REASON = re.compile(r"^ *<!-- not run: (needs an account|a file of its own, see .+) -->$")
"""Nothing could be run here, or another test does."""
_EXIT = re.compile(r"^ *<!-- exit (\d+) -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    document: Path
    line: int
    language: str
    text: str
    run: bool = True
    status: int = 0
    excused: bool = False
    """It is not run for a reason that nobody can mend."""

    @property
    def commands(self) -> list[str]:
        """A console block's commands; one that ends in a backslash goes on in the next line."""
        found: list[str] = []
        going_on = False
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(line[2:])
            elif going_on:
                found[-1] += f"\n{line.removeprefix('> ')}"
            going_on = (line.startswith("$ ") or going_on) and line.endswith("\\")
        return found

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def documents() -> list[Path]:
    """Every page of documentation."""
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    pages += [ROOT / "benchmarks" / "README.md"]
    return pages + sorted((ROOT / "docs").rglob("*.md"))


def blocks_of(document: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    lines = document.read_text("utf-8").splitlines()
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if opened is None:
            number += 1
            continue
        before = lines[number - 1] if number else ""
        end = next(n for n in range(number + 1, len(lines)) if lines[n].strip() == opened["fence"])
        exits = _EXIT.match(before)
        indent = len(opened["indent"])
        yield Block(
            document,
            number + 1,
            opened["language"],
            "\n".join(line[indent:] for line in lines[number + 1 : end]),
            run=_NOT_RUN.match(before) is None,
            excused=_WITH_REASON.match(before) is not None,
            status=int(exits[1]) if exits else 0,
        )
        number = end + 1
