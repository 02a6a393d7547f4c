"""All SQL of rulebooks. Nothing here commits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from services.notify.rulemaking.tables import rulebooks, shipped_rules
from shared.runtime.db import Session

_READ = text(
    f"SELECT number, version, text, effective, proposal_id, adopted_at FROM {rulebooks.fullname} "
    "WHERE number > :after ORDER BY number"
)
_ADOPT = text(
    f"INSERT INTO {rulebooks.fullname} (version, text, effective, proposal_id, adopted_at) "
    "VALUES (:version, :text, :effective, :proposal_id, :now) "
    "ON CONFLICT (version) DO NOTHING RETURNING number"
)
_SHIPPED = text(
    f"SELECT version, digest, text, kept_at FROM {shipped_rules.fullname} ORDER BY kept_at, version"
)
_KEEP = text(
    f"INSERT INTO {shipped_rules.fullname} (version, digest, text, kept_at) "
    "VALUES (:version, :digest, :text, :now) ON CONFLICT DO NOTHING"
)
_TEXTS = text(
    f"SELECT version, text FROM {rulebooks.fullname} "
    "WHERE version = ANY(CAST(:versions AS text[])) "
    f"UNION ALL SELECT version, text FROM {shipped_rules.fullname} "
    "WHERE version = ANY(CAST(:versions AS text[]))"
)


@dataclass(frozen=True, slots=True)
class Adopted:
    """One rulebook of the history, the oldest having the lowest number."""

    number: int
    version: str
    text: str
    effective: date
    proposal_id: str
    adopted_at: datetime


@dataclass(frozen=True, slots=True)
class Shipped:
    """A rules file that notify has started with."""

    version: str
    digest: str
    text: str
    kept_at: datetime


async def one_at_a_time(session: Session) -> None:
    """Nobody else adopts until this transaction ends."""
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended('notify.rulebooks', 0))")
    )


async def adopted(session: Session, after: int = 0) -> list[Adopted]:
    """Those with a higher number than `after`, in order."""
    rows = await session.execute(_READ, {"after": after})
    return [Adopted(**{name: row[name] for name in Adopted.__slots__}) for row in rows]


async def adopt(
    session: Session, version: str, rules: str, effective: date, proposal_id: str, now: datetime
) -> bool:
    """False if there is a rulebook of that version."""
    values = {
        "version": version,
        "text": rules,
        "effective": effective,
        "proposal_id": proposal_id,
        "now": now,
    }
    return await session.scalar(_ADOPT, values) is not None


async def shipped(session: Session) -> list[Shipped]:
    """Those that notify has started with, in the order in which it first did."""
    rows = await session.execute(_SHIPPED)
    return [Shipped(**dict(row)) for row in rows]


async def keep_shipped(
    session: Session, version: str, digest: str, rules: str, now: datetime
) -> None:
    """For good; what is kept under that name stays as it is."""
    values = {"version": version, "digest": digest, "text": rules, "now": now}
    await session.execute(_KEEP, values)


async def texts_of(session: Session, versions: Iterable[str]) -> dict[str, str]:
    """The files of those versions that are on record, adopted or shipped."""
    rows = await session.execute(_TEXTS, {"versions": list(versions)})
    return {row.version: row.text for row in rows}
