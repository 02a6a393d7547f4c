"""Showing candidates to a person, and keeping that person's word on whether two are one."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from services.intake.access import Hidden, NotTheirs
from services.intake.answers import instant
from services.intake.matching import answer_store, store
from services.intake.matching.answer_store import Candidate, Side
from services.intake.matching.indexing import Indexing
from services.intake.matching.people import Contradiction, Pair, regroup
from services.intake.once import Answer, Asked, Once
from services.intake.receiving import KeyReused, StillOpen
from services.intake.retrying import until_known
from services.intake.statistics import standing_store
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_id

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """A person's word on a pair of children."""

    pair: Pair
    same: bool


Answered = Answer | KeyReused | StillOpen | NotTheirs | Contradiction


class Matching:
    """The units of work behind /v1/candidates."""

    def __init__(self, db: Database, once: Once, indexing: Indexing, hidden: Hidden) -> None:
        self._db = db
        self._once = once
        self._indexing = indexing
        self._hidden = hidden

    async def waiting(self, person: str, referral_id: str | None = None) -> Sequence[Candidate]:
        """Candidates without an answer, oldest first, of all that was kept by now; none with a
        child of a referral that this person is kept out of."""
        await until_known(self._indexing.catch_up)
        return await until_known(partial(self._waiting, person, referral_id))

    async def answer(self, asked: Asked, wanted: Wanted) -> Answered:
        """Keep the answer, and with it who is one person. It may be answered again."""
        await until_known(self._indexing.catch_up)

        async def work(session: Session) -> Answer | NotTheirs | Contradiction:
            referrals = await answer_store.referrals_of(session, wanted.pair)
            if await self._hidden(session, referrals, asked.owner) & set(referrals):
                return NotTheirs()
            return await _settle(session, asked, wanted)

        outcome: Answered = await self._once.do(asked, work)
        return outcome

    async def _waiting(self, person: str, referral_id: str | None) -> Sequence[Candidate]:
        async with self._db.transaction() as session:
            found = await answer_store.candidates(session, SHOWN, referral_id)
            named = sorted({side.referral_id for each in found for side in each.sides})
            hidden = await self._hidden(session, named, person)
        return [
            each for each in found if hidden.isdisjoint(side.referral_id for side in each.sides)
        ]


async def _settle(
    session: Session, asked: Asked, wanted: Wanted
) -> Answer | NotTheirs | Contradiction:
    await store.one_at_a_time(session)
    persons = await answer_store.persons_of(session, wanted.pair)
    if not set(wanted.pair) <= persons.keys():
        return NotTheirs()
    answers = await answer_store.answers_among(session, list(persons))
    settled = regroup(persons, answers | {wanted.pair: wanted.same}, lambda: new_id("per"))
    if isinstance(settled, Contradiction):
        return settled
    await answer_store.insert_answer(session, wanted.pair, wanted.same, asked.owner, asked.now)
    await answer_store.settle(session, settled)
    await standing_store.same_persons(session, settled)
    return Answer(_answer(wanted, settled))


def describe(found: Sequence[Candidate]) -> str:
    """The JSON of candidates: ids, numbers, and what kind of thing they share; no content."""
    return json.dumps(
        {
            "candidates": [
                {
                    "children": [_side(side) for side in each.sides],
                    "because": list(each.because),
                    "found_at": instant(each.found_at),
                }
                for each in found
            ]
        },
        separators=(",", ":"),
    )


def _answer(wanted: Wanted, settled: dict[str, str]) -> str:
    children = [{"child_id": each, "person_id": settled[each]} for each in wanted.pair]
    return json.dumps({"same": wanted.same, "children": children}, separators=(",", ":"))


def _side(side: Side) -> dict[str, str]:
    return {
        "child_id": side.child_id,
        "referral_id": side.referral_id,
        "number": side.number,
        "person_id": side.person_id,
    }
