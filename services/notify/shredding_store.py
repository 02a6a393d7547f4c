"""All SQL of destroyed content. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.notify import models
from services.notify.planning.plan import DeliveryState
from shared.contracts.shredding import ShredOrdered
from shared.runtime.db import Session

_SHREDDINGS = models.shreddings.fullname
_DELIVERIES = models.deliveries.fullname

OLDEST = f"SELECT 'shredding', min(ordered_at) FROM {_SHREDDINGS} WHERE confirmed_at IS NULL"


@dataclass(frozen=True, slots=True)
class Leg:
    """A delivery about the child that has not ended, locked."""

    notice_id: str
    referral_id: str
    child_id: str
    agency_id: str
    role: str
    """As stored: what holds a word of a later release is not closed."""
    version: int
    state: DeliveryState


async def begin(session: Session, order: ShredOrdered, now: datetime) -> None:
    """Keep the order and destroy the key; both once."""
    await session.execute(
        text(
            f"INSERT INTO {_SHREDDINGS} (shredding_id, referral_id, child_id, ordered_at) "
            "VALUES (:shredding_id, :referral_id, :child_id, :ordered_at) ON CONFLICT DO NOTHING"
        ),
        {
            "shredding_id": order.shredding_id,
            "referral_id": order.referral_id,
            "child_id": order.child_id,
            "ordered_at": order.ordered_at,
        },
    )
    await session.execute(
        text(
            f"UPDATE {models.child_keys.fullname} SET wrapped = '', kek_version = 0, "
            "shredded_at = :now WHERE child_id = :child_id AND wrapped <> ''"
        ),
        {"child_id": order.child_id, "now": now},
    )


async def destroyed(session: Session, referral_id: str) -> frozenset[str]:
    """Children of the referral whose key is gone. Read what is sealed first: a key that was read
    before its destruction still opens, and none that was read empty is missing here."""
    return (await destroyed_in(session, [referral_id]))[referral_id]


async def destroyed_in(session: Session, referral_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """The same of several."""
    rows = await session.execute(
        text(
            f"SELECT referral_id, child_id FROM {_SHREDDINGS} "
            "WHERE referral_id = ANY(CAST(:ids AS text[]))"
        ),
        {"ids": list(referral_ids)},
    )
    found: dict[str, set[str]] = {each: set() for each in referral_ids}
    for row in rows:
        found[row.referral_id].add(row.child_id)
    return {each: frozenset(children) for each, children in found.items()}


async def unended(session: Session, child_id: str) -> list[Leg]:
    """Deliveries about the child that wait, or whose attempt is under way, in locking order."""
    rows = await session.execute(
        text(
            "SELECT d.notice_id, d.referral_id, d.child_id, d.agency_id, n.role, d.version, "
            f"d.state FROM {_DELIVERIES} d JOIN {models.notices.fullname} n USING (notice_id) "
            "WHERE d.child_id = :child_id AND d.ended_at IS NULL "
            "ORDER BY d.version, d.notice_id FOR UPDATE OF d"
        ),
        {"child_id": child_id},
    )
    return [
        Leg(
            row.notice_id,
            row.referral_id,
            row.child_id,
            row.agency_id,
            row.role,
            row.version,
            DeliveryState(row.state),
        )
        for row in rows
    ]


async def close(session: Session, legs: Sequence[Leg], now: datetime) -> None:
    await session.execute(
        text(
            f"UPDATE {_DELIVERIES} SET state = 'closed', next_attempt_at = NULL, ended_at = :now "
            "WHERE notice_id = ANY(CAST(:ids AS text[]))"
        ),
        {"ids": [leg.notice_id for leg in legs], "now": now},
    )


async def confirm(session: Session, shredding_id: str, now: datetime) -> bool:
    """False: it was confirmed before."""
    found = await session.scalar(
        text(
            f"UPDATE {_SHREDDINGS} SET confirmed_at = :now "
            "WHERE shredding_id = :id AND confirmed_at IS NULL RETURNING shredding_id"
        ),
        {"id": shredding_id, "now": now},
    )
    return found is not None


async def unconfirmed(session: Session) -> list[ShredOrdered]:
    rows = await session.execute(
        text(
            "SELECT shredding_id, referral_id, child_id, ordered_at "
            f"FROM {_SHREDDINGS} WHERE confirmed_at IS NULL ORDER BY ordered_at"
        )
    )
    return [ShredOrdered.model_validate(dict(row)) for row in rows]
