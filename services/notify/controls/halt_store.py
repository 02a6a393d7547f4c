"""All SQL of halts. Nothing here commits.

A halt is a row, and a mark on the row of each agency it covers: claims hold those rows, so one that
began before has ended when the halt is committed, and one that waited reads the mark. Locks: the
directory's version, so that no agency is added unseen; then the agencies by id.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.controls import tables
from services.notify.controls.halts import Cause, Halt
from services.notify.delivery.attempts import DELIVER_WAKE
from services.notify.directory import store as directory_store
from services.notify.directory import tables as directory_tables
from shared.runtime.db import Session, wake_after_commit
from shared.runtime.ids import new_id

_HALTS = tables.halts.fullname
_AGENCIES = directory_tables.agencies.fullname

_LOCK = text(
    f"SELECT agency_id FROM {_AGENCIES} WHERE CAST(:agency_id AS text) IS NULL "
    "OR agency_id = :agency_id ORDER BY agency_id FOR NO KEY UPDATE"
)
_INSERT = text(
    f"INSERT INTO {_HALTS} (halt_id, cause, agency_id, reason, set_by, set_at) "
    "VALUES (:halt_id, :cause, :agency_id, :reason, :by, :now) ON CONFLICT DO NOTHING"
)
_MARK = text(
    f"UPDATE {_AGENCIES} a SET halted = NOT a.halted WHERE "
    "(CAST(:agency_id AS text) IS NULL OR a.agency_id = :agency_id) AND a.halted <> EXISTS ("
    f"SELECT FROM {_HALTS} h WHERE h.lifted_at IS NULL "
    "AND (h.agency_id IS NULL OR h.agency_id = a.agency_id))"
)
_LIFT = text(
    f"UPDATE {_HALTS} SET lifted_by = :by, lifted_at = :now, lifted_why = :why "
    "WHERE halt_id = :halt_id RETURNING *"
)


async def halt(
    session: Session,
    cause: Cause,
    agency_id: str | None,
    *,
    reason: str,
    by: str,
    now: datetime,
) -> Halt | None:
    """Put it in force with this commit; the one that is open already, if there is one.

    It binds every claim that is committed after it. None: there is no such agency.
    """
    await directory_store.lock_version(session)
    found = await session.execute(_LOCK, {"agency_id": agency_id})
    if agency_id is not None and not found:
        return None
    values = {
        "halt_id": new_id("hlt"),
        "cause": cause.value,
        "agency_id": agency_id,
        "reason": reason,
        "by": by,
        "now": now,
    }
    await session.execute(_INSERT, values)
    await session.execute(_MARK, {"agency_id": agency_id})
    rows = await session.execute(
        text(
            f"SELECT * FROM {_HALTS} WHERE cause = :cause AND lifted_at IS NULL "
            "AND agency_id IS NOT DISTINCT FROM CAST(:agency_id AS text)"
        ),
        {"cause": cause.value, "agency_id": agency_id},
    )
    return _halt(rows.one())


async def lock(session: Session, halt_id: str) -> Halt | None:
    """The halt, nobody else's to lift until this transaction ends."""
    await directory_store.lock_version(session)
    return await get(session, halt_id, lock=True)


async def get(session: Session, halt_id: str, *, lock: bool = False) -> Halt | None:
    rows = await session.execute(
        text(f"SELECT * FROM {_HALTS} WHERE halt_id = :id{' FOR UPDATE' if lock else ''}"),
        {"id": halt_id},
    )
    return None if not rows else _halt(rows.one())


async def lift(session: Session, halt: Halt, *, by: str, why: str, now: datetime) -> Halt:
    """Whatever else still covers an agency goes on holding it."""
    await session.execute(_LOCK, {"agency_id": halt.agency_id})
    rows = await session.execute(_LIFT, {"halt_id": halt.halt_id, "by": by, "why": why, "now": now})
    await session.execute(_MARK, {"agency_id": halt.agency_id})
    wake_after_commit(session, DELIVER_WAKE)
    return _halt(rows.one())


async def list_halts(session: Session, *, only_open: bool, limit: int) -> Sequence[Halt]:
    """The newest first."""
    rows = await session.execute(
        text(
            f"SELECT * FROM {_HALTS} WHERE NOT :only_open OR lifted_at IS NULL "
            "ORDER BY set_at DESC, halt_id LIMIT :limit"
        ),
        {"only_open": only_open, "limit": limit},
    )
    return [_halt(row) for row in rows]


async def waiting(session: Session, agency_id: str | None) -> int:
    """How many notices are not over at that agency, or at everybody: what a halt would hold."""
    found: int = await session.scalar(
        text(
            f"SELECT count(*) FROM {models.deliveries.fullname} "
            "WHERE state IN ('pending', 'blocked', 'attempting') "
            "AND (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)"
        ),
        {"agency_id": agency_id},
    )
    return found


def _halt(row: Any) -> Halt:
    return Halt(**{**dict(row), "cause": Cause(row.cause)})
