"""The SQL of holds and orders to destroy. Nothing here commits."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import text

from services.audit.retention.rules import Ground, Hold, Shredding, State
from shared.contracts.shredding import HOLDERS
from shared.runtime.db import Session


async def one_at_a_time(session: Session, child_id: str) -> None:
    """Decide on this child alone until this transaction ends: a hold and an approval must see
    each other."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('child ' || :child_id, 0))"),
        {"child_id": child_id},
    )


async def held_children(session: Session) -> list[str]:
    """Each id with a hold in force."""
    found = await session.scalars(
        text("SELECT DISTINCT child_id FROM audit.legal_holds WHERE released_at IS NULL")
    )
    return list(found)


async def held(session: Session, child_ids: Sequence[str]) -> bool:
    """Whether a hold is in force on any of these."""
    found = await session.scalar(
        text(
            "SELECT EXISTS (SELECT FROM audit.legal_holds WHERE released_at IS NULL "
            "AND child_id = ANY(CAST(:ids AS text[])))"
        ),
        {"ids": list(child_ids)},
    )
    return bool(found)


async def under_destruction(session: Session, child_ids: Sequence[str]) -> bool:
    found = await session.scalar(
        text(
            "SELECT EXISTS (SELECT FROM audit.shreddings WHERE state = 'approved' "
            "AND child_id = ANY(CAST(:ids AS text[])))"
        ),
        {"ids": list(child_ids)},
    )
    return bool(found)


async def ask(session: Session, new: Shredding) -> bool:
    """False: it is asked, or approved, already."""
    values = _values(new)
    found = await session.scalar(
        text(f"{_insert('shreddings', values)} ON CONFLICT DO NOTHING RETURNING shredding_id"),
        values,
    )
    return found is not None


async def lock_shredding(session: Session, shredding_id: str) -> Shredding | None:
    rows = await session.execute(
        text("SELECT * FROM audit.shreddings WHERE shredding_id = :id FOR UPDATE"),
        {"id": shredding_id},
    )
    row = rows.first()
    return None if row is None else _shredding(row)


async def keep_decision(session: Session, decided: Shredding) -> None:
    await session.execute(
        text(
            "UPDATE audit.shreddings SET state = :state, decided_by = :by, decided_at = :at "
            "WHERE shredding_id = :id"
        ),
        {
            "id": decided.shredding_id,
            "state": decided.state.value,
            "by": decided.decided_by,
            "at": decided.decided_at,
        },
    )


async def shreddings(session: Session, after: str, limit: int) -> list[Shredding]:
    rows = await session.execute(
        text(
            "SELECT * FROM audit.shreddings WHERE shredding_id > :after "
            "ORDER BY shredding_id LIMIT :limit"
        ),
        {"after": after, "limit": limit},
    )
    return [_shredding(row) for row in rows]


async def confirmations(session: Session, shredding_id: str) -> dict[str, datetime]:
    rows = await session.execute(
        text(
            "SELECT holder, confirmed_at FROM audit.shredding_confirmations "
            "WHERE shredding_id = :id ORDER BY confirmed_at, holder"
        ),
        {"id": shredding_id},
    )
    return {row.holder: row.confirmed_at for row in rows}


async def to_order(session: Session) -> list[Shredding]:
    """Approved, and intake has not taken the order yet."""
    rows = await session.execute(
        text(
            "SELECT * FROM audit.shreddings WHERE state = 'approved' AND ordered_at IS NULL "
            "ORDER BY decided_at"
        )
    )
    return [_shredding(row) for row in rows]


async def mark_ordered(session: Session, shredding_id: str, now: datetime) -> None:
    await session.execute(
        text(
            "UPDATE audit.shreddings SET ordered_at = :now "
            "WHERE shredding_id = :id AND ordered_at IS NULL"
        ),
        {"id": shredding_id, "now": now},
    )


async def confirm(session: Session, shredding_id: str, holder: str, at: datetime) -> None:
    """Keep that a holder is done; with the last of them, the order is complete."""
    values = {"id": shredding_id, "holder": holder, "at": at}
    await session.execute(
        text(
            "INSERT INTO audit.shredding_confirmations (shredding_id, holder, confirmed_at) "
            "VALUES (:id, :holder, :at) ON CONFLICT DO NOTHING"
        ),
        values,
    )
    await session.execute(
        text(
            "UPDATE audit.shreddings AS s SET completed_at = (SELECT max(confirmed_at) "
            "FROM audit.shredding_confirmations AS c WHERE c.shredding_id = s.shredding_id), "
            "ordered_at = coalesce(ordered_at, CAST(:at AS timestamptz)) "
            "WHERE shredding_id = :id AND completed_at IS NULL AND "
            "(SELECT count(*) FROM audit.shredding_confirmations AS c "
            "WHERE c.shredding_id = s.shredding_id AND c.holder = ANY(CAST(:holders AS text[]))) "
            "= cardinality(CAST(:holders AS text[]))"
        ),
        {"id": shredding_id, "at": at, "holders": [holder.value for holder in HOLDERS]},
    )


async def place(session: Session, new: Hold) -> None:
    values = _values(new)
    await session.execute(text(_insert("legal_holds", values)), values)


async def lock_hold(session: Session, hold_id: str) -> Hold | None:
    rows = await session.execute(
        text("SELECT * FROM audit.legal_holds WHERE hold_id = :id FOR UPDATE"), {"id": hold_id}
    )
    row = rows.first()
    return None if row is None else Hold(**dict(row))


async def keep_release(session: Session, after: Hold) -> None:
    await session.execute(
        text(
            "UPDATE audit.legal_holds SET release_asked_by = :asked_by, "
            "release_asked_at = :asked_at, released_by = :by, released_at = :at "
            "WHERE hold_id = :id"
        ),
        {
            "id": after.hold_id,
            "asked_by": after.release_asked_by,
            "asked_at": after.release_asked_at,
            "by": after.released_by,
            "at": after.released_at,
        },
    )


async def holds(session: Session, after: str, limit: int) -> list[Hold]:
    """Those in force, from behind the id `after`."""
    rows = await session.execute(
        text(
            "SELECT * FROM audit.legal_holds WHERE released_at IS NULL AND hold_id > :after "
            "ORDER BY hold_id LIMIT :limit"
        ),
        {"after": after, "limit": limit},
    )
    return [Hold(**dict(row)) for row in rows]


async def ages(session: Session) -> dict[str, float]:
    """Seconds that the oldest approved order has waited for its last confirmation."""
    age = await session.scalar(
        text(
            "SELECT extract(epoch FROM clock_timestamp() - min(decided_at)) FROM audit.shreddings "
            "WHERE state = 'approved' AND completed_at IS NULL"
        )
    )
    return {"shredding_order": max(0.0, float(age or 0))}


def _values(row: Any) -> dict[str, Any]:
    return {
        name: value.value if isinstance(value, StrEnum) else value
        for name, value in asdict(row).items()
    }


def _insert(table: str, values: dict[str, Any]) -> str:
    places = ", ".join(f":{name}" for name in values)
    return f"INSERT INTO audit.{table} ({', '.join(values)}) VALUES ({places})"


def _shredding(row: Any) -> Shredding:
    values = dict(row)
    ground, state = Ground(values["ground"]), State(values["state"])
    return Shredding(**values | {"ground": ground, "state": state})
