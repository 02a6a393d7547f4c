"""What a recipient says of a notice: that it has it, or that it is not its own.

Names and case numbers lie sealed under the child's key and are in no event (P5).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.store import Conflict
from services.notify.conflicts.substitution import Substitutes
from services.notify.delivery import tracks
from services.notify.mailbox import events
from services.notify.mailbox import store as shelves
from services.notify.mailbox.reminders import not_ours
from services.notify.mailbox.shelf import Item
from services.notify.mailbox.tables import acknowledgements, returns
from services.notify.measuring import count_notice
from services.notify.planning import history_store as store
from services.notify.tasks import store as task_store
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.ids import new_id
from shared.runtime.problem import Problem
from shared.runtime.sealing import Sealer

NOT_OURS = "not_ours"
"""`conflicts.ground` of whoever has said so: it alone is told nothing further in this matter."""


class Reason(StrEnum):
    """Why a notice is not the recipient's own. Codes alone: a story would be personal data."""

    WRONG_TOWN = "wrong_town"
    WRONG_DISTRICT = "wrong_district"
    NOT_OUR_DUTY = "not_our_duty"
    AGENCY_CHANGED = "agency_changed"
    """Merged, closed, or no longer in charge of the town."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Whoever speaks for the recipient: a person, or its own system."""

    agency_id: str
    subject: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    acknowledgement_id: str
    notice_id: str
    acknowledged_at: datetime


@dataclass(frozen=True, slots=True)
class Returned:
    notice_id: str
    returned_at: datetime


_ACKNOWLEDGE = text(
    f"INSERT INTO {acknowledgements.fullname} "
    "(acknowledgement_id, notice_id, agency_id, acknowledged_by, acknowledged_at, sealed) "
    "VALUES (:id, :notice_id, :agency_id, :subject, :now, :sealed)"
)
_ACKNOWLEDGED = text(
    f"UPDATE {models.deliveries.fullname} SET acknowledged_at = :now WHERE notice_id = :notice_id"
)
_RETURNED = text(f"SELECT returned_at FROM {returns.fullname} WHERE notice_id = :notice_id")
_RETURN = text(
    f"INSERT INTO {returns.fullname} "
    "(notice_id, agency_id, reason, returned_by, returned_at, assertion_id) "
    "VALUES (:notice_id, :agency_id, :reason, :subject, :now, :assertion_id)"
)


class Answers:
    """Takes what recipients say. Its caller commits; None: it is not in that mailbox."""

    def __init__(self, sealer: Sealer, outbox: Outbox, substitutes: Substitutes) -> None:
        self._sealer = sealer
        self._outbox = outbox
        self._substitutes = substitutes

    async def acknowledge(
        self,
        session: Session,
        notice_id: str,
        speaker: Speaker,
        said: Mapping[str, str],
        now: datetime,
    ) -> Acknowledged | None:
        """Every one is kept; the first is the acknowledgement of the notice, and an event."""
        item = await shelves.lock(session, speaker.agency_id, notice_id, now)
        if item is None:
            return None
        if not item.held:
            raise Problem(409, "Conflict", "Open the notice first: nobody has read it yet.")
        made = Acknowledged(new_id("ack"), notice_id, now)
        values = {
            "id": made.acknowledgement_id,
            "notice_id": notice_id,
            "agency_id": speaker.agency_id,
            "subject": speaker.subject,
            "now": now,
            "sealed": await self._sealed(session, item, made.acknowledgement_id, said),
        }
        await session.execute(_ACKNOWLEDGE, values)
        if item.acknowledged_at is None:
            await session.execute(_ACKNOWLEDGED, {"notice_id": notice_id, "now": now})
            row = await events.notice(session, notice_id)
            count_notice(session, "acknowledged", row.agency_kind)
            with tracks.acknowledging(row):
                await self._outbox.emit(session, now, events.acknowledged(row, now))
        return made

    async def give_back(
        self, session: Session, notice_id: str, speaker: Speaker, reason: Reason, now: datetime
    ) -> Returned | None:
        """The recipient gets nothing further of this child in this referral, and others are told
        in its place by a plan of its own. The clock stays where it is. Again: the same answer.

        1. Lock the referral's deliveries and the recipient's record, as an assertion does.
        2. Record it, hold what waits, and plan who stands in.
        3. File a task: who stands in may not be whose matter it is.
        """
        item = await shelves.find(session, speaker.agency_id, notice_id, now)
        if item is None:
            return None
        history = await store.lock_history(session, [item.referral_id])
        await conflict_store.hold_agencies(session, [speaker.agency_id])
        if await shelves.lock(session, speaker.agency_id, notice_id, now) is None:
            return None
        returned_at = await session.scalar(_RETURNED, {"notice_id": notice_id})
        if returned_at is not None:
            return Returned(notice_id, returned_at)
        conflict = _held_from(item, speaker, now)
        await conflict_store.insert(session, conflict)
        await conflict_store.end_waiting(session, item.referral_id, now)
        await session.execute(
            _RETURN,
            {
                "notice_id": notice_id,
                "agency_id": speaker.agency_id,
                "reason": reason.value,
                "subject": speaker.subject,
                "now": now,
                "assertion_id": conflict.assertion_id,
            },
        )
        await self._substitutes.fill(session, item.referral_id, history, now)
        task = not_ours(item.referral_id, notice_id, speaker.agency_id, reason.value)
        await task_store.file_tasks(session, [task], now)
        return Returned(notice_id, now)

    async def _sealed(
        self, session: Session, item: Item, row: str, said: Mapping[str, str]
    ) -> bytes:
        keys = await store.child_keys(session, [item.child_id])
        plaintext = json.dumps(said, ensure_ascii=False).encode()
        return self._sealer.seal(keys[item.child_id], acknowledgements.name, row, plaintext)


def _held_from(item: Item, speaker: Speaker, now: datetime) -> Conflict:
    return Conflict(
        assertion_id=new_id("ast"),
        referral_id=item.referral_id,
        child_id=item.child_id,
        agency_ids=(speaker.agency_id,),
        ground=NOT_OURS,
        asserted_by=speaker.subject,
        asserted_at=now,
    )
