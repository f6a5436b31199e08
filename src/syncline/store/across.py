"""All tables of one database straight into another, compared row by row before it is final."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from syncline.core.errors import StoreError
from syncline.store.loading import loading, take_alone
from syncline.store.migrations import HEAD
from syncline.store.transfer import (
    Reading,
    Session,
    Watch,
    read_sequences,
    read_tables,
    write_table,
)

__all__ = ["Side", "copy_across"]


class Side(Struct, frozen=True):
    """One of the two databases, both with today's schema."""

    owner: dict[str, str]
    """libpq parameters of the tables' owner."""
    ours: Sequence[int]
    """The server's processes of our own sessions."""


def copy_across(source: Session, ours: Sequence[int], target: Side, watch: Watch) -> int:
    """Replace the target's tables by the source's, in one transaction; how many rows those are.

    Both are ours alone meanwhile: nobody else may be connected, and nobody can write; in the
    source not before its session ends, which only reads. Raises `DatabaseInUse`; `StoreError`
    where what arrived is not what was sent.
    """
    with loading(target.owner, ours=target.ours) as opened:
        for session in (source, opened.session):
            watch.interrupt(session)
        take_alone(source, "SHARE", ours)
        rows = 0
        with opened.tables(HEAD):
            sent = []
            for table in read_tables(source):
                reading = Reading(source, table, watch)
                write_table(opened.session, table, reading.blocks())
                sent.append((table, reading.fingerprint))
                rows += reading.rows
            watch.begin("Comparing")
            for table, expected in sent:
                arrived = Reading(opened.session, table, watch)
                for _ in arrived.blocks():
                    pass
                if arrived.fingerprint != expected:
                    raise StoreError(
                        f"The table {table.name} arrived with {arrived.rows} rows of"
                        f" {expected[0]}, or with others.",
                        hint="Nothing has been changed. Try again; if it happens again, please"
                        " report it.",
                    )
        watch.check()
        opened.finish(HEAD, read_sequences(source))
        return rows
