"""What people see: text made safe for a terminal, a little emphasis, tables, JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TextIO

__all__ = [
    "Interrupted",
    "age",
    "bold",
    "complain",
    "counted",
    "dim",
    "is_terminal",
    "local_time",
    "note",
    "print_json",
    "safe",
    "say",
    "shown",
    "shown_lines",
    "size",
    "span",
    "table",
    "width",
]


class Interrupted(BaseException):
    """A person, or the system, asked this process to end."""


def is_terminal(stream: TextIO) -> bool:
    """Whether a person is watching this stream."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _coloured(stream: TextIO) -> bool:
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def bold(text: str) -> str:
    """Emphasised, where standard output is a terminal with colours."""
    return f"\x1b[1m{text}\x1b[0m" if _coloured(sys.stdout) else text


def dim(text: str) -> str:
    """Of less weight, where standard output is a terminal with colours."""
    return f"\x1b[2m{text}\x1b[0m" if _coloured(sys.stdout) else text


def shown(text: object, *, most: int | None = None) -> str:
    """Text of a source's on one line, unable to move the cursor or change colours."""
    line = safe(" ".join(str(text).split()))
    return line if most is None or len(line) <= most else line[: max(most - 1, 1)] + "…"


def safe(text: str) -> str:
    """The same characters but those that would move the cursor or change colours."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def shown_lines(text: str) -> str:
    """A text with its lines, unable to move the cursor or change colours."""
    return "\n".join(safe(line.expandtabs()) for line in text.splitlines())


def width() -> int:
    """The columns there are to fill."""
    return shutil.get_terminal_size((100, 24)).columns


def say(text: str = "") -> None:
    """A line of the result."""
    print(text)


def note(text: str) -> None:
    """A line about what is going on."""
    print(text, file=sys.stderr, flush=True)


def complain(message: str, hint: str | None = None) -> None:
    """What went wrong, and what to do next."""
    red, end = ("\x1b[1;31m", "\x1b[0m") if _coloured(sys.stderr) else ("", "")
    print(f"{red}Error:{end} {shown_lines(message)}", file=sys.stderr)
    if hint:
        print(f"  {shown_lines(hint)}", file=sys.stderr)
    sys.stderr.flush()


def print_json(value: Any) -> None:
    """The one object of `--json`."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: str = "") -> None:
    """Rows in columns; those whose letter in `right` is `r` are set to the right.

    On a terminal the last column is cut off at its edge.
    """
    widths = [max(len(row[n]) for row in (header, *rows)) for n in range(len(header))]
    room = width() if is_terminal(sys.stdout) else None
    for number, row in enumerate((header, *rows)):
        cells = []
        for n, cell in enumerate(row):
            to_the_right = n < len(right) and right[n] == "r"
            cells.append(cell.rjust(widths[n]) if to_the_right else cell.ljust(widths[n]))
        line = "  ".join(cells).rstrip()
        if room is not None and len(line) > room:
            line = line[: room - 1] + "…"
        say(dim(line) if number == 0 else line)


def age(seconds: float | None) -> str:
    """How long ago, in one unit."""
    if seconds is None:
        return "never"
    if seconds < 10:
        return "just now"
    return f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """A duration, in one unit."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    for unit, length, enough in (("s", 1, 120), ("min", 60, 120), ("h", 3600, 48)):
        if seconds < length * enough:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} days"


def size(count: int) -> str:
    """Bytes, in one unit."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def counted(count: int, what: str) -> str:
    """`1 document`, `2 documents`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def local_time(moment: datetime) -> str:
    """A moment in this machine's time zone, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
