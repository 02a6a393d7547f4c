"""The join point: how a referral stands, for what other parts of intake know of it.

Whoever decides that a referral counts no more, or that two children are one, says so here in the
transaction that decides it; the referral is then tallied again. Never commits.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text

from services.intake.statistics.records import Standing
from shared.runtime.db import Session

ENTERED_IN_ERROR = "entered_in_error"
EMBARGOED = "embargoed"
EXCLUDING = (ENTERED_IN_ERROR, EMBARGOED)
SAME_PERSON = "same_person"
IDENTIFIED = "identified"


async def exclude(
    session: Session, referral_id: str, why: str, until: datetime | None = None
) -> None:
    """Count a referral in no table: ENTERED_IN_ERROR, or EMBARGOED until a moment."""
    await _mark(session, referral_id, "", why, None, until)


async def include(session: Session, referral_id: str, why: str) -> None:
    """Take an exclusion back, such as an embargo that ended early."""
    await session.execute(_UNMARK, {"referral_id": referral_id, "child_id": "", "mark": why})
    await recount(session, referral_id, None)


async def same_person(session: Session, referral_id: str, child_id: str, person_id: str) -> None:
    """A person has confirmed who this child is; unique children are counted by it."""
    await _mark(session, referral_id, child_id, SAME_PERSON, person_id, None)


async def same_persons(session: Session, persons: Mapping[str, str]) -> None:
    """The person of every child that an answer was about, and of those held to be one with it."""
    values = {"children": list(persons), "persons": list(persons.values())}
    await session.execute(_SAME, values | {"mark": SAME_PERSON})


async def identified(session: Session, referral_id: str, child_id: str) -> None:
    """A Decision Map has confirmed this child as a victim."""
    await _mark(session, referral_id, child_id, IDENTIFIED, None, None)


async def recount(session: Session, referral_id: str, at: datetime | None) -> None:
    """Tally a referral again, at once or when the moment has come."""
    await session.execute(_RECOUNT, {"referral_id": referral_id, "due_at": at})


async def read_standings(
    session: Session, referral_ids: Sequence[str], now: datetime
) -> dict[str, Standing]:
    """How each of these referrals stands; one that nothing is known of is not in it."""
    rows = await session.execute(_READ, {"ids": list(referral_ids), "now": now})
    found: dict[str, Standing] = {}
    for row in rows:
        before = found.get(row.referral_id, Standing())
        found[row.referral_id] = _with(before, row.mark, row.child_id, row.person_id)
    return found


def _with(standing: Standing, mark: str, child_id: str, person_id: str | None) -> Standing:
    excluded, persons, identified = standing.excluded, standing.persons, standing.identified
    if mark in EXCLUDING:
        excluded = mark
    elif mark == SAME_PERSON and person_id is not None:
        persons = persons | {child_id: person_id}
    elif mark == IDENTIFIED:
        identified = identified | {child_id}
    return Standing(excluded, persons, identified)


async def _mark(
    session: Session,
    referral_id: str,
    child_id: str,
    mark: str,
    person_id: str | None,
    until: datetime | None,
) -> None:
    values = {
        "referral_id": referral_id,
        "child_id": child_id,
        "mark": mark,
        "person_id": person_id,
        "until": until,
    }
    await session.execute(_MARK, values)
    await recount(session, referral_id, None)
    if until is not None:
        await recount(session, referral_id, until)


_MARK = text(
    "INSERT INTO intake.statistics_marks (referral_id, child_id, mark, person_id, until) "
    "VALUES (:referral_id, :child_id, :mark, :person_id, :until) "
    "ON CONFLICT (referral_id, child_id, mark) "
    "DO UPDATE SET person_id = excluded.person_id, until = excluded.until"
)
_SAME = text(
    """
WITH marked AS (
    INSERT INTO intake.statistics_marks (referral_id, child_id, mark, person_id)
    SELECT k.referral_id, k.child_id, CAST(:mark AS text), settled.person_id
    FROM unnest(CAST(:children AS text[]), CAST(:persons AS text[]))
        AS settled(child_id, person_id)
    JOIN intake.child_keys AS k ON k.child_id = settled.child_id
    ON CONFLICT (referral_id, child_id, mark) DO UPDATE SET person_id = excluded.person_id
    RETURNING referral_id
)
INSERT INTO intake.statistics_recounts (referral_id, due_at)
SELECT DISTINCT referral_id, CAST('-infinity' AS timestamptz) FROM marked
ON CONFLICT DO NOTHING
"""
)
_UNMARK = text(
    "DELETE FROM intake.statistics_marks "
    "WHERE referral_id = :referral_id AND child_id = :child_id AND mark = :mark"
)
_RECOUNT = text(
    "INSERT INTO intake.statistics_recounts (referral_id, due_at) "
    "VALUES (:referral_id, coalesce(CAST(:due_at AS timestamptz), '-infinity')) "
    "ON CONFLICT DO NOTHING"
)
_READ = text(
    "SELECT referral_id, child_id, mark, person_id FROM intake.statistics_marks "
    "WHERE referral_id = ANY(CAST(:ids AS text[])) AND (until IS NULL OR until > :now) "
    "ORDER BY referral_id, child_id, mark"
)
