"""Proposing a policy and deciding on one, each with its transaction."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from services.deadlines import policy_register
from services.deadlines import store as register
from services.deadlines.calendars import local_day
from services.deadlines.changes import store
from services.deadlines.changes.proposals import (
    AlreadyDecided,
    Decided,
    Decision,
    Flawed,
    OutOfDate,
    Proposal,
    ProposalState,
    Proposed,
    SamePerson,
    Unknown,
    examine,
    governs,
    new_state,
    still_fits,
)
from services.deadlines.policy import Policy
from services.deadlines.policy_files import Calendars, read
from services.deadlines.reports import over_the_past
from services.deadlines.what_if import Difference
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_id, utc_now

SECONDS = 10.0
"""How long a question over HTTP may read the past."""


class Changes:
    """Policies change by two people. What is approved is in force from its day in every process
    (`watching.py`)."""

    def __init__(
        self,
        db: Database,
        files: Sequence[Policy],
        calendars: Calendars,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._files = files
        self._calendars = calendars
        self._clock = clock

    async def what_if(
        self, text: str, file: str, seconds: float = SECONDS
    ) -> tuple[Policy, Difference] | Flawed:
        """What a policy file would have made of the past; it need not be fit to be proposed."""
        policy = await asyncio.to_thread(read, Path(file), self._calendars, text)
        if not isinstance(policy, Policy):
            return Flawed(policy)
        return policy, await self._asked(policy, seconds)

    async def propose(
        self, text: str, file: str, *, reason: str, by: str, seconds: float = SECONDS
    ) -> Proposed | Flawed:
        """Ask it of the past, and put it before a second person."""
        now = self._clock()
        today = local_day(now)
        async with self._db.transaction() as session:
            coming = await policy_register.read_book(session, self._files, today)
        policy = await asyncio.to_thread(examine, text, file, self._calendars, coming, today)
        if not isinstance(policy, Policy):
            return Flawed(policy)
        assert policy.effective_from is not None
        proposal = Proposal(
            proposal_id=new_id("prp"),
            policy=policy,
            text=text,
            against=governs(coming, policy.duty),
            difference=await self._asked(policy, seconds),
            effective_from=policy.effective_from,
            reason=reason,
            state=ProposalState.OPEN,
            proposed_by=by,
            proposed_at=now,
        )
        async with self._db.transaction() as session:
            await store.add(session, proposal)
        return Proposed(proposal)

    async def decide(self, proposal_id: str, *, approve: bool, by: str, decision: str) -> Decision:
        """Approve, which registers the version; or reject, or take back one's own."""
        now = self._clock()
        async with self._db.transaction() as session:
            await store.one_at_a_time(session)
            proposal = await store.get(session, proposal_id, lock=True)
            if proposal is None:
                return Unknown()
            if proposal.state is not ProposalState.OPEN:
                return AlreadyDecided()
            state = new_state(proposal, by, approve=approve)
            if state is None:
                return SamePerson()
            if state is ProposalState.APPROVED and not await self._register(session, proposal, now):
                return OutOfDate()
            return Decided(await store.close(session, proposal_id, state, by, decision, now))

    async def _register(self, session: Session, proposal: Proposal, now: datetime) -> bool:
        """False: it does not fit any more, and nothing was done."""
        coming = await policy_register.read_book(session, self._files, local_day(now))
        taken = coming.knows(proposal.policy.key)
        if taken or not still_fits(proposal, coming, now):
            return False
        await register.add_policies(session, [proposal.policy])
        return True

    async def _asked(self, policy: Policy, seconds: float) -> Difference:
        async with self._db.transaction() as session:
            book = await policy_register.read_book(session, self._files, local_day(self._clock()))
        return await over_the_past(self._db, book, policy, seconds)
