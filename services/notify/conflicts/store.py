"""All SQL of conflicts of interest. Nothing here commits.

Locks, in this order: the referral's deliveries, then the agencies, then the outbox's heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.barred import AS_REFUSED, OF_ONE, bars
from services.notify.directory import tables as directory_tables
from services.notify.routing.facts import Asserted
from services.notify.routing.facts_read import FACTS
from services.notify.stages import tables as stage_tables
from shared.runtime.bulk import Bulk, Into
from shared.runtime.db import Session
from shared.runtime.ids import new_id
from shared.runtime.sealing import WrappedKey

_CONFLICTS = conflict_tables.conflicts.fullname
_NOTICES = models.notices.fullname
_AGENCIES = directory_tables.agencies.fullname

_HOLD = text(
    f"SELECT agency_id FROM {_AGENCIES} WHERE agency_id = ANY(CAST(:ids AS text[])) "
    "ORDER BY agency_id FOR NO KEY UPDATE"
)
_INSERT = Bulk(
    Into(
        conflict_tables.conflicts,
        (
            "conflict_id",
            "assertion_id",
            "referral_id",
            "child_id",
            "agency_id",
            "ground",
            "asserted_by",
            "asserted_at",
        ),
    )
)
_BOUND = bars("k", "d")
_END_WAITING = text(
    f"UPDATE {models.deliveries.fullname} d SET {AS_REFUSED}, next_attempt_at = NULL, "
    f"ended_at = :now FROM {_CONFLICTS} k WHERE d.referral_id = :referral_id "
    f"AND {_BOUND} AND d.state IN ('pending', 'blocked')"
)
_UNFILLED = (
    f"FROM {_CONFLICTS} k JOIN {_NOTICES} d ON {_BOUND} "
    f"LEFT JOIN {conflict_tables.substitutions.fullname} s ON s.notice_id = d.notice_id "
    "WHERE s.notice_id IS NULL AND d.series = 'received' AND d.kind <> 'supersession' "
    "AND d.version = "
    f"(SELECT max(version) FROM {models.plans.fullname} p WHERE p.referral_id = d.referral_id) "
    f"AND NOT EXISTS (SELECT FROM {stage_tables.withdrawals.fullname} w "
    "WHERE w.referral_id = d.referral_id)"
)
_TAKE_GAPS = text(
    f"WITH taken AS (INSERT INTO {conflict_tables.substitutions.fullname} "
    "(notice_id, conflict_id, rules_version, directory_version, planned_at) "
    "SELECT DISTINCT ON (d.notice_id) d.notice_id, k.conflict_id, :rules, "
    f"CAST(:directory AS integer), :now {_UNFILLED} AND k.referral_id = :referral_id "
    "ORDER BY d.notice_id, k.asserted_at ON CONFLICT DO NOTHING RETURNING notice_id) "
    f"SELECT n.* FROM {_NOTICES} n JOIN taken USING (notice_id) ORDER BY notice_id"
)
_WITH_GAPS = text(
    f"SELECT DISTINCT k.referral_id {_UNFILLED} AND k.referral_id > :after ORDER BY 1 LIMIT 100"
)
OLDEST = f"SELECT 'substitution', min(k.asserted_at) {_UNFILLED}"
"""When the first conflict was asserted of those for whom nobody is planned instead."""
_COPIES = text(
    "SELECT c.child_id, c.profile, c.sealed, k.kek_version, k.wrapped "
    f"FROM {models.copies.fullname} c JOIN {models.child_keys.fullname} k USING (child_id) "
    "WHERE c.version = :version AND c.child_id IN (SELECT child_id "
    f"FROM {_NOTICES} WHERE referral_id = :referral_id AND version = :version UNION "
    f"SELECT child_id FROM {models.refusals.fullname} "
    "WHERE referral_id = :referral_id AND version = :version)"
)


@dataclass(frozen=True, slots=True)
class Conflict:
    """One person's word, and whom it binds."""

    assertion_id: str
    referral_id: str
    child_id: str | None
    agency_ids: tuple[str, ...]
    """The one that was named first."""
    ground: str
    asserted_by: str
    asserted_at: datetime
    lift_asked_by: str | None = None
    lift_asked_at: datetime | None = None
    lifted_by: str | None = None
    lifted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SealedPart:
    """A child's copy, or its facts, with the key that opens it."""

    child_id: str
    profile: str
    key: WrappedKey
    sealed: bytes

    @property
    def holds_facts(self) -> bool:
        return self.profile == FACTS


async def hold_agencies(session: Session, agency_ids: Sequence[str]) -> None:
    """No claim for these is between its look at the law and its commit, until this one ends."""
    await session.execute(_HOLD, {"ids": list(agency_ids)})


async def insert(session: Session, conflict: Conflict) -> None:
    rows = [
        {
            "conflict_id": new_id("cfl"),
            "assertion_id": conflict.assertion_id,
            "referral_id": conflict.referral_id,
            "child_id": conflict.child_id,
            "agency_id": agency_id,
            "ground": conflict.ground,
            "asserted_by": conflict.asserted_by,
            "asserted_at": conflict.asserted_at,
        }
        for agency_id in conflict.agency_ids
    ]
    await session.execute(_INSERT.statement, _INSERT.values(rows))


async def end_waiting(session: Session, referral_id: str, now: datetime) -> None:
    """What waits for an agency in conflict will not be sent. Its deliveries are locked already."""
    await session.execute(_END_WAITING, {"referral_id": referral_id, "now": now})


async def take_gaps(
    session: Session, referral_id: str, rules: str, directory: int, now: datetime
) -> Sequence[Any]:
    """The latest version's notices to agencies in conflict, each taken once for substitution."""
    values = {"referral_id": referral_id, "rules": rules, "directory": directory, "now": now}
    return (await session.execute(_TAKE_GAPS, values)).all()


async def with_gaps(session: Session, after: str = "") -> list[str]:
    """Referrals with a conflict in whose place nobody was planned yet: a plan that was under way
    saw no conflict, and the assertion no plan. In order, a hundred of them behind `after`."""
    return await session.scalars(_WITH_GAPS, {"after": after})


async def sealed_parts(session: Session, referral_id: str, version: int) -> list[SealedPart]:
    rows = await session.execute(_COPIES, {"referral_id": referral_id, "version": version})
    return [
        SealedPart(row.child_id, row.profile, WrappedKey(row.kek_version, row.wrapped), row.sealed)
        for row in rows
    ]


async def in_force(session: Session, referral_id: str) -> frozenset[Asserted]:
    rows = await session.execute(
        text(
            f"SELECT agency_id, child_id, ground IN {OF_ONE} AS alone FROM {_CONFLICTS} "
            "WHERE referral_id = :referral_id AND lifted_at IS NULL"
        ),
        {"referral_id": referral_id},
    )
    return frozenset(Asserted(row.agency_id, row.child_id, row.alone) for row in rows)


_READ = (
    "SELECT assertion_id, referral_id, child_id, "
    "array_agg(agency_id ORDER BY conflict_id) AS agency_ids, ground, asserted_by, asserted_at, "
    f"lift_asked_by, lift_asked_at, lifted_by, lifted_at FROM {_CONFLICTS} WHERE {{where}} "
    "GROUP BY assertion_id, referral_id, child_id, ground, asserted_by, asserted_at, "
    "lift_asked_by, lift_asked_at, lifted_by, lifted_at ORDER BY asserted_at, assertion_id"
)
_OF_REFERRAL = text(_READ.format(where="referral_id = :id"))
_ONE = text(_READ.format(where="assertion_id = :id"))


async def of_referral(session: Session, referral_id: str) -> list[Conflict]:
    """All of them, lifted ones too, the oldest first."""
    return [_conflict(row) for row in await session.execute(_OF_REFERRAL, {"id": referral_id})]


async def locked(session: Session, assertion_id: str) -> Conflict | None:
    """The conflict, locked until the transaction ends; None when there is none."""
    await session.execute(
        text(f"SELECT FROM {_CONFLICTS} WHERE assertion_id = :id FOR UPDATE"), {"id": assertion_id}
    )
    row = (await session.execute(_ONE, {"id": assertion_id})).first()
    return None if row is None else _conflict(row)


async def ask_to_lift(session: Session, assertion_id: str, person: str, now: datetime) -> None:
    await session.execute(
        text(
            f"UPDATE {_CONFLICTS} SET lift_asked_by = :person, lift_asked_at = :now "
            "WHERE assertion_id = :id"
        ),
        {"id": assertion_id, "person": person, "now": now},
    )


async def lift(session: Session, assertion_id: str, person: str, now: datetime) -> None:
    await session.execute(
        text(
            f"UPDATE {_CONFLICTS} SET lifted_by = :person, lifted_at = :now "
            "WHERE assertion_id = :id"
        ),
        {"id": assertion_id, "person": person, "now": now},
    )


def _conflict(row: Any) -> Conflict:
    return Conflict(**dict(row) | {"agency_ids": tuple(row.agency_ids)})
