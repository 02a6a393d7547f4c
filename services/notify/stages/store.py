"""All SQL of plans of the later stages, and of withdrawals. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.stages import tables as stage_tables
from services.notify.stages.wishes import Standing, Wish
from shared.contracts.codes import Stage, Trigger
from shared.contracts.referrals import ReferralWithdrawn
from shared.runtime.db import Session

_STAGED = stage_tables.staged_plans.fullname
_WITHDRAWALS = stage_tables.withdrawals.fullname
_NOTICES = models.notices.fullname

_STANDING = text(
    f"SELECT (SELECT max(version) FROM {models.plans.fullname} WHERE referral_id = :id) "
    f"AS version, EXISTS (SELECT FROM {_WITHDRAWALS} WHERE referral_id = :id) AS withdrawn"
)
_LATEST = text(
    "SELECT DISTINCT ON (series) series, stage, version, revision, accepted, consult_id, child_id, "
    "bool_or(accepted) OVER (PARTITION BY series) AS ever_accepted "
    f"FROM {_STAGED} WHERE referral_id = :id ORDER BY series, version DESC, revision DESC"
)
_TAKE = text(
    f"INSERT INTO {_STAGED} (referral_id, series, version, revision, stage, accepted, consult_id, "
    "child_id, rules_version, directory_version, planned_at) "
    "SELECT CAST(:referral_id AS text), CAST(:series AS text), CAST(:version AS integer), "
    "CAST(:revision AS integer), :stage, :accepted, :consult_id, :child_id, :rules, "
    "CAST(:directory AS integer), :now "
    f"WHERE NOT EXISTS (SELECT FROM {_STAGED} p WHERE p.referral_id = :referral_id "
    "AND p.series = :series AND (p.version, p.revision) > "
    "(CAST(:version AS integer), CAST(:revision AS integer))) "
    "ON CONFLICT DO NOTHING RETURNING 1"
)
_WITHDRAW = text(
    f"INSERT INTO {_WITHDRAWALS} (referral_id, version, cause, withdrawn_at, planned_at) "
    "VALUES (:referral_id, :version, :cause, :withdrawn_at, :now) "
    "ON CONFLICT DO NOTHING RETURNING 1"
)
_SEALED = text(
    f"SELECT child_id, profile, sealed FROM {models.copies.fullname} "
    "WHERE version = :version AND child_id = ANY(CAST(:children AS text[]))"
)
_HEADING = text(
    "SELECT referral_number, trigger, received_at, synthetic, version "
    f"FROM {_NOTICES} WHERE referral_id = :id ORDER BY version DESC, notice_id LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class SealedCopy:
    child_id: str
    profile: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Headed:
    """What every notice of a referral says of it, and the latest version that has any."""

    number: str
    trigger: Trigger
    received_at: datetime
    synthetic: bool
    version: int


async def standing(session: Session, referral_id: str) -> Standing:
    """How far the referral is planned."""
    row = (await session.execute(_STANDING, {"id": referral_id})).first()
    assert row is not None
    latest = await session.execute(_LATEST, {"id": referral_id})
    return Standing(
        version=row.version,
        withdrawn=row.withdrawn,
        stages=tuple(
            Wish(
                referral_id=referral_id,
                stage=Stage(each.stage),
                series=each.series,
                version=each.version,
                revision=each.revision,
                accepted=each.accepted,
                consult_id=each.consult_id,
                child_id=each.child_id,
                ever_accepted=each.ever_accepted,
            )
            for each in latest
        ),
    )


async def take(session: Session, wish: Wish, rules: str, directory: int, now: datetime) -> bool:
    """Record that it is planned now; False when it, or what comes after it, was planned before."""
    values = {
        "referral_id": wish.referral_id,
        "series": wish.series,
        "version": wish.version,
        "revision": wish.revision,
        "stage": wish.stage.value,
        "accepted": wish.accepted,
        "consult_id": wish.consult_id,
        "child_id": wish.child_id,
        "rules": rules,
        "directory": directory,
        "now": now,
    }
    return await session.scalar(_TAKE, values) is not None


async def take_withdrawal(
    session: Session, data: ReferralWithdrawn, version: int, now: datetime
) -> bool:
    """False when it was withdrawn before."""
    values = {
        "referral_id": data.referral_id,
        "version": version,
        "cause": data.cause.value,
        "withdrawn_at": data.recorded_at,
        "now": now,
    }
    return await session.scalar(_WITHDRAW, values) is not None


async def sealed_copies(
    session: Session, children: Sequence[str], version: int
) -> list[SealedCopy]:
    """What of these children lies sealed of that version: copies, parts and facts."""
    rows = await session.execute(_SEALED, {"children": list(children), "version": version})
    return [SealedCopy(row.child_id, row.profile, row.sealed) for row in rows]


async def headed(session: Session, referral_id: str) -> Headed | None:
    """None when nobody was ever to be told of it."""
    row = (await session.execute(_HEADING, {"id": referral_id})).first()
    if row is None:
        return None
    return Headed(
        row.referral_number, Trigger(row.trigger), row.received_at, row.synthetic, row.version
    )
