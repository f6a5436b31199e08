"""The queue against a model: whatever workers, people and clocks do, in any order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from syncline.core.errors import UsageError
from syncline.core.jobs import (
    ATTEMPTS,
    LOSSES,
    ClaimedJob,
    Dead,
    Done,
    Lost,
    Outcome,
    Released,
    Retry,
    Snooze,
)
from syncline.core.model import WorkspaceId
from syncline.settings import Settings
from syncline.store import jobs
from syncline.store.database import Connection, Database
from syncline.store.jobs_read import cancel_job, retry_job
from syncline.store.sync_queue import hurry
from syncline.store.workspaces import make_workspace
from tests.support.queue import job, rows, shift_clock

_CAUSE = {"code": "transient", "message": "no"}
_WAIT = 100.0
_LIVE = ("waiting", "ready", "running")
_OUTCOMES: dict[str, Outcome] = {
    "done": Done(),
    "retry": Retry(_WAIT, _CAUSE),
    "retry at once": Retry(0, _CAUSE),
    "snooze": Snooze(_WAIT, _CAUSE),
    "released": Released(),
    "dead": Dead(_CAUSE),
    "lost": Lost(_WAIT, _CAUSE),
    "lost, at once": Lost(0, _CAUSE),
}


@dataclass
class _Model:
    """What a job should be."""

    key: str | None
    state: str = "ready"
    attempts: int = 0
    epoch: int = 0
    cancel: bool = False
    losses: int = 0
    """How often in a row it has lost the database, while others have not."""
    outlived: bool = False
    """Another was done while it waited for the database."""
    until: float = 0.0
    """When it becomes ready, or its lease lapses, by the moved clock."""


@dataclass
class _Server:
    """One event loop and one session, for all examples."""

    runner: asyncio.Runner
    db: Connection
    workspace: WorkspaceId
    numbers: list[int] = field(default_factory=list)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)


class _Queue(RuleBasedStateMachine):
    server: _Server

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.known: dict[int, _Model] = {}
        self.claims: list[ClaimedJob] = []
        self._run(self.server.db.execute("DELETE FROM jobs"))
        self._run(shift_clock(self.server.db, 0))

    def _run(self, work: Any) -> Any:
        return self.server.run(work)

    def _in(self, *states: str) -> list[int]:
        return sorted(id_ for id_, model in self.known.items() if model.state in states)

    @precondition(lambda self: len(self.known) < 4)
    @rule(key=st.sampled_from([None, "a"]))
    def enqueue(self, key: str | None) -> None:
        made = self._run(jobs.enqueue(self.server.db, [job(self.server.workspace, dedupe_key=key)]))
        taken = key is not None and any(
            model.key == key and model.state in _LIVE for model in self.known.values()
        )
        assert len(made) == (0 if taken else 1)
        self.known |= {id_: _Model(key) for id_ in made}

    @rule(most=st.integers(1, 3))
    def claim(self, most: int) -> None:
        self._claim(most)

    def _claim(self, most: int) -> None:
        ready = len(self._in("ready"))
        claimed = self._run(jobs.claim(self.server.db, "us", most=most, per_key=9))
        assert len(claimed) == min(most, ready)
        for each in claimed:
            model = self.known[each.id]
            model.state, model.cancel = "running", False
            model.attempts += 1
            model.epoch += 1
            model.until = self.now + jobs.LEASE_SECONDS
            assert (each.attempts, each.epoch) == (model.attempts, model.epoch)
        self.claims = [*self.claims, *claimed][-6:]

    @precondition(lambda self: self.claims)
    @rule(chance=st.data(), what=st.sampled_from(sorted(_OUTCOMES)))
    def finish(self, chance: st.DataObject, what: str) -> None:
        """Also by one that has lost the job, and more than once."""
        self._finish(chance.draw(st.sampled_from(self.claims)), what)

    @precondition(lambda self: self._in("running"))
    @rule(chance=st.data(), beside=st.booleans())
    def a_job_ends_its_session_again_and_again(self, chance: st.DataObject, beside: bool) -> None:
        """While others get through, or while none does."""
        id_ = chance.draw(st.sampled_from(self._in("running")))
        for _ in range(LOSSES + ATTEMPTS):
            mine = [each for each in self.claims if each.id == id_]
            if not mine or self.known[id_].state != "running":
                return
            self._finish(mine[-1], "lost" if beside else "lost, at once")
            if beside and self.known[id_].state == "waiting":
                self._run(jobs.enqueue(self.server.db, [job(self.server.workspace, priority=99)]))
                (other,) = self._run(jobs.claim(self.server.db, "us", most=1, per_key=9))
                assert self._run(jobs.finish(self.server.db, [(other, Done())])) == {
                    other.id: "done"
                }
                self._another_was_done()
                self.now = 10 + max(self.known[n].until for n in self._in("waiting"))
                self._run(shift_clock(self.server.db, self.now))
                self._promote()
            self._claim(9)

    def _another_was_done(self) -> None:
        for model in self.known.values():
            if model.state == "waiting" and model.losses:
                model.outlived = True

    def _finish(self, claimed: ClaimedJob, what: str) -> None:
        told = self._run(jobs.finish(self.server.db, [(claimed, _OUTCOMES[what])]))
        model = self.known.get(claimed.id)
        if model is None or model.state != "running" or model.epoch != claimed.epoch:
            assert told == {}
            return
        if what == "done":
            del self.known[claimed.id]
            self._another_was_done()
            assert told == {claimed.id: "done"}
            return
        tried = what.startswith("retry")
        wait = 0.0 if what in ("retry at once", "released", "lost, at once") else _WAIT
        if what.startswith("lost"):
            others = any(each.losses for each in self.known.values() if each is not model)
            if not model.losses or model.outlived or not others:
                model.losses += 1
            tried = model.losses > LOSSES
            wait *= 2 ** min(model.losses - 1, 6)
        elif what != "released":
            model.losses = 0
        model.outlived = model.outlived and what == "released"
        if model.cancel:
            model.state = "cancelled"
        elif what == "dead" or (tried and model.attempts >= ATTEMPTS):
            model.state = "dead"
        else:
            model.state = "waiting" if wait else "ready"
            model.until = self.now + wait
        model.attempts -= not (tried or what == "dead")
        model.cancel = False
        assert told == {claimed.id: model.state}

    def _lost(self) -> list[ClaimedJob]:
        """Claims of jobs that somebody runs by another claim."""
        return [
            claimed
            for claimed in self.claims
            if (model := self.known.get(claimed.id)) is not None
            and model.state == "running"
            and model.epoch != claimed.epoch
        ]

    @precondition(lambda self: self._lost())
    @rule()
    def who_has_lost_a_job_is_not_heard(self) -> None:
        for claimed in self._lost():
            for outcome in _OUTCOMES.values():
                assert self._run(jobs.finish(self.server.db, [(claimed, outcome)])) == {}

    @precondition(lambda self: self.claims)
    @rule(chance=st.data())
    def renew(self, chance: st.DataObject) -> None:
        claimed = chance.draw(st.sampled_from(self.claims))
        kept = self._run(
            jobs.renew(self.server.db, [(claimed.id, claimed.epoch)], owner=claimed.owner)
        )
        model = self.known.get(claimed.id)
        if model is None or model.state != "running" or model.epoch != claimed.epoch:
            assert kept == {}
            return
        model.until = self.now + jobs.LEASE_SECONDS
        assert kept == {(claimed.id, claimed.epoch): model.cancel}

    @rule(seconds=st.sampled_from([10.0, 90.0, 250.0, 400.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self._run(shift_clock(self.server.db, self.now))

    @precondition(
        lambda self: all(abs(self.known[n].until - self.now) > 5 for n in self._in("waiting"))
    )
    @rule()
    def promote(self) -> None:
        self._promote()

    def _promote(self) -> None:
        # Real time passes too: what is on the edge may be either.
        due = [id_ for id_ in self._in("waiting") if self.known[id_].until <= self.now + 5]
        assert self._run(jobs.promote(self.server.db)) == len(due)
        for id_ in due:
            self.known[id_].state = "ready"

    @rule()
    def rescue(self) -> None:
        lapsed = [id_ for id_ in self._in("running") if self.known[id_].until <= self.now + 5]
        assert sorted(row["id"] for row in self._run(jobs.rescue(self.server.db))) == lapsed
        for id_ in lapsed:
            model = self.known[id_]
            again = "waiting" if model.attempts > 1 else "ready"
            dead = "dead" if model.attempts >= ATTEMPTS else again
            model.state = "cancelled" if model.cancel else dead
            model.until = self.now + 60 + id_ % 60
            model.cancel = False
            model.epoch += 1

    @precondition(lambda self: self.known)
    @rule(chance=st.data())
    def cancel(self, chance: st.DataObject) -> None:
        id_ = chance.draw(st.sampled_from(sorted(self.known)))
        model = self.known[id_]
        if model.state not in _LIVE:
            with pytest.raises(UsageError):
                self._run(cancel_job(self.server.db, self.server.workspace, id_))
            return
        self._run(cancel_job(self.server.db, self.server.workspace, id_))
        if model.state == "running":
            model.cancel = True
        else:
            model.state = "cancelled"

    @precondition(lambda self: self.known)
    @rule(chance=st.data())
    def retry(self, chance: st.DataObject) -> None:
        id_ = chance.draw(st.sampled_from(sorted(self.known)))
        model = self.known[id_]
        taken = model.key is not None and any(
            other.key == model.key and other.state in _LIVE and other is not model
            for other in self.known.values()
        )
        if taken or model.state in ("ready", "running"):
            with pytest.raises(UsageError):
                self._run(retry_job(self.server.db, self.server.workspace, id_))
            return
        self._run(retry_job(self.server.db, self.server.workspace, id_))
        model.state, model.attempts, model.losses = "ready", 0, 0

    @rule(force=st.booleans())
    def a_person_is_in_a_hurry(self, force: bool) -> None:
        """What waits with the key is ready; by force also what runs, which its worker has lost."""
        self._run(hurry(self.server.db, ["a"], {"force": True} if force else {}))
        for model in self.known.values():
            if model.key != "a" or model.state not in _LIVE:
                continue
            if model.state == "running":
                if not force:
                    continue
                model.epoch += 1
            model.state, model.attempts = "ready", 0

    @invariant()
    def the_table_is_as_the_model_says(self) -> None:
        assert self._run(rows(self.server.db, self.server.workspace)) == [
            (id_, model.state, model.attempts, model.epoch)
            for id_, model in sorted(self.known.items())
        ]


def test_the_queue_does_what_the_model_says(server_settings: Settings, workspace_name: str) -> None:
    """Claims, ends, losses, renewals, lapses, force, cancellations and retries, in every order."""
    with asyncio.Runner() as runner:
        database = Database(server_settings)
        runner.run(database.open())
        db = runner.run(database.connect())
        try:
            runner.run(jobs.hold_worker(db, "us"))
            workspace = runner.run(make_workspace(db, workspace_name))
            _Queue.server = _Server(runner, db, workspace)
            run_state_machine_as_test(
                _Queue,
                settings=settings(
                    max_examples=50,
                    stateful_step_count=40,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(db.close())
            runner.run(database.close())
