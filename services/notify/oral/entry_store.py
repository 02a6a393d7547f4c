"""All SQL of calls that are entered by referral. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.directory import tables as directory_tables
from services.notify.oral.tables import oral_entries
from shared.runtime.db import Session

_ENTRIES = oral_entries.fullname
_NOTICES = models.notices.fullname
_AT_ONCE = 100

# What was in force when the call was made; of a call before any plan, the first that came.
_NOTICE = text(
    f"SELECT notice_id FROM {_NOTICES} WHERE referral_id = :referral_id AND child_id = :child_id "
    "AND agency_id = :agency_id AND kind NOT IN ('supersession', 'withdrawal', 'recall') "
    "ORDER BY planned_at <= :told_at DESC, abs(extract(epoch FROM planned_at - :told_at)), "
    "notice_id LIMIT 1"
)
_INSERT = text(
    f"INSERT INTO {_ENTRIES} (entry_id, referral_id, child_id, agency_id, told_by, told_at, "
    "entered_at, sealed) VALUES (:entry_id, :referral_id, :child_id, :agency_id, :told_by, "
    ":told_at, :entered_at, :sealed) ON CONFLICT DO NOTHING RETURNING entry_id"
)
_ONE = text(
    f"SELECT * FROM {_ENTRIES} WHERE referral_id = :referral_id AND child_id = :child_id "
    "AND agency_id = :agency_id AND told_at = :told_at"
)
_END = text(
    f"UPDATE {_ENTRIES} SET sealed = NULL, notice_id = :notice_id, ended_at = :now "
    "WHERE entry_id = :entry_id"
)
_WAITING = text(
    f"SELECT entry_id FROM {_ENTRIES} WHERE ended_at IS NULL ORDER BY entered_at LIMIT {_AT_ONCE}"
)
_LOCK = text(
    f"SELECT * FROM {_ENTRIES} WHERE entry_id = :entry_id AND ended_at IS NULL "
    "FOR UPDATE SKIP LOCKED"
)
OLDEST = f"SELECT 'oral_entry', min(entered_at) FROM {_ENTRIES} WHERE ended_at IS NULL"
_AGENCY = text(f"SELECT FROM {directory_tables.agencies.fullname} WHERE agency_id = :agency_id")
_PLANNED = text(f"SELECT FROM {models.plans.fullname} WHERE referral_id = :referral_id LIMIT 1")
_CONFLICT = text(
    f"SELECT EXISTS (SELECT FROM {conflict_tables.conflicts.fullname} "
    "WHERE referral_id = :referral_id "
    "AND agency_id = :agency_id AND (child_id IS NULL OR child_id = :child_id) "
    "AND lifted_at IS NULL)"
)


@dataclass(frozen=True, slots=True)
class Leg:
    """Whom a call told, and of which child."""

    referral_id: str
    child_id: str
    agency_id: str

    @property
    def values(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in ("referral_id", "child_id", "agency_id")}


async def notice_of(session: Session, leg: Leg, told_at: datetime) -> str | None:
    found: str | None = await session.scalar(_NOTICE, leg.values | {"told_at": told_at})
    return found


async def insert(
    session: Session, leg: Leg, entry_id: str, told_by: str, told_at: datetime, **more: object
) -> bool:
    """False: that call is on file. `more`: entered_at, sealed."""
    own = {"entry_id": entry_id, "told_by": told_by, "told_at": told_at}
    return bool(await session.execute(_INSERT, leg.values | own | more))


async def read(session: Session, leg: Leg, told_at: datetime) -> Any:
    return (await session.execute(_ONE, leg.values | {"told_at": told_at})).one()


async def end(session: Session, entry_id: str, notice_id: str, now: datetime) -> None:
    await session.execute(_END, {"entry_id": entry_id, "notice_id": notice_id, "now": now})


async def waiting(session: Session) -> Sequence[str]:
    found: list[str] = await session.scalars(_WAITING)
    return found


async def lock(session: Session, entry_id: str) -> Any:
    """None: it waits no more, or somebody else has it."""
    return (await session.execute(_LOCK, {"entry_id": entry_id})).first()


async def is_agency(session: Session, agency_id: str) -> bool:
    return bool(await session.execute(_AGENCY, {"agency_id": agency_id}))


async def is_planned(session: Session, referral_id: str) -> bool:
    """Whether some version of it was planned."""
    return bool(await session.execute(_PLANNED, {"referral_id": referral_id}))


async def in_conflict(session: Session, leg: Leg) -> bool:
    return bool(await session.scalar(_CONFLICT, leg.values))
