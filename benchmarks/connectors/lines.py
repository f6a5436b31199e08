"""How long each connector is: the lines of its files, also without blank ones and comments."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import syncline.connectors

__all__ = ["Lines", "code_lines", "connector_lines"]

_ROOT = Path(next(iter(syncline.connectors.__path__)))
_CONNECTORS: Mapping[str, tuple[str, ...]] = {
    "zendesk": (),
    "zendesk-tickets": ("zendesk/account.py",),
    "intercom": (),
    "confluence": (),
    "canvas": (),
}
"""Which files of another folder are theirs, too."""
_CORE = frozenset({"spec.py", "wire.py", "connector.py"})
_KIT = (
    "about",
    "api_options",
    "contents",
    "credentials",
    "json_api",
    "marks",
    "once",
    "opening",
    "paging",
    "reasons",
    "wire",
)
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

    core: int
    """Of its spec, its wire and its connector."""
    core_code: int
    """Without blank lines, comments and docstrings."""
    all: int
    """With what else it has: documents, refusals, notes, and what it shares with another one."""
    code: int


def connector_lines() -> dict[str, Lines]:
    """By connector, and of the kit that all share."""
    found = {}
    for name, shared in _CONNECTORS.items():
        own = (_ROOT / name.replace("-", "_")).glob("*.py")
        found[name] = _lines([*own, *(_ROOT / each for each in shared)])
    found["the kit"] = Lines(0, 0, *_sum([_ROOT / f"{each}.py" for each in _KIT]))
    return found


def _lines(files: Sequence[Path]) -> Lines:
    core = [each for each in files if each.name in _CORE]
    return Lines(*_sum(core), *_sum(files))


def _sum(files: Sequence[Path]) -> tuple[int, int]:
    texts = [each.read_text("utf-8") for each in files]
    return sum(len(text.splitlines()) for text in texts), sum(map(code_lines, texts))


def code_lines(text: str) -> int:
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
