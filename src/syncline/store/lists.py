"""Lists as statements' values, written in one go.

psycopg writes a list member by member, with a look for what must be quoted in each; that was a
twentieth of a first sync. Lists of one kind, which are nearly all, need no look at any member.
"""

from __future__ import annotations

from typing import Any

from psycopg.abc import AdaptContext
from psycopg.types.array import ListDumper

__all__ = ["write_lists_at_once"]


class _AtOnce(ListDumper):
    """Lists of bytes alone, of texts alone, and psycopg's way for all others."""

    def dump(self, obj: list[Any]) -> Any:
        kinds = set(map(type, obj))
        if kinds == {bytes}:
            return ('{"\\\\x' + '","\\\\x'.join(map(bytes.hex, obj)) + '"}').encode("ascii")
        if kinds == {str}:
            members = '","'.join(obj)
            quotes = members.count('"') - 2 * (len(obj) - 1)
            if not quotes and "\\" not in members and "\0" not in members:
                return ('{"' + members + '"}').encode()
        return super().dump(obj)


def write_lists_at_once(context: AdaptContext) -> None:
    """Let a session, whose text is UTF-8, write lists so."""
    context.adapters.register_dumper(list, _AtOnce)
