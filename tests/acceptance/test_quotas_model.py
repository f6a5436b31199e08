"""The quota ledger against a model: whatever is bought and given back, in any order."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from syncline.core.quota import Bucket, Quota
from syncline.settings import Settings
from syncline.store import quotas
from syncline.store.database import Connection, Database
from syncline.transport.ledger import Lot, Order, Sold, Told

_SHORT, _MIDDLE, _LONG = Bucket(3, 1), Bucket(20, 10), Bucket(40, 3600)
_QUOTAS: list[Quota] = [(_SHORT,), (_MIDDLE,), (_SHORT, _LONG), (_SHORT, _MIDDLE, _LONG)]
_PATIENCE = 20.0
_HORIZON = 2.0
_FINE = 32
_CLOCK = """
CREATE SCHEMA IF NOT EXISTS standstill;
CREATE OR REPLACE FUNCTION standstill.moment() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT to_timestamp(current_setting('syncline.standstill')::float8) $$;
GRANT USAGE ON SCHEMA standstill TO public;
"""
_SET_CLOCK = "SELECT set_config('syncline.standstill', %s, false)"
_BEGIN = 1_800_000_000.0
_keys = count(1)


class _Ledger(RuleBasedStateMachine):
    runner: asyncio.Runner
    db: Connection
    quota: Quota

    def __init__(self) -> None:
        super().__init__()
        self.key = f"test {next(_keys)}"
        self.now = _BEGIN
        """Stands still but for `time_passes`: what is drawn must not depend on our speed."""
        self.granted: list[float] = []
        """The moments of all tokens that were not given back, in order."""
        self.last = 0.0
        self.closed_until = 0.0
        self.told: tuple[float, int] | None = None
        """Until when, how many at most."""
        self.gave_back = False

    def _run(self, work: Any) -> Any:
        self.runner.run(self.db.execute(_SET_CLOCK, (str(self.now),)))
        return self.runner.run(work)

    def _buy(self, wanted: int, needed: int, **more: Any) -> list[Lot]:
        order = Order(self.quota, wanted, needed, _HORIZON, _PATIENCE, **more)
        sold = self._run(quotas.buy(self.db, self.key, order))
        if more.get("told"):
            self.told = (sold.now + more["told"].seconds, more["told"].left)
        got = sum(lot.count for lot in sold.lots)
        assert got <= wanted
        for number, lot in enumerate(sold.lots):
            before = sum(each.count for each in sold.lots[:number])
            assert sold.now <= lot.at <= sold.now + _PATIENCE
            assert lot.at <= sold.now + _HORIZON or before + lot.count <= needed
            assert lot.at >= min(self.closed_until, sold.now + _PATIENCE)
            # Who comes later does not get an earlier moment: nobody starves.
            assert self.gave_back or lot.at >= self.last
            self.last = max(self.last, lot.at)
            for _ in range(lot.count):
                insort(self.granted, lot.at)
        if self.told is not None:
            until, left = self.told
            self.told = (until, left - sum(lot.count for lot in sold.lots if lot.at < until))
            assert self.told[1] >= 0
        if wanted:
            self._is_not_kept_waiting(sold)
        return list(sold.lots)

    def _is_not_kept_waiting(self, sold: Sold) -> None:
        """The first token is for the moment when there is room, but for a slice's length."""
        if self.gave_back or self.told is not None:
            return
        first = sold.lots[0].at if sold.lots else sold.now + sold.wait
        got = sum(lot.count for lot in sold.lots)
        before = self.granted[: len(self.granted) - got]
        free = max([sold.now, self.closed_until, *before[-1:]])
        slack = 0.01
        for bucket in self.quota:
            if len(before) >= bucket.tokens:
                free = max(free, before[-bucket.tokens] + bucket.seconds)
                slack = max(slack, bucket.seconds / self._slices() + 0.01)
        assert first <= free + slack

    def _slices(self) -> int:
        """Of how many slices a bucket consists that few purchases were made of."""
        return 256 if len(set(self.granted)) < _FINE else 32

    @rule(wanted=st.integers(1, 12) | st.just(60), needed=st.integers(1, 4))
    def buy(self, wanted: int, needed: int) -> None:
        self._buy(max(wanted, needed), needed)

    @precondition(lambda self: self.granted)
    @rule(data=st.data(), share=st.integers(1, 30))
    def give_back(self, data: st.DataObject, share: int) -> None:
        at = data.draw(st.sampled_from(sorted(set(self.granted[-60:]))))
        first = bisect_left(self.granted, at)
        count_ = min(share, sum(1 for each in self.granted[first:] if each == at))
        del self.granted[first : first + count_]
        self.gave_back = True
        self.told = None
        self._buy(0, 0, back=(Lot(at, count_),))

    @rule(left=st.integers(0, 20), seconds=st.sampled_from([5.0, 15.0, 100.0]))
    def the_source_tells(self, left: int, seconds: float) -> None:
        self._buy(10, 1, told=Told(left, seconds))

    @rule(seconds=st.sampled_from([0.5, 5.0, 30.0]))
    def the_source_wants_a_rest(self, seconds: float) -> None:
        self._run(quotas.close_until(self.db, self.key, seconds, "it wants a rest"))
        found = self._run(
            self.db.execute(
                "SELECT extract(epoch FROM closed_until)::float8 FROM quotas WHERE key = %s",
                (self.key,),
            )
        )
        self.closed_until = self._run(found.fetchone())[0] - 1e-5

    @rule(seconds=st.sampled_from([0.06, 0.4, 0.93, 2.0, 9.3, 400.0, 3400.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def no_window_holds_more_than_its_bucket(self) -> None:
        """Wherever it begins."""
        for bucket in self.quota:
            for first, over in zip(self.granted, self.granted[bucket.tokens :], strict=False):
                assert over - first >= bucket.seconds - 1e-5


def test_the_ledger_never_grants_more_than_the_buckets_hold(server_settings: Settings) -> None:
    """In any stretch of time, with one bucket or several, and nobody waits longer than need be."""
    with asyncio.Runner() as runner:
        database = Database(server_settings)
        runner.run(database.open())
        owner = runner.run(database.connect_as_owner())
        db = runner.run(database.connect())
        try:
            runner.run(owner.execute(_CLOCK))
            runner.run(db.execute("SET search_path = standstill, syncline, public"))
            for quota in _QUOTAS:
                own = {"runner": runner, "db": db, "quota": quota}
                run_state_machine_as_test(
                    type("Ledger", (_Ledger,), own),
                    settings=settings(
                        max_examples=20,
                        stateful_step_count=50,
                        deadline=None,
                        suppress_health_check=list(HealthCheck),
                    ),
                )
        finally:
            runner.run(db.close())
            runner.run(owner.execute("DROP SCHEMA standstill CASCADE"))
            runner.run(owner.close())
            runner.run(database.close())
