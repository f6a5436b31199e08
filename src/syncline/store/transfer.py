"""Whole tables as streams: what there is to copy, and COPY in both directions.

Ordinary, blocking connections: a copy is one long loop, which runs in a thread of its own, and on
the way in it shares its transaction with Alembic, which knows no others.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import psycopg
from msgspec import Struct
from psycopg import sql
from psycopg.conninfo import make_conninfo

from syncline.store.schema import SCHEMA, unreachable

__all__ = [
    "Reading",
    "Session",
    "Stopped",
    "Table",
    "Watch",
    "open_session",
    "read_sequences",
    "read_tables",
    "set_sequences",
    "write_table",
]

Session: TypeAlias = psycopg.Connection[Any]

_BLOCK = 1 << 18
_MODULUS = 1 << 128
# Before the first row: a signature, flags, and the length of an extension, which is empty.
_HEADER = 19
_TRAILER = b"\xff\xff"


class Table(Struct, frozen=True):
    """A table of the schema, with the columns that are stored in it; partitions are not named."""

    name: str
    columns: tuple[str, ...]

    @property
    def _columns(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self.columns))

    @property
    def copy_out(self) -> sql.Composed:
        # A query, because a partitioned table cannot be named here.
        return sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)").format(
            self._columns, sql.Identifier(SCHEMA, self.name)
        )

    @property
    def copy_in(self) -> sql.Composed:
        return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            sql.Identifier(SCHEMA, self.name), self._columns
        )


class Stopped(Exception):
    """Somebody wants a copy to end. Whoever waits for it was cancelled."""


@dataclass(slots=True)
class Watch:
    """Between a copy in its thread and who started it: how far it is, and that it is to stop."""

    doing: str
    """Such as `Restoring`: what is done now."""
    moved: Callable[[str, str, int], object] = lambda doing, table, moved: None
    """Told of each block: what is done, with which table, and how many bytes were moved so far."""
    _bytes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _sessions: list[Session] = field(default_factory=list)

    def begin(self, doing: str) -> None:
        """Do something else from now on."""
        self.doing, self._bytes = doing, 0

    def interrupt(self, session: Session) -> None:
        """Have `stop` cancel what this session is doing as well."""
        self._sessions.append(session)

    def stop(self) -> None:
        """End the copy soon."""
        self._stop.set()
        for session in self._sessions:
            if not session.closed:
                session.cancel_safe(timeout=5)

    def check(self) -> None:
        """Raise `Stopped` if it is to end."""
        if self._stop.is_set():
            raise Stopped

    def note(self, table: str, length: int) -> None:
        """Tell of a block."""
        self.check()
        self._bytes += length
        self.moved(self.doing, table, self._bytes)


@contextmanager
def open_session(owner: dict[str, str], application: str) -> Iterator[Session]:
    """A session as the tables' owner, for reading: nothing is committed.

    Raises `DatabaseUnavailable`.
    """
    try:
        opened = psycopg.connect(
            make_conninfo(**{**owner, "application_name": application, "client_encoding": "UTF8"})
        )
    except psycopg.OperationalError as error:
        raise unreachable(error) from error
    try:
        yield opened
    finally:
        opened.close()


def read_tables(db: Session) -> list[Table]:
    """The tables that hold rows of Syncline's, by name, with their columns in order.

    `alembic_version` is not one of them: it says which tables there are.
    """
    found = db.execute(
        "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)"
        " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p')"
        # What is unlogged is a cache, and empty after a crash.
        " AND c.relpersistence = 'p'"
        " AND NOT c.relispartition AND c.relname <> 'alembic_version'"
        " AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
        " GROUP BY c.relname ORDER BY c.relname",
        (SCHEMA,),
    )
    return [Table(name, tuple(columns)) for name, columns in found.fetchall()]


def read_sequences(db: Session) -> dict[str, tuple[int, bool]]:
    """The last number of each sequence, and whether it has been given out.

    Sequences are not part of a snapshot: read after the tables, they are ahead of every row.
    """
    names = db.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'S'"
        " ORDER BY relname",
        (SCHEMA,),
    ).fetchall()
    found = {}
    for (name,) in names:
        row = db.execute(
            sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(SCHEMA, name))
        ).fetchone()
        assert row is not None
        found[name] = (int(row[0]), bool(row[1]))
    return found


def set_sequences(db: Session, values: Iterable[tuple[str, tuple[int, bool]]]) -> None:
    """Let each sequence go on from where it was."""
    for name, (last, called) in values:
        db.execute(
            "SELECT setval(format('%%I.%%I', %s::text, %s::text)::regclass, %s, %s)",
            (SCHEMA, name, last, called),
        )


class Reading:
    """One table on its way out. `rows` and `fingerprint` are known after the last block.

    The fingerprint depends on the rows alone and not on their order, so that two databases may
    be compared.
    """

    def __init__(self, db: Session, table: Table, watch: Watch) -> None:
        self._db = db
        self._table = table
        self._watch = watch
        self._sum = 0
        self.rows = 0

    @property
    def fingerprint(self) -> tuple[int, int]:
        """The number of rows, and the sum of their hashes."""
        return self.rows, self._sum % _MODULUS

    def blocks(self) -> Iterator[bytes]:
        """The stream, as COPY writes it."""
        kept: list[bytes] = []
        length, first = 0, True
        hashed = hashlib.blake2b
        with self._db.cursor() as cursor, cursor.copy(self._table.copy_out) as copy:
            # The server sends a message for each row; the header comes with the first.
            while data := copy.read():
                row = bytes(data)
                kept.append(row)
                length += len(row)
                if first:
                    row, first = row[_HEADER:], False
                if row and row != _TRAILER:
                    self.rows += 1
                    self._sum += int.from_bytes(hashed(row, digest_size=16).digest(), "big")
                if length >= _BLOCK:
                    self._watch.note(self._table.name, length)
                    yield b"".join(kept)
                    kept, length = [], 0
        if kept:
            self._watch.note(self._table.name, length)
            yield b"".join(kept)


def write_table(db: Session, table: Table, blocks: Iterable[bytes]) -> int:
    """Load a stream into its table; how many rows that were."""
    with db.cursor() as cursor:
        with cursor.copy(table.copy_in) as copy:
            for block in blocks:
                copy.write(block)
        return cursor.rowcount
