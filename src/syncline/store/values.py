"""How values go to the database and come back, where psycopg's own way takes much longer.

Lists: psycopg writes them member by member, with a look for what must be quoted in each, which was
a twentieth of a first sync. Lists of one kind, which are nearly all, need no look at any member.

JSON: a row of the manifest has two small objects, and the standard library takes eight times as
long to read one as msgspec.
"""

from __future__ import annotations

from typing import Any

from msgspec.json import Decoder
from psycopg.abc import AdaptContext
from psycopg.types.array import ListDumper
from psycopg.types.json import set_json_loads

__all__ = ["adapt"]

_read_json = Decoder().decode


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


def adapt(context: AdaptContext) -> None:
    """Let a session, whose text is UTF-8, do so."""
    context.adapters.register_dumper(list, _AtOnce)
    set_json_loads(_read_json, context)
