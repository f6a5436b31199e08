"""A run that many workers share: its opening, its partitions, its closing.

Whoever opens it writes a row for each partition and makes it a job; the job `sync` waits meanwhile
(`share_out`, `rest`). A partition's worker writes in the name of the run, of the part and of its
attempt, each of which ends a write that comes too late (`hold` in `runs.py`). What an attempt has
not brought to its end is counted by the next one, or by the closing. When no partition is left that
a live job would read, the job `sync` is woken, and whoever claims it closes the run: the rows are
the countdown, so that ending twice counts once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from syncline.core.errors import Fenced
from syncline.core.failpoints import Failpoint, hit
from syncline.core.jobs import ClaimedJob, NewJob
from syncline.core.model import Cursor, Json, Mode, Outcome, Partition, RunId
from syncline.store.database import Connection
from syncline.store.jobs import CHANNEL, enqueue
from syncline.store.runs import LEASE_SECONDS, RunRef, end_sessions, hold, session_name

__all__ = [
    "PARTITION",
    "Part",
    "SharedRun",
    "begin_part",
    "call_closer",
    "end_part",
    "find_shared",
    "note_part",
    "read_parts",
    "rest",
    "share_out",
]

PARTITION = "partition"
"""The kind of job that reads one."""
_LOOK_SECONDS = 60
"""After which the job that waits looks itself: its call may have been lost with who made it."""
_OUTCOMES = [outcome.value for outcome in Outcome]


class SharedRun(Struct, frozen=True):
    """A run that goes on as jobs."""

    ref: RunRef
    mode: Mode
    started_at: datetime
    seconds: float
    """Since it began."""
    parts: int
    """How many partitions it was shared out in."""


class Part(Struct, frozen=True):
    """A part of a run, as its closing finds it."""

    part: int
    partition: str | None
    title: str
    over: bool
    """Read to its end; another one has no job any more, or one that is dead."""
    counts: Mapping[str, int]
    cursor: Mapping[str, Json] | None
    """To be stored once its aliases are decided."""
    aliases: Json
    """Entries that are another's document, undecided."""
    progress: Mapping[str, Json] | None
    error: Mapping[str, Json] | None
    """Of the job that died of it."""


async def share_out(
    db: Connection,
    run: RunRef,
    job: ClaimedJob,
    partitions: Sequence[Partition],
    *,
    counts: Mapping[str, int],
    pipeline: bytes,
) -> None:
    """Make a run's partitions jobs, and let the job that opened it wait for their end.

    `counts` are what its opening has done, `pipeline` what reads it. Raises `Fenced` where the run
    or the job is no longer ours; then nothing is shared out.
    """
    about = {"run": run.id, "epoch": run.epoch, "pipeline": pipeline.hex()}
    async with db.transaction():
        await hold(db, run)
        found = await db.execute(
            "UPDATE jobs SET state = 'waiting', owner = NULL, lease_until = NULL, attempts = 0,"
            " run_at = moment() + make_interval(secs => %s), payload = payload - 'force' || %s,"
            " error = %s WHERE id = %s AND epoch = %s AND owner = %s AND state = 'running'"
            " AND NOT cancel RETURNING priority, limit_keys",
            (
                _LOOK_SECONDS,
                Jsonb(about),
                Jsonb(_reason(run, len(partitions))),
                job.id,
                job.epoch,
                job.owner,
            ),
        )
        ours = await found.fetchone()
        if ours is None:
            raise Fenced(f"The job {job.id} has been taken over or cancelled.")
        await db.execute(
            "UPDATE runs SET parts = %s WHERE workspace_id = %s AND id = %s",
            (len(partitions), run.workspace_id, run.id),
        )
        await db.execute(
            "INSERT INTO run_parts (workspace_id, run_id, part, partition, title, over, counts)"
            " SELECT %(workspace)s, %(run)s, 0, NULL, '', true, %(counts)s UNION ALL"
            " SELECT %(workspace)s, %(run)s, u.n, u.id, u.title, false, '{}'"
            " FROM unnest(%(ids)s::text[], %(titles)s::text[]) WITH ORDINALITY AS u (id, title, n)",
            {
                "workspace": run.workspace_id,
                "run": run.id,
                "counts": Jsonb(dict(counts)),
                "ids": [each.id for each in partitions],
                "titles": [each.title for each in partitions],
            },
        )
        # Counted with the opening from now on.
        await db.execute(
            "DELETE FROM run_batches WHERE workspace_id = %s AND run_id = %s",
            (run.workspace_id, run.id),
        )
        await enqueue(
            db,
            [
                NewJob(
                    run.workspace_id,
                    PARTITION,
                    {"run": run.id, "epoch": run.epoch, "part": part, "job": job.id},
                    run.connection_id,
                    priority=ours[0],
                    dedupe_key=_key(run, part),
                    limit_keys=ours[1] or (),
                )
                for part in range(1, len(partitions) + 1)
            ],
        )
        hit(Failpoint.PARTS_BEFORE_COMMIT)
    hit(Failpoint.PARTS_COMMITTED)


def _reason(run: RunRef, parts: int) -> dict[str, Json]:
    return {
        "code": "shared",
        "message": f"Run {run.id} is under way: {parts} partitions are jobs of their own.",
    }


def _key(run: RunRef, part: int) -> str:
    return f"partition {run.workspace_id}/{run.id}/{part}"


_LEFT = (
    "(SELECT count(*) FROM run_parts p WHERE p.workspace_id = %(workspace)s AND p.run_id = %(run)s"
    " AND p.partition IS NOT NULL AND NOT p.over AND EXISTS (SELECT FROM jobs j WHERE j.dedupe_key"
    " = 'partition ' || p.workspace_id || '/' || p.run_id || '/' || p.part"
    " AND j.state IN ('waiting', 'ready', 'running')))"
)
"""How many partitions are still to be read by a live job."""


async def find_shared(db: Connection, job: ClaimedJob) -> SharedRun | None:
    """The run that a job's payload names; None if it is over, or another's."""
    run, epoch = int(job.payload.get("run", 0)), int(job.payload.get("epoch", 0))
    if not run or job.connection_id is None:
        return None
    found = await db.execute(
        "SELECT mode, started_at, extract(epoch FROM clock_timestamp() - started_at)::float8,"
        " parts FROM runs WHERE workspace_id = %s AND id = %s AND epoch = %s AND state = 'running'"
        " AND parts IS NOT NULL",
        (job.workspace_id, run, epoch),
    )
    row = await found.fetchone()
    if row is None:
        return None
    ref = RunRef(job.workspace_id, job.connection_id, RunId(run), epoch)
    return SharedRun(ref, Mode(row[0]), row[1], row[2], row[3])


async def rest(db: Connection, run: RunRef, job: ClaimedJob) -> bool:
    """Let the job wait on while partitions are left to be read; whether there are.

    The run's lease is renewed, which nobody else does while all of them wait.
    """
    values = {
        "workspace": run.workspace_id,
        "run": run.id,
        "job": job.id,
        "epoch": job.epoch,
        "owner": job.owner,
        "look": _LOOK_SECONDS,
        "lease": LEASE_SECONDS,
    }
    async with db.transaction():
        # The lock comes before the look: who ends the last part meanwhile waits, and wakes us.
        await db.execute("SELECT FROM jobs WHERE id = %(job)s FOR UPDATE", values)
        found = await db.execute(
            "UPDATE jobs SET state = 'waiting', owner = NULL, lease_until = NULL,"
            " attempts = greatest(attempts - 1, 0),"
            " run_at = moment() + make_interval(secs => %(look)s)"
            " WHERE id = %(job)s AND epoch = %(epoch)s AND owner = %(owner)s AND NOT cancel"
            f" AND state = 'running' AND {_LEFT} > 0",
            values,
        )
        await db.execute(
            "UPDATE runs SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)"
            " WHERE workspace_id = %(workspace)s AND id = %(run)s AND state = 'running'",
            values,
        )
    return found.rowcount > 0


async def call_closer(db: Connection, run: RunRef, job: int) -> None:
    """Wake the job that waits for the partitions, if none is left to be read."""
    await db.execute(
        "WITH woken AS (UPDATE jobs SET state = 'ready', run_at = moment()"
        f" WHERE id = %(job)s AND state = 'waiting' AND {_LEFT} = 0 RETURNING id)"
        f" SELECT pg_notify('{CHANNEL}', '') FROM woken",
        {"workspace": run.workspace_id, "run": run.id, "job": job},
    )


async def begin_part(
    db: Connection, run: RunRef, part: int, attempt: int
) -> tuple[RunRef, Partition | None, Counter[str]] | None:
    """Take a part over from its earlier attempts: the right to write, and what they have counted.

    None if it is over, or a later attempt has it. Raises `Fenced` where the run is over. A part
    that is not there is made: the closing.
    """
    await end_sessions(db, f"{session_name(run)}/{part}")
    names = {"workspace": run.workspace_id, "run": run.id, "part": part, "attempt": attempt}
    async with db.transaction():
        await hold(db, run)
        await db.execute(
            "INSERT INTO run_parts (workspace_id, run_id, part)"
            " VALUES (%(workspace)s, %(run)s, %(part)s) ON CONFLICT DO NOTHING",
            names,
        )
        found = await db.execute(
            "SELECT partition, title, counts FROM run_parts WHERE workspace_id = %(workspace)s"
            " AND run_id = %(run)s AND part = %(part)s AND NOT over AND attempt < %(attempt)s"
            " FOR UPDATE",
            names,
        )
        row = await found.fetchone()
        if row is None:
            return None
        counts: Counter[str] = Counter(row[2])
        counts.update(await _lost_counts(db, run, part))
        await db.execute(
            "UPDATE run_parts SET attempt = %(attempt)s, counts = %(counts)s, progress = NULL"
            " WHERE workspace_id = %(workspace)s AND run_id = %(run)s AND part = %(part)s",
            names | {"counts": Jsonb(dict(counts))},
        )
        for table in ("run_batches", "run_seen"):
            await db.execute(
                f"DELETE FROM {table} WHERE workspace_id = %(workspace)s AND run_id = %(run)s"
                " AND part = %(part)s AND attempt < %(attempt)s",
                names,
            )
    partition = None if row[0] is None else Partition(row[0], row[1])
    return replace(run, part=part, attempt=attempt), partition, counts


async def _lost_counts(db: Connection, run: RunRef, part: int) -> Counter[str]:
    """What a part has stored that its report does not tell."""
    found = await db.execute(
        "SELECT key, sum(value::int) FROM run_batches b, jsonb_each_text(b.result -> 'counts')"
        " WHERE b.workspace_id = %s AND b.run_id = %s AND b.part = %s GROUP BY key",
        (run.workspace_id, run.id, part),
    )
    counts = Counter({row[0]: int(row[1]) for row in await found.fetchall()})
    counts["listed"] += sum(counts[outcome] for outcome in _OUTCOMES)
    return counts


async def end_part(
    db: Connection,
    run: RunRef,
    *,
    counts: Mapping[str, int],
    progress: Mapping[str, Json],
    cursor: Cursor | None = None,
    aliases: Json = None,
) -> None:
    """A partition has been read to its end, and this is all that it did. Raises `Fenced`."""
    where = None if cursor is None else {"version": cursor.version, "value": cursor.value}
    async with db.transaction():
        await hold(db, run)
        await db.execute(
            "UPDATE run_parts SET over = true, counts = %s, progress = %s, cursor = %s,"
            " aliases = %s WHERE workspace_id = %s AND run_id = %s AND part = %s",
            (
                Jsonb(dict(counts)),
                Jsonb(dict(progress)),
                None if where is None else Jsonb(where),
                None if aliases is None else Jsonb(aliases),
                run.workspace_id,
                run.id,
                run.part,
            ),
        )
        await db.execute(
            "DELETE FROM run_batches WHERE workspace_id = %s AND run_id = %s AND part = %s",
            (run.workspace_id, run.id, run.part),
        )
        hit(Failpoint.PART_BEFORE_COMMIT)
    hit(Failpoint.PART_COMMITTED)


async def note_part(db: Connection, run: RunRef, progress: Mapping[str, Json]) -> None:
    """Extend the run's lease, and note how far this part and so the run has come.

    Raises `Fenced` where either is another's.
    """
    names = {"workspace": run.workspace_id, "run": run.id, "part": run.part}
    found = await db.execute(
        "UPDATE run_parts SET progress = %(progress)s WHERE workspace_id = %(workspace)s"
        " AND run_id = %(run)s AND part = %(part)s AND attempt = %(attempt)s",
        names | {"progress": Jsonb(dict(progress)), "attempt": run.attempt},
    )
    if found.rowcount == 0:
        raise Fenced(f"Part {run.part} of run {run.id} has been taken over by another worker.")
    found = await db.execute(
        "WITH sums AS (SELECT count(*) FILTER (WHERE over AND partition IS NOT NULL) AS over,"
        " count(partition) AS parts, bool_or(part = %(part)s AND partition IS NULL) AS closing,"
        " coalesce(sum((progress ->> 'current')::bigint), 0) AS current,"
        " coalesce(sum((progress ->> 'listed')::bigint), 0) AS listed,"
        " coalesce(sum((progress ->> 'changed')::bigint), 0) AS changed,"
        " coalesce(sum((progress ->> 'written')::bigint), 0) AS written,"
        " max((progress ->> 'total')::bigint) AS total FROM run_parts"
        " WHERE workspace_id = %(workspace)s AND run_id = %(run)s AND part > 0)"
        " UPDATE runs SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s),"
        " progress = jsonb_build_object('current', s.current, 'listed', s.listed,"
        " 'changed', s.changed, 'written', s.written, 'total', s.total, 'message',"
        " CASE WHEN s.closing THEN %(message)s"
        " ELSE format('%%s of %%s partitions read', s.over, s.parts) END, 'seconds',"
        " round(extract(epoch FROM clock_timestamp() - started_at),"
        " 1)) FROM sums s WHERE workspace_id = %(workspace)s AND id = %(run)s"
        " AND epoch = %(epoch)s AND state = 'running'",
        names
        | {"epoch": run.epoch, "lease": LEASE_SECONDS, "message": str(progress.get("message"))},
    )
    if found.rowcount == 0:
        raise Fenced(f"Run {run.id} has been taken over by another.")


async def read_parts(db: Connection, run: RunRef) -> list[Part]:
    """All parts, in order, when no partition is left to be read."""
    async with db.cursor(row_factory=class_row(Part)) as cursor:
        await cursor.execute(
            "SELECT p.part, p.partition, p.title, p.over, p.counts, p.cursor, p.aliases,"
            " p.progress, j.error FROM run_parts p LEFT JOIN LATERAL (SELECT error FROM jobs j"
            " WHERE NOT p.over AND j.dedupe_key"
            " = 'partition ' || p.workspace_id || '/' || p.run_id || '/' || p.part"
            " AND j.workspace_id = p.workspace_id AND j.connection_id = %s"
            " ORDER BY id DESC LIMIT 1) j ON true"
            " WHERE p.workspace_id = %s AND p.run_id = %s ORDER BY p.part",
            (run.connection_id, run.workspace_id, run.id),
        )
        parts = await cursor.fetchall()
    counted = []
    for part in parts:
        counts = Counter(part.counts)
        if not part.over:
            counts.update(await _lost_counts(db, run, part.part))
        counted.append(replace(part, counts=counts))
    return counted
