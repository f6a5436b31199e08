"""The quota ledger: how many requests each source still takes, of all workers and machines.

One of the few files that look across workspaces: a limit is the source's, whichever of us uses
it. The keys are digests and host names, and nothing else of a workspace is noted.

Buying is one statement (`buy_tokens` in schema.sql). It keeps, for each bucket, the moments of the
last grants in slices, the first 32 of a 256th of the bucket's length and the others of a 32nd,
and answers with moments rather than with yes or no: who comes when the bucket is empty gets the
next moments that are free, in the order of coming, and waits for them without asking again.
"""

from __future__ import annotations

from syncline.store.database import Connection
from syncline.transport.ledger import Lot, Order, Sold

__all__ = ["buy", "close_until", "forget_quotas"]

_BUY = """
SELECT asked_at, grant_at, granted, why FROM buy_tokens(%(key)s, %(tokens)s::int[],
    %(seconds)s::float8[], %(wanted)s::int, %(needed)s::int, %(horizon)s::float8,
    %(patience)s::float8, %(limit)s::int, %(left)s::int, %(reset)s::float8,
    %(back_at)s::float8[], %(back_counts)s::int[])
"""


async def buy(db: Connection, key: str, order: Order) -> Sold:
    """Buy tokens of a key's quota, and give others back."""
    told = order.told
    found = await db.execute(
        _BUY,
        {
            "key": key,
            "tokens": [bucket.tokens for bucket in order.buckets],
            "seconds": [bucket.seconds for bucket in order.buckets],
            "wanted": order.wanted,
            "needed": order.needed,
            "horizon": order.horizon,
            "patience": order.patience,
            "limit": None if told is None else told.limit,
            "left": None if told is None else told.left,
            "reset": None if told is None else told.seconds,
            "back_at": [lot.at for lot in order.back],
            "back_counts": [lot.count for lot in order.back],
        },
    )
    rows = await found.fetchall()
    now, at, count, reason = rows[0]
    if count == 0:
        return Sold(now, (), wait=at - now, reason=reason)
    return Sold(now, [Lot(at, count) for _, at, count, _ in rows])


async def close_until(db: Connection, key: str, seconds: float, reason: str) -> None:
    """No tokens for the next `seconds`, unless it is closed for longer already."""
    await db.execute(
        "INSERT INTO quotas AS q (key, closed_until, reason)"
        " VALUES (%s, moment() + make_interval(secs => %s), %s)"
        " ON CONFLICT (key) DO UPDATE SET touched_at = moment(),"
        " reason = CASE WHEN q.closed_until > EXCLUDED.closed_until THEN q.reason"
        " ELSE EXCLUDED.reason END,"
        " closed_until = greatest(q.closed_until, EXCLUDED.closed_until)",
        (key, seconds, reason),
    )


async def forget_quotas(db: Connection, *, older_than: float, most: int) -> int:
    """Remove up to `most` keys that nobody has used for `older_than` seconds; answer how many.

    Longer than any bucket, or a limit that is used up would begin anew.
    """
    found = await db.execute(
        "DELETE FROM quotas WHERE key IN (SELECT q.key FROM quotas q"
        " WHERE q.touched_at < moment() - make_interval(secs => %s)"
        " AND coalesce(greatest(q.closed_until, q.told_until) < moment(), true)"
        " AND NOT EXISTS (SELECT FROM quota_buckets b WHERE b.key = q.key"
        " AND q.touched_at > moment() - make_interval(secs => 2 * b.seconds))"
        " ORDER BY q.touched_at LIMIT %s FOR UPDATE SKIP LOCKED)",
        (older_than, most),
    )
    return found.rowcount
