"""Entries that say they are another's document: who is whose, once everything has been read.

Decided at the end and in the order of ids, so that neither the order of arrival nor a crash
changes what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping

from syncline.core.model import entry_key
from syncline.store.database import Connection
from syncline.store.manifest import look_up
from syncline.store.results import Alias
from syncline.store.runs import RunRef
from syncline.sync.dispatch import Dispatcher
from syncline.sync.work import WorkItem

__all__ = ["resolve", "settle_aliases"]


def resolve(claims: Mapping[str, str]) -> dict[str, str]:
    """Where each claim leads: along the chain, and in a circle to its smallest id.

    An id that leads to itself keeps a document of its own.
    """
    answers = {}
    for start in claims:
        path = [start]
        while path[-1] in claims:
            following = claims[path[-1]]
            if following in path:
                path.append(min(path[path.index(following) :]))
                break
            path.append(following)
        answers[start] = path[-1]
    return answers


async def settle_aliases(
    dispatcher: Dispatcher, db: Connection, run: RunRef, fingerprint: bytes
) -> None:
    """Decide the aliases that a run has gathered.

    What leads to a live document is its alias; what leads nowhere keeps its own document.
    """
    pending, dispatcher.aliases = dispatcher.aliases, {}
    if not pending:
        return
    leads = resolve({entry_id: target for entry_id, (_, target) in pending.items()})
    own = {entry_id for entry_id, target in leads.items() if entry_id == target}
    await _keep_own(dispatcher, pending, own)
    targets = sorted(set(leads.values()))
    found: dict[str, str] = {}
    for start in range(0, len(targets), 500):
        some = targets[start : start + 500]
        async with dispatcher.exclusive():
            known = await look_up(db, run, [entry_key(target) for target in some])
        for row in known.values():
            if row.state == "stored" and row.live:
                found[row.entry_id] = row.entry_id
            elif row.state == "alias" and row.target_live and row.alias_of:
                found[row.entry_id] = row.alias_of
    if dispatcher.plan:
        found |= {entry_id: entry_id for done in dispatcher.planned for entry_id, _ in done.created}
    nowhere = {i for i, target in leads.items() if i not in own and target not in found}
    await _keep_own(dispatcher, pending, nowhere)
    for entry_id in sorted(set(leads) - own - nowhere):
        item, _ = pending[entry_id]
        verdict = Alias(found[leads[entry_id]], fingerprint)
        await dispatcher.note(item.entry, item.partition, item.revision, verdict)
    await dispatcher.drain()


async def _keep_own(
    dispatcher: Dispatcher, pending: Mapping[str, tuple[WorkItem, str]], ids: set[str]
) -> None:
    for entry_id in sorted(ids):
        item, _ = pending[entry_id]
        await dispatcher.read_alone(item)
    await dispatcher.drain()
