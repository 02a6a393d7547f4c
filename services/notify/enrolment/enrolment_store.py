"""All SQL of enrolments. Nothing here commits."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify.directory import tables as directory_tables
from services.notify.enrolment import tables
from services.notify.enrolment.steps import VALID_FOR, Enrolment, hash_of
from shared.runtime.db import Session
from shared.runtime.ids import new_id

_ENROLMENTS = tables.enrolments.fullname
_END_SPENT = text(
    f"UPDATE {_ENROLMENTS} SET ended_at = :now, ended_by = :by, code_hash = NULL "
    "WHERE agency_id = :agency_id AND ended_at IS NULL AND proposal_id IS NULL"
)
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('enrolment ' || :id, 0))")
_INVITE = text(
    f"INSERT INTO {_ENROLMENTS} (enrolment_id, agency_id, code_hash, expires_at, invited_by, "
    "invited_at) SELECT :id, agency_id, :hash, :expires, :by, :now "
    f"FROM {directory_tables.agencies.fullname} WHERE agency_id = :agency_id "
    "AND NOT closed RETURNING *"
)


async def invite(
    session: Session, agency_id: str, code: str, *, by: str, now: datetime
) -> Enrolment | None:
    """A new one; what was open of that agency's ends with it. None: there is no such agency.

    Of two at once the second waits for the first, and ends it: one at most stays open.
    """
    await session.execute(_ONE_AT_A_TIME, {"id": agency_id})
    await session.execute(_END_SPENT, {"agency_id": agency_id, "by": by, "now": now})
    rows = await session.execute(
        _INVITE,
        {
            "id": new_id("enr"),
            "agency_id": agency_id,
            "hash": hash_of(code),
            "expires": now + VALID_FOR,
            "by": by,
            "now": now,
        },
    )
    return None if not rows else _enrolment(rows.one())


async def get(session: Session, enrolment_id: str, *, lock: bool = False) -> Enrolment | None:
    rows = await session.execute(
        text(
            f"SELECT * FROM {_ENROLMENTS} WHERE enrolment_id = :id{' FOR UPDATE' if lock else ''}"
        ),
        {"id": enrolment_id},
    )
    return None if not rows else _enrolment(rows.one())


async def newest(session: Session, limit: int) -> Sequence[Enrolment]:
    rows = await session.execute(
        text(f"SELECT * FROM {_ENROLMENTS} ORDER BY invited_at DESC, enrolment_id LIMIT :limit"),
        {"limit": limit},
    )
    return [_enrolment(row) for row in rows]


async def wrong_code(session: Session, enrolment_id: str) -> None:
    await session.execute(
        text(f"UPDATE {_ENROLMENTS} SET wrong_codes = wrong_codes + 1 WHERE enrolment_id = :id"),
        {"id": enrolment_id},
    )


async def submit(
    session: Session,
    enrolment_id: str,
    endpoint: str,
    key: Mapping[str, Any],
    thumbprint: str,
    *,
    by: str,
    now: datetime,
) -> Enrolment:
    """The code is used up with it."""
    return await _set(
        session,
        enrolment_id,
        "code_hash = NULL, submitted_by = :by, submitted_at = :now, endpoint = :endpoint, "
        "encryption_key = CAST(CAST(:key AS text) AS jsonb), thumbprint = :thumbprint",
        by=by,
        now=now,
        endpoint=endpoint,
        key=json.dumps(key),
        thumbprint=thumbprint,
    )


async def prove(session: Session, enrolment_id: str, now: datetime) -> Enrolment:
    return await _set(session, enrolment_id, "proved_at = :now", now=now)


async def confirm(session: Session, enrolment_id: str, *, by: str, now: datetime) -> Enrolment:
    values = "confirmed_by = :by, confirmed_at = :now"
    return await _set(session, enrolment_id, values, by=by, now=now)


async def tested(session: Session, enrolment_id: str, now: datetime) -> Enrolment:
    return await _set(session, enrolment_id, "tested_at = :now", now=now)


async def proposed(session: Session, enrolment_id: str, proposal_id: str) -> Enrolment:
    return await _set(session, enrolment_id, "proposal_id = :proposal", proposal=proposal_id)


async def end(session: Session, enrolment_id: str, *, by: str, now: datetime) -> Enrolment:
    values = "ended_by = :by, ended_at = :now, code_hash = NULL"
    return await _set(session, enrolment_id, values, by=by, now=now)


async def _set(session: Session, enrolment_id: str, values: str, **given: object) -> Enrolment:
    rows = await session.execute(
        text(f"UPDATE {_ENROLMENTS} SET {values} WHERE enrolment_id = :id RETURNING *"),
        {"id": enrolment_id, **given},
    )
    return _enrolment(rows.one())


def _enrolment(row: Any) -> Enrolment:
    return Enrolment(**dict(row))
