"""Filling a database with another one's tables, in one transaction: all of it, or nothing.

The schema is made anew at the revision that the tables are of, by the migrations, and brought to
today's when they are loaded. Meanwhile it has no foreign keys, secondary indexes and triggers:
the order of the tables does not matter then, and an index over what is there is built faster than
kept up row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from syncline.core.errors import DatabaseInUse, StoreError
from syncline.core.failpoints import Failpoint, hit
from syncline.store.migrations import HEAD
from syncline.store.presence import users_of
from syncline.store.runs import COUNTED
from syncline.store.schema import (
    SCHEMA,
    UPGRADE_LOCK,
    migrate_on,
    opened_for_migrations,
)
from syncline.store.transfer import Session, open_session, read_tables, set_sequences

if TYPE_CHECKING:
    import sqlalchemy

__all__ = ["Loading", "loading", "refresh", "take_alone"]

_PATIENCE = "10s"


class Loading:
    """The open transaction. Leaving its context commits it; an error undoes all of it."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        self.session: Session = driver
        """For loading the tables."""

    @contextmanager
    def tables(self, revision: str) -> Iterator[None]:
        """Empty tables of this revision, bare while they are loaded; complete afterwards.

        Raises `StoreError` where something of a host application's depends on the old ones.
        """
        _drop_everything(self.session)
        migrate_on(self._connection, revision)
        with _bare(self.session):
            yield

    def finish(self, revision: str, sequences: Mapping[str, tuple[int, bool]]) -> None:
        """Let numbers go on where they were, bring the schema up to date, and end what was under
        way when the tables were read."""
        set_sequences(self.session, sequences.items())
        if revision != HEAD:
            migrate_on(self._connection)
        for statement in _END_WHAT_RAN:
            self.session.execute(statement)
        hit(Failpoint.LOADING_BEFORE_COMMIT)


@contextmanager
def loading(owner: dict[str, str], *, ours: Sequence[int] = ()) -> Iterator[Loading]:
    """The database of these libpq parameters, for us alone until the transaction ends.

    `ours` are our own other sessions. Raises `DatabaseInUse`, and psycopg's errors.
    """
    from sqlalchemy.exc import DBAPIError

    parameters = {**owner, "application_name": "syncline loading"}
    try:
        with opened_for_migrations(parameters) as connection, connection.begin():
            opened = Loading(connection)
            opened.session.execute("SELECT pg_advisory_xact_lock(%s)", (UPGRADE_LOCK,))
            take_alone(opened.session, "ACCESS EXCLUSIVE", ours)
            yield opened
    except DBAPIError as error:
        # SQLAlchemy's word for what psycopg says.
        raise error.orig or error from error


def take_alone(db: Session, mode: str, ours: Sequence[int]) -> None:
    """Keep others from writing (`SHARE`), or from everything (`ACCESS EXCLUSIVE`), until the
    session's transaction ends.

    Raises `DatabaseInUse` where other sessions of Syncline's are connected, besides `ours`.
    """
    _refuse_company(db, ours)
    _lock_tables(db, mode)
    _refuse_company(db, ours)  # who came while we waited


def _lock_tables(db: Session, mode: str) -> None:
    names = [sql.Identifier(SCHEMA, table.name) for table in read_tables(db)]
    if not names:
        return
    statement = sql.SQL("LOCK TABLE {} IN {} MODE").format(sql.SQL(", ").join(names), sql.SQL(mode))
    try:
        # An autovacuum in the way gives up within a second or two.
        db.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'".encode())
        db.execute(statement)
    except psycopg.errors.LockNotAvailable as error:
        raise _in_use("Somebody has been working with its tables for too long") from error


def _refuse_company(db: Session, ours: Sequence[int]) -> None:
    names = users_of(db, ours)
    if names:
        raise _in_use(f"Connected are: {', '.join(names)}")


def _in_use(how: str) -> DatabaseInUse:
    return DatabaseInUse(
        f"The database is in use, and this needs it alone. {how}.",
        hint="Wait for syncs to end, and stop what `syncline up`, `syncline worker` or a program "
        "of yours keeps open; `syncline down` stops the bundled service.",
    )


_OBJECTS = """
SELECT 'TABLE' AS kind, string_agg(format('%%I.%%I', %(schema)s::text, relname), ', ') AS names
FROM pg_class WHERE relnamespace = %(schema)s::regnamespace AND relkind IN ('r', 'p')
AND NOT relispartition HAVING count(*) > 0
UNION ALL
SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'SEQUENCE' END,
    format('%%I.%%I', %(schema)s::text, relname)
FROM pg_class c WHERE relnamespace = %(schema)s::regnamespace AND relkind IN ('v', 'm', 'S')
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
    AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))
UNION ALL
SELECT 'ROUTINE', p.oid::regprocedure::text FROM pg_proc p
WHERE pronamespace = %(schema)s::regnamespace AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT CASE typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.oid::regtype::text FROM pg_type t
WHERE typnamespace = %(schema)s::regnamespace AND typtype IN ('e', 'd', 'r')
AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
"""
"""What a schema can hold: the tables as one, because they refer to each other. An extension's
objects, such as pgvector's own, are not ours."""


def _drop_everything(db: Session) -> None:
    """Remove what the schema holds. The schema stays, with the rights that it was given; so does
    everything outside of it: what depends on ours is an error, and never goes along."""
    left = db.execute(_OBJECTS, {"schema": SCHEMA}).fetchall()
    while left:
        refused = []
        for kind, names in left:
            try:
                with db.transaction():
                    db.execute(f"DROP {kind} {names}".encode())
            except psycopg.errors.DependentObjectsStillExist as reason:
                refused.append(((kind, names), reason))
        if len(refused) == len(left):  # nothing of ours is in the way any more
            error = refused[0][1]
            raise StoreError(
                "Something outside of Syncline depends on its tables: "
                f"{error.diag.message_detail or error}",
                hint="Nothing has been changed. Remove that first, and make it anew afterwards.",
            ) from error
        left = [each for each, _ in refused]


_FOREIGN_KEYS = """
SELECT format('ALTER TABLE %%I.%%I DROP CONSTRAINT %%I', n.nspname, r.relname, c.conname),
       format('ALTER TABLE %%I.%%I ADD CONSTRAINT %%I %%s', n.nspname, r.relname, c.conname,
              pg_get_constraintdef(c.oid))
FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE n.nspname = %(schema)s AND c.contype = 'f' AND c.conparentid = 0
ORDER BY r.relname, c.conname
"""
# Those of constraints stay: they are the keys.
_INDEXES = """
SELECT format('DROP INDEX %%I.%%I', n.nspname, c.relname),
       regexp_replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ')
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND NOT c.relispartition
AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
ORDER BY c.relname
"""
_TRIGGERS = """
SELECT format('ALTER TABLE %%I.%%I DISABLE TRIGGER %%I', n.nspname, r.relname, t.tgname),
       format('ALTER TABLE %%I.%%I ENABLE TRIGGER %%I', n.nspname, r.relname, t.tgname)
FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE n.nspname = %(schema)s AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled = 'O'
ORDER BY r.relname, t.tgname
"""


@contextmanager
def _bare(db: Session) -> Iterator[None]:
    """Without foreign keys, secondary indexes, triggers, and rows that a migration brings."""
    taken = [
        db.execute(query, {"schema": SCHEMA}).fetchall()
        for query in (_FOREIGN_KEYS, _INDEXES, _TRIGGERS)
    ]
    for statements in taken:
        for away, _ in statements:
            db.execute(away.encode())
    names = [sql.Identifier(SCHEMA, table.name) for table in read_tables(db)]
    db.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(names)))
    db.execute("SET LOCAL maintenance_work_mem = '256MB'")
    yield
    hit(Failpoint.LOADING_TABLES_LOADED)
    for statements in reversed(taken):
        for _, back in statements:
            db.execute(back.encode())


# As their successors would find them: whoever did this does not know this database.
_END_WHAT_RAN = (
    f"UPDATE runs SET state = 'interrupted', epoch = epoch + 1, ended_at = clock_timestamp(),"
    f" counts = {COUNTED} WHERE state = 'running'".encode(),
    b"TRUNCATE run_seen, run_batches, run_parts",
    b"DELETE FROM jobs WHERE kind = 'partition'",
    b"""
UPDATE jobs SET state = CASE WHEN cancel THEN 'cancelled' ELSE 'ready' END, owner = NULL,
    lease_until = NULL, cancel = false, epoch = epoch + 1, attempts = greatest(attempts - 1, 0),
    ended_at = moment()
WHERE state = 'running'
""",
)


def refresh(owner: dict[str, str]) -> None:
    """After loading: statistics, and what lets an index answer alone."""
    with open_session(owner, "syncline upkeep") as db:
        db.autocommit = True
        names = [sql.Identifier(SCHEMA, table.name) for table in read_tables(db)]
        db.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.SQL(", ").join(names)))
