"""How long each connector is: the lines of its files, also without blank ones and comments."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import syncline.connectors

__all__ = ["Lines", "connector_lines"]

_ROOT = Path(next(iter(syncline.connectors.__path__)))
_PARTS: Mapping[str, tuple[str, ...]] = {
    "zendesk": ("articles.py", "attachments.py", "place.py"),
    "zendesk-tickets": ("tickets.py",),
    "zendesk, shared": ("spec.py", "wire.py", "notes.py", "pages.py"),
    "intercom": (),
    "confluence": (),
    "canvas": (),
}
"""Of the folder of two connectors, which files are whose; else all are."""
_SILENT = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.ENCODING,
)


@dataclass(frozen=True, slots=True)
class Lines:
    """Of one connector."""

    all: int
    code: int
    """Without blank lines, comments and docstrings."""


def connector_lines() -> dict[str, Lines]:
    """By connector, and of the kit that they share."""
    found = {}
    for name, chosen in _PARTS.items():
        folder = _ROOT / name.partition("-")[0].partition(",")[0]
        files = [folder / each for each in chosen] or sorted(folder.glob("*.py"))
        found[name] = _sum(files)
    kit = "about api_options credentials json_api marks paging reasons wire".split()  # noqa: SIM905
    found["the kit"] = _sum([_ROOT / f"{each}.py" for each in kit])
    return found


def _sum(files: list[Path]) -> Lines:
    texts = [each.read_text("utf-8") for each in files]
    return Lines(sum(len(text.splitlines()) for text in texts), sum(map(_code, texts)))


def _code(text: str) -> int:
    """The lines that hold something but comments and strings that stand alone."""
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                told |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _SILENT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - told)
