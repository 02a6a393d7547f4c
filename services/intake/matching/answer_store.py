"""The SQL of candidates, answers and persons. Never commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.intake.matching.people import Pair
from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class Side:
    """A child of a candidate: ids and the number, no content."""

    child_id: str
    referral_id: str
    number: str
    person_id: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Two children that may be one."""

    sides: tuple[Side, Side]
    because: Sequence[str]
    found_at: datetime


async def candidates(
    session: Session, limit: int, referral_id: str | None = None
) -> Sequence[Candidate]:
    """Those that wait for an answer, oldest first; of one referral, or of all."""
    rows = await session.execute(_CANDIDATES, {"referral_id": referral_id, "limit": limit})
    return [
        Candidate(
            (
                Side(row.child_id, row.referral_id, row.number, row.person_id),
                Side(row.other_child_id, row.other_referral_id, row.other_number, row.other_person),
            ),
            row.because,
            row.found_at,
        )
        for row in rows
    ]


async def persons_of(session: Session, child_ids: Sequence[str]) -> dict[str, str]:
    """The person of every child who is the same person as one of these."""
    rows = await session.execute(_PERSONS, {"child_ids": list(child_ids)})
    return {row.child_id: row.person_id for row in rows}


async def referrals_of(session: Session, child_ids: Sequence[str]) -> Sequence[str]:
    """The referrals that these children are of."""
    rows = await session.execute(_REFERRALS, {"child_ids": list(child_ids)})
    return [row.referral_id for row in rows]


async def answers_among(session: Session, child_ids: Sequence[str]) -> dict[Pair, bool]:
    """The last answer on every pair of these children."""
    rows = await session.execute(_ANSWERS, {"child_ids": list(child_ids)})
    return {(row.child_id, row.other_child_id): row.same for row in rows}


async def insert_answer(session: Session, pair: Pair, same: bool, by: str, now: datetime) -> None:
    await session.execute(
        _ANSWER, {"one": pair[0], "other": pair[1], "same": same, "by": by, "now": now}
    )


async def settle(session: Session, persons: Mapping[str, str]) -> None:
    values = {"child_ids": list(persons), "person_ids": list(persons.values())}
    await session.execute(_SETTLE, values)


_CANDIDATES = text(
    """
SELECT c.child_id, one.referral_id, r.number, one.person_id, c.other_child_id,
    two.referral_id AS other_referral_id, s.number AS other_number,
    two.person_id AS other_person, c.because, c.found_at
FROM intake.candidates AS c
JOIN intake.people AS one ON one.child_id = c.child_id
JOIN intake.people AS two ON two.child_id = c.other_child_id
JOIN intake.referrals AS r ON r.referral_id = one.referral_id
JOIN intake.referrals AS s ON s.referral_id = two.referral_id
WHERE c.answered_at IS NULL AND (CAST(:referral_id AS text) IS NULL
    OR CAST(:referral_id AS text) IN (one.referral_id, two.referral_id))
ORDER BY c.found_at, c.child_id, c.other_child_id LIMIT :limit
"""
)

_PERSONS = text(
    """
SELECT child_id, person_id FROM intake.people WHERE person_id IN (
    SELECT person_id FROM intake.people WHERE child_id = ANY(CAST(:child_ids AS text[]))
)
"""
)

_REFERRALS = text(
    "SELECT DISTINCT referral_id FROM intake.people "
    "WHERE child_id = ANY(CAST(:child_ids AS text[]))"
)

_ANSWERS = text(
    """
SELECT DISTINCT ON (child_id, other_child_id) child_id, other_child_id, same
FROM intake.sameness
WHERE child_id = ANY(CAST(:child_ids AS text[]))
    AND other_child_id = ANY(CAST(:child_ids AS text[]))
ORDER BY child_id, other_child_id, answer DESC
"""
)

_ANSWER = text(
    """
WITH answered AS (
    UPDATE intake.candidates SET answered_at = CAST(:now AS timestamptz)
    WHERE child_id = CAST(:one AS text) AND other_child_id = CAST(:other AS text)
)
INSERT INTO intake.sameness (child_id, other_child_id, answer, same, recorded_at, answered_by)
SELECT CAST(:one AS text), CAST(:other AS text), coalesce(max(answer), 0) + 1,
    CAST(:same AS boolean), CAST(:now AS timestamptz), CAST(:by AS text)
FROM intake.sameness
WHERE child_id = CAST(:one AS text) AND other_child_id = CAST(:other AS text)
"""
)

_SETTLE = text(
    """
UPDATE intake.people AS p SET person_id = settled.person_id
FROM unnest(CAST(:child_ids AS text[]), CAST(:person_ids AS text[]))
    AS settled(child_id, person_id)
WHERE p.child_id = settled.child_id AND p.person_id <> settled.person_id
"""
)
