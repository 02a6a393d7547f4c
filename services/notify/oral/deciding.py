"""Ending a call that no notice will come for, by the word of another than who made it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.notify.delivery.webhook_secrets import open_secret
from services.notify.oral import decision_store, entry_store
from services.notify.oral.entry_store import Leg
from services.notify.oral.tables import oral_decisions
from services.notify.planning import history_store
from services.notify.planning.drafting import Clerk
from shared.contracts.disclosures import ToldOrally
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.errors import Gone
from shared.runtime.ids import new_id
from shared.runtime.sealing import Sealer
from shared.runtime.two_people import same_person

_AUTHORITY = "none on file"
_PURPOSE = "Told by telephone; no notice of the child goes to this agency"


class Outcome(StrEnum):
    NOT_TOLD = "not_told"
    """Entered by mistake: that agency was told nothing of that child."""
    MISDIRECTED = "misdirected"
    """It was told, and nothing on file permits it: a disclosure, and an incident."""


@dataclass(frozen=True, slots=True)
class Decision:
    entry_id: str
    outcome: Outcome
    decided_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decided:
    entry_id: str
    outcome: Outcome
    decided_by: str
    decided_at: datetime
    reason: str
    disclosure_id: str | None


@dataclass(frozen=True, slots=True)
class Own:
    """Whoever made the call does not decide it."""


@dataclass(frozen=True, slots=True)
class OnRecord:
    """Its notice is there: there is nothing to decide."""


@dataclass(frozen=True, slots=True)
class DecidedOtherwise:
    """Somebody has decided it already."""


async def decide(
    session: Session,
    sealer: Sealer,
    clerk: Clerk,
    outbox: Outbox,
    decision: Decision,
    now: datetime,
) -> Decided | Own | OnRecord | DecidedOtherwise | None:
    """The decision on record; the same again: the same answer. None: there is no such entry."""
    entry = await decision_store.lock(session, decision.entry_id)
    if entry is None:
        return None
    if same_person(decision.decided_by, entry.told_by):
        return Own()
    if (known := await decision_store.decided(session, decision.entry_id)) is not None:
        same = (known.outcome, known.decided_by) == (decision.outcome.value, decision.decided_by)
        return _of(dict(known)) if same else DecidedOtherwise()
    leg = Leg(entry.referral_id, entry.child_id, entry.agency_id)
    if await entry_store.notice_of(session, leg, entry.told_at) is not None:
        return OnRecord()
    row: dict[str, Any] = asdict(decision) | {"outcome": decision.outcome.value, "decided_at": now}
    row |= {"disclosure_id": None, "sealed": None}
    if decision.outcome is Outcome.MISDIRECTED:
        row["disclosure_id"] = new_id("dsc")
        said: dict[str, object] = {"told_to": open_secret(sealer, decision.entry_id, entry.sealed)}
        row["sealed"] = await _sealed(session, sealer, entry, said)
        await outbox.emit(session, now, await _record(session, clerk, entry, row, said))
    await decision_store.insert(session, row)
    return _of(row)


def _of(row: Mapping[str, Any]) -> Decided:
    return Decided(
        row["entry_id"],
        Outcome(row["outcome"]),
        row["decided_by"],
        row["decided_at"],
        row["reason"],
        row["disclosure_id"],
    )


async def _sealed(
    session: Session, sealer: Sealer, entry: Any, said: dict[str, object]
) -> bytes | None:
    """Under the child's key, so that it is destroyed with it; None where there is none."""
    keys = await history_store.child_keys(session, [entry.child_id])
    key = keys.get(entry.child_id)
    if key is None:
        return None
    content = json.dumps(said, ensure_ascii=False).encode()
    try:
        return sealer.seal(key, oral_decisions.name, entry.entry_id, content)
    except Gone:
        return None


async def _record(
    session: Session, clerk: Clerk, entry: Any, row: dict[str, Any], said: dict[str, object]
) -> ToldOrally:
    """For the log. Which fields were told nobody has on record, so it names none."""
    return ToldOrally(
        referral_id=entry.referral_id,
        disclosure_id=row["disclosure_id"],
        version=await decision_store.newest_version(session, entry.referral_id),
        child_ids=(entry.child_id,),
        recipient_id=entry.agency_id,
        actor=entry.told_by,
        authority=_AUTHORITY,
        purpose=_PURPOSE,
        fields=(),
        commitment=clerk.commit(entry.entry_id, said),
        occurred_at=entry.told_at,
        recorded_at=row["decided_at"],
    )
