"""All SQL of rulebooks. Nothing here commits."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text

from services.notify.rulemaking.tables import rulebooks
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


@dataclass(frozen=True, slots=True)
class Adopted:
    """One rulebook of the history, the oldest having the lowest number."""

    number: int
    version: str
    text: str
    effective: date
    proposal_id: str
    adopted_at: datetime


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
