"""Keeping out who has a conflict (C17, C18): one assertion holds from its commit on."""

from collections.abc import Callable, Sequence
from functools import partial

from services.intake import child_store
from services.intake.blind import BlindIndex
from services.intake.child_store import ChildRow
from services.intake.hart import lift_store, lifts, store
from services.intake.hart.consults import NotTheirs
from services.intake.hart.lifts import Done, Goes, Lift, SameHands, Unproposed
from services.intake.hart.schemas import Ground, NewRecusal
from services.intake.hart.store import RecusalRow
from services.intake.once import Answer, Asked, Once, answer
from services.intake.receiving import KeyReused, StillOpen
from services.intake.sealed_notes import Notes
from shared.runtime.db import Session
from shared.runtime.ids import new_id

Declined = Done | Unproposed | SameHands
Lifted = Answer | Declined | NotTheirs | KeyReused | StillOpen


class Recusals:
    """Who is kept out of which referral. Who it is and why lie sealed and blind-indexed."""

    def __init__(self, once: Once, notes: Notes, blind: BlindIndex) -> None:
        self._once = once
        self._notes = notes
        self._blind = blind

    async def bar(
        self, ask: Asked, wanted: NewRecusal
    ) -> Answer | NotTheirs | KeyReused | StillOpen:
        """Assert somebody's conflict. It does not say whether they were kept out before; for who
        is kept out already there is no such referral, and so nobody whom they could keep out."""

        async def work(session: Session) -> Answer | NotTheirs:
            first = await child_store.first_child(session, wanted.referral_id)
            child = first and await self.child(session, wanted.referral_id, first, ask.owner)
            if not child:
                return NotTheirs()
            recusal_id = await self.keep(session, ask, child, wanted.person, wanted.ground)
            return answer(recusal_id=recusal_id)

        return await self._once.do(ask, work)

    async def propose(self, ask: Asked, recusal_id: str) -> Lifted:
        """Propose that a recusal be lifted. It holds until another person confirms."""
        return await self._step(ask, recusal_id, lift_store.PROPOSED, lifts.propose)

    async def confirm(self, ask: Asked, recusal_id: str) -> Lifted:
        """Lift it, as somebody else than who proposed that."""
        decide = partial(lifts.confirm, caller=ask.owner)
        return await self._step(ask, recusal_id, lift_store.CONFIRMED, decide)

    async def _step(
        self, ask: Asked, recusal_id: str, step: str, decide: Callable[[Lift], Goes | Declined]
    ) -> Lifted:
        """For who is recused there is no such recusal."""

        async def work(session: Session) -> Answer | Declined | NotTheirs:
            held = await lift_store.hold(session, recusal_id)
            if held is None or await self.barred(session, held.referral_id, ask.owner):
                return NotTheirs()
            outcome = decide(held.lift)
            if not isinstance(outcome, Goes):
                return outcome
            await lift_store.append(session, recusal_id, step, ask.owner, ask.now)
            return answer(recusal_id=recusal_id, step=step)

        return await self._once.do(ask, work)

    async def keep(
        self, session: Session, ask: Asked, child: ChildRow, person: str, ground: Ground
    ) -> str:
        """Write one down in the caller's transaction; its id."""
        recusal_id = new_id("rcs")
        note = {"person": person, "ground": ground.value}
        row = RecusalRow(
            recusal_id=recusal_id,
            referral_id=child.referral_id,
            person_index=self._blind.person(child.referral_id, person)[0],
            child_id=child.child_id,
            sealed=self._notes.seal(child.key, "recusals", recusal_id, note),
            recorded_by=ask.owner,
            recorded_at=ask.now,
        )
        await store.recuse(session, row)
        return recusal_id

    async def barred(self, session: Session, referral_id: str, person: str) -> bool:
        """Whether this person is kept out of this referral."""
        return await lift_store.recused(
            session, referral_id, self._blind.person(referral_id, person)
        )

    async def child(
        self, session: Session, referral_id: str, child_id: str, person: str
    ) -> ChildRow | None:
        """The child, held; None if there is none, or not for this person."""
        child = await child_store.hold(session, referral_id, child_id)
        if child is None or await self.barred(session, referral_id, person):
            return None
        return child

    async def hidden(self, session: Session, referral_ids: Sequence[str], person: str) -> set[str]:
        """Those of the referrals that this person is kept out of."""
        indexes = [index for each in referral_ids for index in self._blind.person(each, person)]
        return await lift_store.barred_from(session, indexes)
