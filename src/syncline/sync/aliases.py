"""Entries that say they are another's document: who is whose, once everything has been read.

Decided at the end and in the order of ids, so that neither the order of arrival nor a crash
changes what comes out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from syncline.core.model import entry_key
from syncline.store.database import Connection
from syncline.store.manifest import look_up
from syncline.store.results import Alias
from syncline.store.runs import RunRef
from syncline.sync.dispatch import Dispatcher

__all__ = ["resolve", "settle_aliases"]


def resolve(
    claims: Mapping[str, str], stored: Mapping[str, str], live: Collection[str]
) -> dict[str, str]:
    """Whose document each claimant's is; a claimant that leads to itself has its own.

    `stored` are aliases that were not read by this run, by their target, and `live` the entries
    that have a document of their own. A chain is followed to its end. One that ends at nothing
    leaves the document to its last claimant, a circle to its smallest.
    """
    answers: dict[str, str] = {}
    for start in claims:
        path: dict[str, None] = {}
        at: str | None = start
        while at is not None and at not in path and at not in answers:
            path[at] = None
            at = claims.get(at) or stored.get(at)
        owner = answers.get(at) if at is not None else None
        if owner is None:
            owner = _owner(list(path), at, claims, live)
        answers |= {each: owner for each in path if each in claims}
    return answers


def _owner(
    path: Sequence[str], again: str | None, claims: Mapping[str, str], live: Collection[str]
) -> str:
    """Whose document all claimants on a path are; it ends, or comes to `again` once more."""
    if again is None and path[-1] in live and path[-1] not in claims:
        return path[-1]
    circle = [] if again is None else path[path.index(again) :]
    own = min((each for each in circle if each in claims), default=None)
    return own or next(each for each in reversed(path) if each in claims)


async def settle_aliases(
    dispatcher: Dispatcher, db: Connection, run: RunRef, fingerprint: bytes
) -> None:
    """Decide the aliases that a run has gathered.

    What leads to a live document is its alias; what leads nowhere keeps its own document.
    """
    pending = dict(dispatcher.aliases)
    if not pending:
        return
    claims = {entry_id: target for entry_id, (_, target) in pending.items()}
    stored, live = await _look_up_targets(dispatcher, db, run, claims)
    leads = resolve(claims, stored, live)
    for entry_id in sorted(leads):
        if leads[entry_id] == entry_id:
            await dispatcher.read_alone(pending[entry_id][0])
    await dispatcher.drain()
    if dispatcher.ended is not None:
        dispatcher.leave_aliases(but=[each for each in leads if leads[each] == each])
        return
    dispatcher.aliases.clear()
    for entry_id, target in sorted(leads.items()):
        if target != entry_id:
            item, _ = pending[entry_id]
            verdict = Alias(target, fingerprint)
            await dispatcher.note(item.entry, item.partition, item.revision, verdict)
    await dispatcher.drain()


async def _look_up_targets(
    dispatcher: Dispatcher, db: Connection, run: RunRef, claims: Mapping[str, str]
) -> tuple[dict[str, str], set[str]]:
    """What the store knows of where the claims lead: aliases by target, and live documents."""
    stored: dict[str, str] = {}
    live = {entry_id for done in dispatcher.flight.planned for entry_id, _ in done.created}
    asked: set[str] = set()
    wanted = set(claims.values()) - claims.keys()
    while wanted:
        for start in range(0, len(wanted), 500):
            some = sorted(wanted)[start : start + 500]
            async with dispatcher.exclusive():
                known = await look_up(db, run, [entry_key(target) for target in some])
            for row in known.values():
                if row.state == "stored" and row.live:
                    live.add(row.entry_id)
                elif row.state == "alias" and row.alias_of:
                    stored[row.entry_id] = row.alias_of
        asked |= wanted
        wanted = set(stored.values()) - claims.keys() - asked
    return stored, live
