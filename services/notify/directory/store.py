"""All SQL of the directory: what is in force, its history, its version. Nothing here commits."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert

from services.notify.directory import tables as directory_tables
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.history import Term, in_force
from services.notify.directory.register import Former
from services.notify.synthetic import RECIPIENTS
from shared.runtime.db import Session

_AGENCIES = directory_tables.agencies.fullname
_DIRECTORY = directory_tables.directory.fullname
_VERSIONS = directory_tables.directory_versions.fullname
_TERMS = directory_tables.agency_terms.fullname

_VERSION = text(f"SELECT version FROM {_DIRECTORY}")
_READ = text(f"SELECT * FROM {_AGENCIES} WHERE NOT closed")
_FORMER = text(f"SELECT agency_id, code, name, successor FROM {_AGENCIES} WHERE closed")
_COME_DUE = text(
    f"SELECT DISTINCT t.agency_id FROM {_TERMS} t WHERE t.valid_from <= :today "
    f"AND t.valid_from > (SELECT max(effective_on) FROM {_VERSIONS})"
)


async def version(session: Session) -> int | None:
    """None as long as nothing was ever put into the directory."""
    return await session.scalar(_VERSION) or None


async def rows_in_force(session: Session) -> Sequence[Any]:
    """A row of `agencies` for each that is not closed."""
    return await session.execute(_READ)


async def former(session: Session) -> list[Former]:
    """Those that are closed."""
    return [Former(**dict(row)) for row in await session.execute(_FORMER)]


async def count_samples(session: Session) -> int:
    """But for the built-in recipients of synthetic referrals, which production has too."""
    query = text(f"SELECT count(*) FROM {_AGENCIES} WHERE sample AND NOT agency_id = ANY(:own)")
    return await session.scalar(query, {"own": sorted(RECIPIENTS)}) or 0


async def lock_version(session: Session) -> int:
    """The version, nobody else's to change until this transaction ends. 0: none yet."""
    await session.execute(
        text(f"INSERT INTO {_DIRECTORY} (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING")
    )
    return await session.scalar(text(f"SELECT version FROM {_DIRECTORY} FOR UPDATE")) or 0


async def terms(session: Session, agency_ids: Collection[str] | None = None) -> list[Term]:
    """The whole history; of these agencies only, if they are given."""
    rows = await session.execute(
        text(
            f"SELECT agency_id, version, valid_from, fields FROM {_TERMS} "
            "WHERE CAST(:ids AS text[]) IS NULL OR agency_id = ANY(CAST(:ids AS text[]))"
        ),
        {"ids": None if agency_ids is None else list(agency_ids)},
    )
    return [Term(row.agency_id, row.version, row.valid_from, row.fields) for row in rows]


async def names(session: Session, agency_ids: Collection[str]) -> dict[str, str]:
    """What these agencies are called today, closed ones too, by id."""
    rows = await session.execute(
        text(
            f"SELECT agency_id, name FROM {_AGENCIES} WHERE agency_id = ANY(CAST(:ids AS text[]))"
        ),
        {"ids": list(agency_ids)},
    )
    return {row.agency_id: row.name for row in rows}


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the directory: when it was made, and by which proposal."""

    version: int
    effective_on: date
    applied_at: datetime
    proposal_id: str | None


async def days(session: Session) -> dict[int, date]:
    """On which day each version of the directory was made."""
    rows = await session.execute(text(f"SELECT version, effective_on FROM {_VERSIONS}"))
    return {row.version: row.effective_on for row in rows}


async def version_made(session: Session, number: int) -> Version | None:
    rows = await session.execute(
        text(f"SELECT * FROM {_VERSIONS} WHERE version = :version"), {"version": number}
    )
    row = rows.first()
    return None if row is None else Version(**dict(row))


async def record(
    session: Session,
    changes: Mapping[tuple[str, date], Mapping[str, Any]],
    *,
    before: int,
    today: date,
    now: datetime,
    proposal_id: str | None = None,
) -> int:
    """Add terms, by agency and first day, as the version after `before`, which is locked.

    What of them is in force today is so from this commit on; the rest when its day comes.
    """
    after = before + 1
    await session.execute(
        insert(directory_tables.agency_terms),
        [
            {"agency_id": agency_id, "version": after, "valid_from": day, "fields": dict(fields)}
            for (agency_id, day), fields in changes.items()
        ],
    )
    await _settle(session, {agency_id for agency_id, _ in changes}, today)
    await _grow(session, after, today, now, proposal_id)
    return after


async def turn(session: Session, today: date, now: datetime) -> int | None:
    """Bring into force what was recorded for a day that has come. The new version, if any."""
    if not await session.scalars(_COME_DUE, {"today": today}):
        return None
    before = await lock_version(session)
    due = await session.scalars(_COME_DUE, {"today": today})
    if not due:
        return None
    await _settle(session, due, today)
    await _grow(session, before + 1, today, now, None)
    return before + 1


async def _settle(session: Session, agency_ids: Collection[str], today: date) -> None:
    """Make the rows of `agencies` what the history says of today, in the order of their ids."""
    entries = in_force(await terms(session, agency_ids), today)
    if entries:
        await _put(session, [entries[agency_id] for agency_id in sorted(entries)])


async def _put(session: Session, entries: Sequence[AgencyEntry]) -> None:
    statement = insert(directory_tables.agencies)
    names = [name for name in AgencyEntry.model_fields if name not in ("agency_id", "transport")]
    columns, new = directory_tables.agencies.c, statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[columns.agency_id],
            set_={name: new[name] for name in names},
            where=func.row(*(columns[name] for name in names)).is_distinct_from(
                func.row(*(new[name] for name in names))
            ),
        ),
        # `transport` is read from the terms: endpoint_tls_store.
        [entry.model_dump(exclude={"transport"}) for entry in entries],
    )


async def _grow(
    session: Session, to: int, today: date, now: datetime, proposal_id: str | None
) -> None:
    await session.execute(text(f"UPDATE {_DIRECTORY} SET version = :version"), {"version": to})
    await session.execute(
        text(
            f"INSERT INTO {_VERSIONS} (version, effective_on, applied_at, proposal_id) "
            "VALUES (:version, :today, :now, :proposal_id)"
        ),
        {"version": to, "today": today, "now": now, "proposal_id": proposal_id},
    )
