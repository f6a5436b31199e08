"""Which tables and lists of a page are only there to place things.

A table with another table, a heading or code in a cell, or with one column, holds blocks,
not data; a list with a heading in an item is a sequence of sections.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Layout"]

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = frozenset({"pre", "listing", "xmp", *_HEADINGS})
_SEEN = frozenset({"table", "/table", "tr", "td", "th", "ul", "ol", "/ul", "/ol", *_BLOCKS})


class Layout:
    """Scan every tag name first; then ask about tables and lists in the order they open."""

    def __init__(self) -> None:
        self._tables: list[bool] = []
        self._lists: list[bool] = []
        self._open_tables: list[list[int]] = []
        """Of each open table: its place, cells in this row, most cells in a row."""
        self._open_lists: list[int] = []
        self._asked_tables = self._asked_lists = 0

    def scan(self, names: Iterable[str]) -> None:
        """Take a page's tag names, in order; may be called several times."""
        for name in [name for name in names if name in _SEEN]:
            if name in ("td", "th", "tr"):
                self._count_cell(name)
            elif name in _BLOCKS:
                _mark(self._tables, (table[0] for table in reversed(self._open_tables)))
                if name in _HEADINGS:
                    _mark(self._lists, reversed(self._open_lists))
            elif name in ("ul", "ol"):
                self._open_lists.append(len(self._lists))
                self._lists.append(False)
            elif name in ("/ul", "/ol"):
                if self._open_lists:
                    self._open_lists.pop()
            elif name == "table":
                _mark(self._tables, (table[0] for table in reversed(self._open_tables)))
                self._open_tables.append([len(self._tables), 0, 0])
                self._tables.append(False)
            elif name == "/table" and self._open_tables:
                place, _, most = self._open_tables.pop()
                if most < 2:
                    self._tables[place] = True

    def _count_cell(self, name: str) -> None:
        if self._open_tables:
            table = self._open_tables[-1]
            table[1] = 0 if name == "tr" else table[1] + 1
            table[2] = max(table[2], table[1])

    def next_table(self) -> bool:
        """Whether the next table to open is layout."""
        self._asked_tables += 1
        return self._asked_tables > len(self._tables) or self._tables[self._asked_tables - 1]

    def next_list(self) -> bool:
        """Whether the next list to open is layout."""
        self._asked_lists += 1
        return self._asked_lists <= len(self._lists) and self._lists[self._asked_lists - 1]


def _mark(marks: list[bool], innermost_first: Iterable[int]) -> None:
    for place in innermost_first:
        if marks[place]:
            # Whatever this one stands in was marked with it.
            return
        marks[place] = True
