"""All SQL of the roster. Nothing here commits."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify.oncall import tables
from services.notify.oncall.roster import Override, Roster
from services.notify.oncall.roster_file import NOBODY, StoredRoster
from shared.runtime.db import Session
from shared.runtime.ids import new_id

_ROSTERS, _OVERRIDES = tables.rosters.fullname, tables.roster_overrides.fullname
_ENDS = tables.roster_override_ends.fullname


async def newest(session: Session) -> tuple[int, StoredRoster | None]:
    """The roster in force and its version; 0 and None while there is none."""
    rows = await session.execute(text(f"SELECT * FROM {_ROSTERS} ORDER BY version DESC LIMIT 1"))
    row = rows.first()
    return (0, None) if row is None else (row.version, StoredRoster.model_validate(row.body))


async def in_force(session: Session, now: datetime) -> Roster:
    """With the overrides that may still hold."""
    _, file = await newest(session)
    if file is None:
        return NOBODY
    rows = await session.execute(
        text(
            f"SELECT * FROM {_OVERRIDES} o WHERE ends_at > :now AND NOT EXISTS "
            f"(SELECT FROM {_ENDS} e WHERE e.override_id = o.override_id) "
            "ORDER BY made_at, override_id"
        ),
        {"now": now},
    )
    return file.roster(tuple(_override(row) for row in rows))


async def add(
    session: Session, body: Mapping[str, Any], version: int, proposal_id: str, now: datetime
) -> bool:
    """As the version after `version`; False when there is one already."""
    rows = await session.execute(
        text(
            f"INSERT INTO {_ROSTERS} (version, body, proposal_id, applied_at) "
            "SELECT :version + 1, CAST(CAST(:body AS text) AS jsonb), :proposal_id, :now "
            f"WHERE coalesce((SELECT max(version) FROM {_ROSTERS}), 0) = :version "
            "ON CONFLICT DO NOTHING RETURNING version"
        ),
        {"version": version, "body": json.dumps(body), "proposal_id": proposal_id, "now": now},
    )
    return bool(rows)


async def override(
    session: Session, made: Override, *, by: str, proposal_id: str | None, now: datetime
) -> str:
    """Its id. One that takes somebody's alarms needs the proposal that two have agreed to."""
    override_id = new_id("ovr")
    await session.execute(
        text(
            f"INSERT INTO {_OVERRIDES} (override_id, role, person, instead_of, starts_at, ends_at, "
            "made_by, proposal_id, made_at) VALUES (:id, :role, :person, :instead_of, :starts, "
            ":ends, :by, :proposal_id, :now)"
        ),
        {
            "id": override_id,
            "role": made.role,
            "person": made.person,
            "instead_of": made.instead_of,
            "starts": made.starts_at,
            "ends": made.ends_at,
            "by": by,
            "proposal_id": proposal_id,
            "now": now,
        },
    )
    return override_id


def _override(row: Any) -> Override:
    return Override(row.role, row.person, row.instead_of, row.starts_at, row.ends_at)
