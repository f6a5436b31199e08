"""The end of a run: what is gone, what has only moved, and what a person must decide."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from syncline.core.capabilities import Absence
from syncline.core.errors import BreakerOpen, HostHeld, SourceError
from syncline.core.model import Content, DocumentId, Entry, EntryKey, Gone, RunId, entry_key
from syncline.core.ports import Connector
from syncline.store.connections import ConnectionRow
from syncline.store.contents import collect_orphans
from syncline.store.database import Connection
from syncline.store.gone import (
    Candidate,
    Move,
    apply_gone,
    created_since,
    live_documents,
    mark_unlisted,
    pending,
)
from syncline.store.manifest import Known, aliases_of, look_up, note_seen, note_unlisted, unlisted
from syncline.store.results import Item, Same
from syncline.store.runs import RunRef, last_completed
from syncline.sync.dispatch import Dispatcher
from syncline.sync.guard import holds, match_moves
from syncline.sync.work import WorkItem

__all__ = ["Verdicts", "confirm_absent", "finish", "judge", "would_finish"]

_ASK_AT_ONCE = 8
_ASK_PAGE = 100
"""Answers that are held in memory together."""
_PAGE = 500


class Verdicts(Struct, frozen=True):
    """What becomes of the documents that are gone."""

    moves: Sequence[Move] = ()
    delete: Sequence[Candidate] = ()
    hold: Sequence[Candidate] = ()
    """Including those that were held already."""
    keep: Sequence[Candidate] = ()


def judge(
    row: ConnectionRow, gone: Sequence[Candidate], created: Sequence[Candidate], before: int
) -> Verdicts:
    """Moves first, then the guard. Pure; a plan asks the same."""
    moves = match_moves(gone, created)
    moved = {move.old.entry_key for move in moves}
    rest = [c for c in gone if c.entry_key not in moved]
    fresh = [c for c in rest if not c.held]
    held = [c for c in rest if c.held]
    if row.keep_deleted:
        return Verdicts(moves, keep=fresh, hold=held)
    if holds(len(rest), before, row.guard_fraction, row.guard_minimum):
        return Verdicts(moves, hold=rest)
    return Verdicts(moves, delete=fresh, hold=held)


async def finish(
    db: Connection,
    run: RunRef,
    row: ConnectionRow,
    connector: Connector,
    absence: Absence,
    dispatcher: Dispatcher,
    *,
    enumerated: bool,
    fingerprint: bytes,
) -> None:
    """Decide and store what is gone; collect what nothing points to any more."""
    report = dispatcher.flight.report
    if enumerated and absence is Absence.PROOF:
        await mark_unlisted(db, run)
    elif enumerated and absence is Absence.CONFIRM:
        await confirm_absent(db, run, row, connector, dispatcher, fingerprint)
    gone = await pending(db, run)
    if gone:
        after: RunId = await last_completed(db, run)
        created = await created_since(db, run, after, sorted({c.content_id for c in gone}))
        verdicts = judge(row, gone, created, await live_documents(db, run))
        await _free_aliases(db, run, dispatcher, verdicts.delete)
        await apply_gone(
            db,
            run,
            moves=verdicts.moves,
            delete=verdicts.delete,
            hold_back=[c for c in verdicts.hold if not c.held],
            keep=verdicts.keep,
            items=_lines(verdicts),
            counts=_counts(verdicts),
        )
        report.add(_counts(verdicts))
    while await collect_orphans(db, run.workspace_id):
        pass


async def _free_aliases(
    db: Connection, run: RunRef, dispatcher: Dispatcher, delete: Sequence[Candidate]
) -> None:
    """Before a document goes: who shared it gets one of its own, so that nothing is missing."""
    sharing = await aliases_of(db, run, [c.entry_key for c in delete])
    going = {c.entry_key for c in delete}
    left = [known for key, known in sorted(sharing.items()) if key not in going and not known.gone]
    if not left:
        return
    listed = await note_seen(db, run, [known.entry_key for known in left])
    for known in left:
        if known.entry_key in listed:
            dispatcher.flight.report.tally["alias"] -= 1  # it is counted anew
        else:
            dispatcher.flight.report.tally["listed"] += 1
        dispatcher.flight.begin(known.entry_key, lambda: None)
        entry = Entry(known.entry_id, known.version, known.locator)
        await dispatcher.read_alone(WorkItem(entry, known.partition, known.revision))
    await dispatcher.drain()
    if dispatcher.ended is not None:
        raise dispatcher.ended  # or what they share would go before they have their own


def _counts(verdicts: Verdicts) -> Counter[str]:
    """What was counted as something else by now has moved."""
    counts = Counter(
        moved=len(verdicts.moves),
        deleted=len(verdicts.delete),
        held=len(verdicts.hold),
        kept_deleted=len(verdicts.keep),
    )
    counts.subtract(move.new.outcome for move in verdicts.moves)
    return counts


def _lines(verdicts: Verdicts) -> list[Item]:
    return [
        *(Item("moved", m.new.entry_id, f"moved from {m.old.entry_id}") for m in verdicts.moves),
        *(Item("deleted", c.entry_id, c.reason) for c in verdicts.delete),
        *(Item("held", c.entry_id, c.reason) for c in verdicts.hold),
        *(Item("kept", c.entry_id, c.reason) for c in verdicts.keep),
    ]


async def would_finish(
    db: Connection,
    run: RunRef,
    row: ConnectionRow,
    connector: Connector,
    absence: Absence,
    dispatcher: Dispatcher,
    *,
    enumerated: bool,
    fingerprint: bytes,
) -> None:
    """What `finish` would decide, counted; nothing is written."""
    gone = {c.entry_key: c for c in await pending(db, run)}
    reasons = {entry_key(i): why for done in dispatcher.flight.planned for i, why in done.removed}
    for start in range(0, len(reasons), _PAGE):
        keys = sorted(reasons)[start : start + _PAGE]
        for known in (await look_up(db, run, keys)).values():
            gone.setdefault(known.entry_key, _candidate(known, reasons[known.entry_key]))
    hashes: dict[bytes, int] = {}
    if enumerated and absence is not Absence.NOTHING:
        confirm = absence is Absence.CONFIRM
        missing = (
            await confirm_absent(db, run, row, connector, dispatcher, fingerprint)
            if confirm
            else await _all_unlisted(db, run)
        )
        for known in missing:
            reason = "no longer listed by the source"
            gone.setdefault(known.entry_key, _candidate(known, reason, unlisted=True))
            if known.content_hash is not None and known.content_id is not None:
                hashes[known.content_hash] = known.content_id
    created = [
        Candidate(DocumentId(0), entry_key(i), i, hashes[h], None, outcome="created")
        for done in dispatcher.flight.planned
        for i, h in done.created
        if h in hashes
    ]
    verdicts = judge(row, list(gone.values()), created, await live_documents(db, run))
    dispatcher.flight.report.add(_counts(verdicts))
    for line in _lines(verdicts):
        dispatcher.flight.report.sample(line.kind, line.entry_id)


async def _all_unlisted(db: Connection, run: RunRef) -> list[Known]:
    found: list[Known] = []
    after = b""
    while page := await unlisted(db, run, after=after, limit=_PAGE):
        after = max(page)
        found += page.values()
    return found


def _candidate(known: Known, reason: str, *, unlisted: bool = False) -> Candidate:
    assert known.content_id is not None
    return Candidate(
        DocumentId(0),
        known.entry_key,
        known.entry_id,
        known.content_id,
        None,
        reason,
        unlisted,
        held=known.gone == "held",
    )


async def confirm_absent(
    db: Connection,
    run: RunRef,
    row: ConnectionRow,
    connector: Connector,
    dispatcher: Dispatcher,
    fingerprint: bytes,
) -> list[Known]:
    """Ask the source once more for what it no longer lists; answer (and mark) what is gone.

    Gone is also what has become another document's address, by a redirect. What is still there
    is read like any other entry.
    """
    gone: list[Known] = []
    elsewhere: list[Known] = []
    slots = asyncio.Semaphore(_ASK_AT_ONCE)
    after = b""
    while True:
        page = await unlisted(db, run, recheck=row.recheck_seconds, after=after, limit=_ASK_PAGE)
        if not page:
            break
        after = max(page)
        answers = await asyncio.gather(
            *(_ask(connector, known, fingerprint, slots) for known in page.values())
        )
        there: list[EntryKey] = []
        for known, answer in zip(page.values(), answers, strict=True):
            if isinstance(answer, Gone):
                gone.append(known)
            elif isinstance(answer, SourceError):
                reason = f"no longer listed, and asking for it failed: {answer}"
                dispatcher.flight.report.warnings.append(f"{known.entry_id}: {reason}")
            elif answer is not None and await _is_anothers(dispatcher, db, run, answer):
                elsewhere.append(known)
            else:
                there.append(known.entry_key)
                await _still_there(dispatcher, db, run, known, answer)
        await dispatcher.drain()
        if not dispatcher.plan:
            await note_unlisted(db, run, there)
    if not dispatcher.plan:
        await mark_unlisted(
            db,
            run,
            only=[known.entry_key for known in gone],
            reason="no longer listed, and the source answers that it is gone",
        )
        if elsewhere:
            await mark_unlisted(
                db,
                run,
                only=[known.entry_key for known in elsewhere],
                reason="no longer listed, and redirects to another document",
            )
    return gone + elsewhere


async def _ask(
    connector: Connector, known: Known, fingerprint: bytes, slots: asyncio.Semaphore
) -> Content | Gone | SourceError | None:
    # An unchanged answer would settle nothing where the pipeline has changed.
    validators = known.validators if known.fingerprint == fingerprint else None
    async with slots:
        try:
            answer = await connector.fetch(known.locator, validators or None)
        except (HostHeld, BreakerOpen):
            raise
        except SourceError as error:
            return error
    return answer if isinstance(answer, Content | Gone) else None


async def _is_anothers(
    dispatcher: Dispatcher, db: Connection, run: RunRef, content: Content
) -> bool:
    """Whether what came is another entry's, which has a live document."""
    target = content.alias_of
    if target is None:
        return False
    if any(
        target == entry_id for done in dispatcher.flight.planned for entry_id, _ in done.created
    ):
        return True
    async with dispatcher.exclusive():
        known = (await look_up(db, run, [entry_key(target)])).get(entry_key(target))
    return known is not None and (
        (known.state == "stored" and known.live) or (known.state == "alias" and known.target_live)
    )


async def _still_there(
    dispatcher: Dispatcher, db: Connection, run: RunRef, known: Known, content: Content | None
) -> None:
    entry = Entry(known.entry_id, known.version, known.locator)
    async with dispatcher.exclusive():
        await note_seen(db, run, [known.entry_key])
    dispatcher.flight.report.tally["listed"] += 1
    dispatcher.flight.begin(known.entry_key, lambda: None)
    if content is None:
        await dispatcher.note(entry, known.partition, known.revision, Same(), known.validators)
    else:
        item = WorkItem(
            entry,
            known.partition,
            known.revision,
            content,
            follow_canonical=False,
            cost=len(content.data),
        )
        await dispatcher.prepare(item)
