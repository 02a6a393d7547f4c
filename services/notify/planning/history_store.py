"""All SQL of planning, and of what the API says of the service. Nothing here commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.barred import OF_ONE
from services.notify.delivery.held import with_content
from services.notify.directory import tables as directory_tables
from services.notify.planning.drafting import Draft
from services.notify.planning.plan import DeliveryState, Earlier
from services.notify.proposals import tables as proposal_tables
from services.notify.recalls import tables as recall_tables
from services.notify.routing.facts import Asserted
from services.notify.routing.routes import Leg
from services.notify.stages import tables as stage_tables
from services.notify.tasks import tables as task_tables
from shared.contracts.codes import NoticeKind, Role
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey

_NOTICES = models.notices.fullname
_DELIVERIES = models.deliveries.fullname
_PLANS = models.plans.fullname


_TAKE_PLANS = text(
    f"INSERT INTO {_PLANS} AS made "
    "(referral_id, version, accepted_at, rules_version, planned_at, directory_version) "
    "SELECT n.*, CAST(:rules AS text), CAST(:now AS timestamptz), "
    f"coalesce((SELECT version FROM {directory_tables.directory.fullname}), 0) "
    "FROM unnest(CAST(:referral_ids AS text[]), CAST(:versions AS integer[]), "
    "CAST(:accepted AS timestamptz[])) AS n(referral_id, version, accepted_at) "
    f"WHERE NOT EXISTS (SELECT FROM {_PLANS} p WHERE p.referral_id = n.referral_id "
    "AND p.version > n.version) "
    f"AND NOT EXISTS (SELECT FROM {stage_tables.withdrawals.fullname} w "
    "WHERE w.referral_id = n.referral_id) ORDER BY n.referral_id "
    "ON CONFLICT DO NOTHING RETURNING referral_id, directory_version, "
    f"(SELECT json_agg(json_build_array(c.agency_id, c.child_id, c.ground IN {OF_ONE})) "
    f"FROM {conflict_tables.conflicts.fullname} c WHERE c.referral_id = made.referral_id "
    "AND c.lifted_at IS NULL) AS conflicts"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """What is planned now."""

    conflicts: Mapping[str, frozenset[Asserted]]
    """By referral: those that persons have asserted."""
    directory_version: int
    """By which it is planned; 0: there is no directory, and nothing may be planned."""


async def take_plans(
    session: Session, announced: Sequence[tuple[str, int, datetime]], rules: str, now: datetime
) -> Taken | None:
    """Record which versions are planned now, by these rules and the directory as it is.

    `announced`: a referral, its version, when intake accepted that. Left out is a version that, or
    one after which, has been planned before, and what is withdrawn. None: so was all of it.
    """
    rows = await session.execute(
        _TAKE_PLANS,
        {
            "referral_ids": [referral_id for referral_id, _, _ in announced],
            "versions": [version for _, version, _ in announced],
            "accepted": [accepted_at for _, _, accepted_at in announced],
            "rules": rules,
            "now": now,
        },
    )
    if not rows:
        return None
    conflicts = {
        row.referral_id: frozenset(Asserted(*each) for each in row.conflicts or ()) for row in rows
    }
    return Taken(conflicts, rows[0].directory_version)


async def lock_history(session: Session, referral_ids: Sequence[str]) -> list[Earlier]:
    """Every notice of these referrals so far, its delivery locked until the transaction ends.

    1. Lock, in the order in which delivery locks too: no claim begins, no attempt ends from here.
    2. Read, in a statement of its own, so that it sees what was committed while it waited.
    """
    await session.execute(
        text(
            f"SELECT FROM {_DELIVERIES} WHERE referral_id = ANY(:referral_ids) "
            "ORDER BY version, notice_id FOR UPDATE"
        ),
        {"referral_ids": referral_ids},
    )
    rows = await session.execute(
        text(
            "SELECT n.notice_id, n.referral_id, n.child_id, n.agency_id, n.role, n.version, "
            "n.kind, n.series, n.revision, d.state, "
            f"NOT EXISTS (SELECT FROM {recall_tables.recalls.fullname} r "
            "WHERE r.notice_id = n.notice_id) AND EXISTS ("
            f"SELECT FROM {models.disclosures.fullname} a WHERE a.notice_id = n.notice_id "
            f"AND {with_content('a')} "
            "AND (SELECT count(*) FILTER (WHERE o.outcome = 'failed') = 0 "
            "OR count(*) FILTER (WHERE o.outcome <> 'failed') > 0 "
            f"FROM {models.disclosure_outcomes.fullname} o "
            "WHERE o.disclosure_id = a.disclosure_id)) AS may_hold "
            f"FROM {_NOTICES} n JOIN {_DELIVERIES} d USING (notice_id) "
            "WHERE n.referral_id = ANY(:referral_ids)"
        ),
        {"referral_ids": referral_ids},
    )
    return [
        Earlier(
            notice_id=row.notice_id,
            referral_id=row.referral_id,
            child_id=row.child_id,
            agency_id=row.agency_id,
            role=Role(row.role),
            version=row.version,
            kind=NoticeKind(row.kind),
            state=DeliveryState(row.state),
            may_hold=row.may_hold,
            series=row.series,
            revision=row.revision,
        )
        for row in rows
    ]


async def child_keys(session: Session, child_ids: Sequence[str]) -> dict[str, WrappedKey]:
    """The data keys that these children have so far."""
    rows = await session.execute(
        text(
            f"SELECT child_id, kek_version, wrapped FROM {models.child_keys.fullname} "
            "WHERE child_id = ANY(:child_ids)"
        ),
        {"child_ids": list(child_ids)},
    )
    return {row.child_id: WrappedKey(row.kek_version, row.wrapped) for row in rows}


async def supersede(session: Session, drafts: Sequence[Draft], now: datetime) -> None:
    """End what waits; let what is in flight end without another try. Rows are locked already."""
    replaced = [
        (each.notice_id, draft.occasion.version, waits)
        for draft in drafts
        for some, waits in ((draft.plan.ended, True), (draft.plan.last_tries, False))
        for each in some
    ]
    if not replaced:
        return
    await session.execute(
        text(
            f"UPDATE {_DELIVERIES} d SET superseded_by = r.version, "
            "state = CASE WHEN r.waits THEN :superseded ELSE d.state END, "
            "next_attempt_at = CASE WHEN NOT r.waits THEN d.next_attempt_at END, "
            "ended_at = CASE WHEN r.waits THEN CAST(:now AS timestamptz) ELSE d.ended_at END "
            "FROM unnest(CAST(:ids AS text[]), CAST(:versions AS integer[]), "
            "CAST(:waits AS boolean[])) AS r(notice_id, version, waits) "
            "WHERE d.notice_id = r.notice_id"
        ),
        {
            "now": now,
            "superseded": DeliveryState.SUPERSEDED.value,
            "ids": [notice_id for notice_id, _, _ in replaced],
            "versions": [version for _, version, _ in replaced],
            "waits": [waits for _, _, waits in replaced],
        },
    )


async def superseded_legs(session: Session, referral_id: str, version: int) -> frozenset[Leg]:
    """Who hears by this version that it is no longer in the route."""
    rows = await session.execute(
        text(
            f"SELECT child_id, agency_id FROM {_NOTICES} WHERE referral_id = :referral_id "
            "AND version = :version AND kind = 'supersession'"
        ),
        {"referral_id": referral_id, "version": version},
    )
    return frozenset((row.child_id, row.agency_id) for row in rows)


async def withdraw(session: Session, drafts: Sequence[Draft], now: datetime) -> None:
    """End what waits, unsent; let what is in flight end without another try."""
    ended = [each.notice_id for draft in drafts for each in draft.plan.ended]
    flying = [each.notice_id for draft in drafts for each in draft.plan.last_tries]
    if not ended and not flying:
        return
    await session.execute(
        text(
            f"UPDATE {_DELIVERIES} SET withdrawn = true, state = CASE WHEN state = 'attempting' "
            "THEN state ELSE 'withdrawn' END, next_attempt_at = NULL, "
            "ended_at = CASE WHEN state = 'attempting' THEN ended_at ELSE :now END "
            "WHERE notice_id = ANY(CAST(:ids AS text[]))"
        ),
        {"now": now, "ids": ended + flying},
    )


_WAITING = f"FROM {_DELIVERIES} d WHERE state IN ('pending', 'blocked') AND delivered_at IS NULL"
_PLANNED = f"(SELECT planned_at FROM {_NOTICES} n WHERE n.notice_id = d.notice_id)"

# What a release before planned is not dated in `deliveries`: its notices are asked.
_AGES = text(
    "SELECT what, coalesce(extract(epoch FROM clock_timestamp() - since), 0) AS age FROM ("
    f"SELECT 'delivery', least((SELECT min(d.planned_at) {_WAITING}), "
    f"(SELECT min({_PLANNED}) {_WAITING} AND d.planned_at IS NULL)) UNION ALL "
    f"SELECT 'attempt', min(coalesce(d.planned_at, {_PLANNED})) "
    f"FROM {_DELIVERIES} d WHERE d.state = 'attempting' UNION ALL "
    f"SELECT 'task', min(created_at) FROM {task_tables.tasks.fullname} "
    "WHERE acknowledged_at IS NULL UNION ALL "
    f"SELECT 'proposal', min(proposed_at) FROM {proposal_tables.proposals.fullname} "
    "WHERE state = 'open') AS oldest(what, since)"
)


async def ages(session: Session) -> dict[str, float]:
    """Seconds that the oldest of each has waited since planned, filed or proposed; else 0.

    `delivery` is whatever of a notice is not yet over: a first try, a retry, a blocked version;
    what is sent once more after it was delivered is a redrive's.
    Each part is the first row of an index or as short as what is under way: neither finished
    deliveries nor how many wait cost anything.
    """
    rows = await session.execute(_AGES)
    return {row.what: max(0.0, float(row.age)) for row in rows}
