"""All SQL of calls that a person decides, and of their list. Nothing here commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.oral.tables import oral_decisions, oral_entries
from services.notify.tasks import tables as task_tables
from services.notify.tasks.task import TaskKind
from shared.runtime.db import Session

_ENTRIES, _DECISIONS = oral_entries.fullname, oral_decisions.fullname

_LOCK = text(f"SELECT * FROM {_ENTRIES} WHERE entry_id = :entry_id FOR UPDATE")
_DECIDED = text(f"SELECT * FROM {_DECISIONS} WHERE entry_id = :entry_id")
_INSERT = text(
    f"INSERT INTO {_DECISIONS} (entry_id, outcome, decided_by, decided_at, reason, "
    "disclosure_id, sealed) VALUES (:entry_id, :outcome, :decided_by, :decided_at, :reason, "
    ":disclosure_id, :sealed)"
)
_END = text(f"UPDATE {_ENTRIES} SET sealed = NULL, ended_at = :now WHERE entry_id = :entry_id")
_END_TASK = text(
    f"UPDATE {task_tables.tasks.fullname} SET acknowledged_at = :now, acknowledged_by = :person "
    f"WHERE kind = '{TaskKind.TOLD_UNLAWFULLY.value}' AND about = :entry_id "
    "AND acknowledged_at IS NULL"
)
_LIST = text(
    "SELECT e.entry_id, e.child_id, e.agency_id, e.told_by, e.told_at, e.entered_at, "
    "e.notice_id, d.outcome, d.decided_by, d.decided_at, d.reason, d.disclosure_id "
    f"FROM {_ENTRIES} e LEFT JOIN {_DECISIONS} d USING (entry_id) "
    "WHERE e.referral_id = :referral_id ORDER BY e.entered_at, e.entry_id"
)
_VERSION = text(
    f"SELECT coalesce(max(version), 1) FROM {models.plans.fullname} "
    "WHERE referral_id = :referral_id"
)


async def lock(session: Session, entry_id: str) -> Any:
    """The entry, whatever has become of it; None when there is none."""
    return (await session.execute(_LOCK, {"entry_id": entry_id})).first()


async def decided(session: Session, entry_id: str) -> Any:
    return (await session.execute(_DECIDED, {"entry_id": entry_id})).first()


async def insert(session: Session, row: dict[str, object]) -> None:
    """The decision; the entry, its age and its task end with it."""
    await session.execute(_INSERT, row)
    values = {"entry_id": row["entry_id"], "now": row["decided_at"]}
    await session.execute(_END, values)
    await session.execute(_END_TASK, values | {"person": row["decided_by"]})


async def of_referral(session: Session, referral_id: str) -> Sequence[Any]:
    return (await session.execute(_LIST, {"referral_id": referral_id})).all()


async def newest_version(session: Session, referral_id: str) -> int:
    """1 before any plan."""
    return int(await session.scalar(_VERSION, {"referral_id": referral_id}))


async def overdue(session: Session, before: datetime) -> Sequence[Any]:
    """Calls that wait for a notice since then or longer, the oldest first."""
    query = text(
        f"SELECT entry_id, referral_id FROM {_ENTRIES} WHERE ended_at IS NULL "
        "AND entered_at < :before ORDER BY entered_at"
    )
    return (await session.execute(query, {"before": before})).all()
