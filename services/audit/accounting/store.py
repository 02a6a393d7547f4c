"""The SQL of accountings: entries by trace, in pages, and what is withheld. Nothing commits."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.audit.accounting.withholding import Ground, Withholding
from services.audit.store import Entry
from shared.runtime.db import Session

_ABOUT = text(
    "SELECT e.index, e.kind, e.leaf, e.leaf_hash, e.sequenced_at FROM audit.entries AS e "
    "WHERE e.index IN (SELECT t.index FROM audit.traces AS t "
    "WHERE t.trace = ANY(CAST(:traces AS bigint[])) AND t.index < :size) ORDER BY e.index"
)


async def entries_about(session: Session, traces: Sequence[int], size: int) -> list[Entry]:
    """Every entry that one of the traces names, among the first `size`, in order."""
    rows = await session.execute(_ABOUT, {"traces": list(traces), "size": size})
    return [_entry(row) for row in rows]


_SEARCH = (
    "SELECT e.index, e.kind, e.leaf, e.leaf_hash, e.sequenced_at FROM {first} AS e "
    "WHERE e.index > :after AND e.index >= :begin AND e.index < :end{also} "
    "ORDER BY e.index LIMIT :limit"
)
_FIRST = (
    "(SELECT entry.* FROM audit.traces AS t JOIN audit.entries AS entry USING (index) "
    "WHERE t.trace = :trace_0 AND t.index > :after AND t.index >= :begin AND t.index < :end)"
)
_ALSO = (
    " AND EXISTS (SELECT FROM audit.traces AS t WHERE t.trace = :trace_{n} AND t.index = e.index)"
)


async def search(
    session: Session, traces: Sequence[int], *, after: int, begin: int, end: int, limit: int
) -> list[Entry]:
    """Entries that every trace names, `begin` up to before `end`, from behind `after`."""
    also = "".join(_ALSO.format(n=n) for n in range(1, len(traces)))
    first = _FIRST if traces else "audit.entries"
    values = {f"trace_{n}": each for n, each in enumerate(traces)}
    rows = await session.execute(
        text(_SEARCH.format(first=first, also=also)),
        {"after": after, "begin": begin, "end": end, "limit": limit, **values},
    )
    return [_entry(row) for row in rows]


_FIRST_SINCE = text(
    """
WITH RECURSIVE halving(low, high) AS (
    SELECT CAST(0 AS bigint), CAST(:size AS bigint)
    UNION ALL
    SELECT CASE WHEN e.sequenced_at < :moment THEN e.index + 1 ELSE low END,
        CASE WHEN e.sequenced_at < :moment THEN high ELSE e.index END
    FROM halving JOIN audit.entries AS e ON e.index = (low + high) / 2
    WHERE low < high
)
SELECT min(high) FROM halving WHERE low >= high
"""
)


async def first_since(session: Session, moment: datetime, size: int) -> int:
    """The first entry that the log took at that moment or later; `size` if there is none."""
    found = await session.scalar(_FIRST_SINCE, {"moment": moment, "size": size})
    return size if found is None else int(found)


async def withhold(session: Session, new: Withholding) -> None:
    values = asdict(new) | {"disclosure_ids": list(new.disclosure_ids), "ground": new.ground.value}
    names = ", ".join(values)
    await session.execute(
        text(
            f"INSERT INTO audit.withholdings ({names}) "
            f"VALUES ({', '.join(f':{name}' for name in values)})"
        ),
        values,
    )


async def lock_withholding(session: Session, withholding_id: str) -> Withholding | None:
    rows = await session.execute(
        text("SELECT * FROM audit.withholdings WHERE withholding_id = :id FOR UPDATE"),
        {"id": withholding_id},
    )
    row = rows.first()
    return None if row is None else _withholding(row)


async def keep_lifting(session: Session, after: Withholding) -> None:
    await session.execute(
        text(
            "UPDATE audit.withholdings SET lift_asked_by = :asked_by, lift_asked_at = :asked_at, "
            "lifted_by = :lifted_by, lifted_at = :lifted_at WHERE withholding_id = :id"
        ),
        {
            "id": after.withholding_id,
            "asked_by": after.lift_asked_by,
            "asked_at": after.lift_asked_at,
            "lifted_by": after.lifted_by,
            "lifted_at": after.lifted_at,
        },
    )


async def withholdings_of(session: Session, child_ids: Sequence[str]) -> list[Withholding]:
    """Every one that was not lifted, of any of these children."""
    rows = await session.execute(
        text(
            "SELECT * FROM audit.withholdings WHERE child_id = ANY(CAST(:ids AS text[])) "
            "AND lifted_at IS NULL ORDER BY withheld_at, withholding_id"
        ),
        {"ids": list(child_ids)},
    )
    return [_withholding(row) for row in rows]


async def open_withholdings(session: Session, limit: int, after: str) -> list[Withholding]:
    """Those that were not lifted, from behind the id `after`."""
    rows = await session.execute(
        text(
            "SELECT * FROM audit.withholdings WHERE lifted_at IS NULL AND withholding_id > :after "
            "ORDER BY withholding_id LIMIT :limit"
        ),
        {"after": after, "limit": limit},
    )
    return [_withholding(row) for row in rows]


async def ages(session: Session) -> dict[str, float]:
    """Seconds since the oldest suspension expired that nobody has looked at since."""
    age = await session.scalar(
        text(
            "SELECT extract(epoch FROM clock_timestamp() - min(until)) FROM audit.withholdings "
            "WHERE until < clock_timestamp() AND lifted_at IS NULL"
        )
    )
    return {"suspension": max(0.0, float(age or 0))}


def _entry(row: Any) -> Entry:
    return Entry(row["index"], row["kind"], row["leaf"], row["leaf_hash"], row["sequenced_at"])


def _withholding(row: Any) -> Withholding:
    values = dict(row)
    return Withholding(
        **values
        | {"ground": Ground(values["ground"]), "disclosure_ids": tuple(values["disclosure_ids"])}
    )
