"""Delivery against a small model, through crashes, zombies, late answers and amendments (P2, P8).

One child's notices for one agency. Hypothesis chooses what happens next and how far time goes on;
planner, claims, outcomes and reclaiming are the real ones, over a real database. The model knows
only what the promises say.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.store import Conflict
from services.notify.delivery import claim_store as delivery_store
from services.notify.delivery import outcome_store
from services.notify.delivery.attempts import Attempt, Ended
from services.notify.delivery.lanes import Slots
from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from shared.contracts.base import Source
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import new_id
from shared.runtime.wakes import Wakes
from tests.support.databases import TestServer
from tests.support.planning import NOW, Child, Planning, agency, seed

T = TypeVar("T")
DEADLINE = timedelta(seconds=10)
NOBODY = 424_242
"""An owner that holds no session: dead, as far as the database can tell."""
LAST_VERSION = 4
OUTBOX = Outbox(models.OUTBOX, Source.NOTIFY)
OUTCOMES = st.sampled_from(
    [Answered(200), Answered(500), Answered(410), Unknown(), NotSent(Obstacle.UNREACHABLE)]
)


class PowerCut(Exception):
    """In the middle of a transaction: nothing of it is kept."""


@dataclass
class Seen:
    """What the model knows of an attempt: its record, and every outcome that somebody reported."""

    attempt: Attempt
    at: datetime
    open: bool = True
    facts: set[str] = field(default_factory=set)


class Delivery(RuleBasedStateMachine):
    """Rules are what can happen to a notice; invariants are what must be true after each."""

    db: Database
    runner: asyncio.Runner

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.planning = Planning(self.db)
        self.child = Child()
        self.referral_id = new_id("ref")
        self.version = 0
        self.seen: dict[str, Seen] = {}
        self.conflict = False
        self.accepted: set[int] = set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def received(self) -> None:
        self._plan()

    @precondition(lambda self: self.version < LAST_VERSION)
    @rule()
    def amended(self) -> None:
        self._plan()

    @rule(later=st.sampled_from([0, 400]))
    def claimed(self, later: int) -> None:
        """At once, or when every retry is due."""
        self.now += timedelta(seconds=later)
        for attempt in self.run(self._claim(cut=False)):
            assert not self.conflict, "claimed in spite of a conflict (P3)"
            assert attempt.version == self.version, "an outdated version left (P8)"
            assert not self._open(), "another attempt was under way (P8)"
            assert self.version not in self.accepted, "sent again though it was accepted"
            self.seen[attempt.disclosure_id] = Seen(attempt, self.now)

    @rule()
    def killed_before_the_claims_commit(self) -> None:
        with suppress(PowerCut):
            self.run(self._claim(cut=True))

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), outcome=OUTCOMES)
    def ended(self, data: st.DataObject, outcome: Outcome) -> None:
        """Of any attempt that ever was: a zombie's answer may come when nobody waits for it."""
        seen = data.draw(st.sampled_from(list(self.seen.values())))
        ended = _ended(seen.attempt, outcome, self.now)
        assume(ended.fact not in seen.facts)
        self.run(self._record([ended], cut=False))
        self._learn(seen, ended)

    @precondition(lambda self: self.seen)
    @rule(outcome=OUTCOMES)
    def killed_before_the_outcomes_commit(self, outcome: Outcome) -> None:
        latest = list(self.seen.values())[-1]
        with suppress(PowerCut):
            self.run(self._record([_ended(latest.attempt, outcome, self.now)], cut=True))

    @rule(later=st.sampled_from([0, 11]))
    def reclaimed(self, later: int) -> None:
        """Its owner is dead: past its deadline an open attempt is unknown, and not before."""
        self.now += timedelta(seconds=later)
        due = {id_ for id_, seen in self._open().items() if seen.at + DEADLINE < self.now}
        found = self.run(self._reclaim())
        assert {each.disclosure_id for each in found} == due
        for ended in found:
            self._learn(self.seen[ended.disclosure_id], ended)

    @precondition(lambda self: not self.conflict and self.version > 1)
    @rule()
    def conflict_asserted(self) -> None:
        self.run(self._assert_conflict())
        self.conflict = True

    @invariant()
    def one_attempt_at_a_time_and_the_newest_only(self) -> None:
        open_ones = self._open()
        rows = self.run(self._deliveries())
        attempting = [row for row in rows if row.state == "attempting"]
        assert [row.open_disclosure_id for row in attempting] == list(open_ones)
        assert all(row.state not in ("pending", "blocked") for row in rows[:-1])

    @invariant()
    def what_was_accepted_is_delivered_and_nothing_else(self) -> None:
        for row in self.run(self._deliveries()):
            late = any(s.attempt.version == row.version for s in self._open().values())
            if row.version in self.accepted:
                assert row.delivered_at is not None
                assert row.state == "delivered" or late
            else:
                assert row.state != "delivered"

    @invariant()
    def the_record_holds_every_attempt_and_every_fact_once(self) -> None:
        on_record = self.run(self._facts())
        assert on_record == {id_: sorted(seen.facts) for id_, seen in self.seen.items()}

    @invariant()
    def the_newest_version_is_never_lost(self) -> None:
        rows = self.run(self._deliveries())
        if rows and not self.conflict:
            newest = rows[-1]
            assert newest.version == self.version
            waits_for_earlier = any(s.attempt.version < self.version for s in self._open().values())
            assert (newest.state == "blocked") == waits_for_earlier
            assert newest.state in ("pending", "blocked", "attempting", "delivered")

    def teardown(self) -> None:
        """Whatever happened: once the recipient answers, it has the newest version."""
        try:
            if self.version and not self.conflict:
                self._settle()
        finally:
            self.run(self._forget())

    def _settle(self) -> None:
        for _ in range(3):
            self.now += timedelta(hours=2)
            self.reclaimed(later=0)
            for attempt in self.run(self._claim(cut=False)):
                assert attempt.version == self.version
                seen = self.seen[attempt.disclosure_id] = Seen(attempt, self.now)
                ended = _ended(attempt, Answered(200), self.now)
                self.run(self._record([ended], cut=False))
                self._learn(seen, ended)
        assert self.run(self._deliveries())[-1].state == "delivered"

    def _open(self) -> dict[str, Seen]:
        return {id_: seen for id_, seen in self.seen.items() if seen.open}

    def _learn(self, seen: Seen, ended: Ended) -> None:
        """`Unknown` of what is over adds nothing; everything else is a fact, however late."""
        if ended.fact != "unknown" or seen.open:
            seen.facts.add(ended.fact)
            if ended.accepted:
                self.accepted.add(seen.attempt.version)
        seen.open = False

    def _plan(self) -> None:
        self.version += 1
        self.planning.now = self.now
        data = self.planning.announce(
            self.child, referral_id=self.referral_id, version=self.version
        )
        self.run(self.planning.plan(data))

    async def _claim(self, cut: bool) -> tuple[Attempt, ...]:
        async with self.db.transaction() as session:
            claim = await delivery_store.claim(
                session,
                OUTBOX,
                owner=NOBODY,
                slots=Slots(8, 8),
                busy={},
                batch=16,
                now=self.now,
                deadline=self.now + DEADLINE,
            )
            if cut:
                raise PowerCut
        return claim.attempts

    async def _record(self, ended: list[Ended], cut: bool) -> None:
        async with self.db.transaction() as session:
            await outcome_store.record(session, OUTBOX, ended, self.now, lambda: 0.5)
            if cut:
                raise PowerCut

    async def _reclaim(self) -> list[Ended]:
        async with self.db.transaction() as session:
            left = await outcome_store.abandoned(session, self.now)
            await outcome_store.record(session, OUTBOX, left, self.now, lambda: 0.5)
        return left

    async def _assert_conflict(self) -> None:
        async with self.db.transaction() as session:
            (told,) = await session.scalars(
                text("SELECT DISTINCT agency_id FROM notify.notices WHERE referral_id = :id"),
                {"id": self.referral_id},
            )
            conflict = Conflict(
                new_id("ast"), self.referral_id, None, (told,), "recusal", "person-a", self.now
            )
            await conflict_store.hold_agencies(session, [told])
            await conflict_store.insert(session, conflict)

    async def _deliveries(self) -> list[Any]:
        return await self._rows(
            "SELECT version, state, delivered_at, open_disclosure_id FROM notify.deliveries "
            "WHERE referral_id = :id ORDER BY version"
        )

    async def _facts(self) -> dict[str, list[str]]:
        rows = await self._rows(
            "SELECT disclosure_id, "
            "array_remove(array_agg(outcome ORDER BY outcome), NULL) AS facts "
            "FROM notify.disclosures JOIN notify.notices USING (notice_id) "
            "LEFT JOIN notify.disclosure_outcomes USING (disclosure_id) "
            "WHERE referral_id = :id GROUP BY disclosure_id"
        )
        return {row.disclosure_id: list(row.facts) for row in rows}

    async def _rows(self, query: str) -> list[Any]:
        async with self.db.transaction() as session:
            return list(await session.execute(text(query), {"id": self.referral_id}))

    async def _forget(self) -> None:
        """The next example's claims find nothing of this one, and an agency in good health."""
        async with self.db.transaction() as session:
            await session.execute(
                text("UPDATE notify.deliveries SET state = 'closed' WHERE state <> 'closed'")
            )
            await session.execute(
                text("UPDATE notify.agencies SET consecutive_failures = 0, hold_until = NULL")
            )
            await session.execute(text("DELETE FROM notify.paces"))


def _ended(attempt: Attempt, outcome: Outcome, at: datetime) -> Ended:
    return Ended(attempt.disclosure_id, attempt.notice_id, attempt.agency_id, outcome, at)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "limits", [{}, {"max_in_flight": 1, "max_per_minute": 1}], ids=["without limits", "with both"]
)
def test_p8_delivery_agrees_with_its_model_whatever_happens(
    postgres: TestServer, tmp_path: Path, limits: dict[str, int]
) -> None:
    fresh = postgres.new_database()
    with asyncio.Runner() as runner:
        db = Database.open(fresh.dsns["notify"].app, Wakes(), name="model", pool_size=2)
        runner.run(seed(db, [agency(2, "fbi", **limits)], tmp_path))
        machine = type("Delivery", (Delivery,), {"db": db, "runner": runner})
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=20 if limits else 40,
                    stateful_step_count=25,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(db.close())
    postgres.drop(fresh)
