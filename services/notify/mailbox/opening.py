"""Opening a notice in the mailbox: by a person, with a purpose, on record before the first byte."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text

from services.notify import models
from services.notify.delivery import claim_store as delivery_store
from services.notify.delivery.attempts import Attempt
from services.notify.delivery.postroom import CannotPrepare, Postroom
from services.notify.directory import tables as directory_tables
from services.notify.forms.typesetting import render
from services.notify.mailbox import events, store
from services.notify.mailbox.tables import openings
from services.notify.measuring import count_notice
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database, Session
from shared.runtime.errors import Gone
from shared.runtime.ids import new_id

_DELIVERIES = models.deliveries.fullname


class Purpose(StrEnum):
    """Why a person opens a notice. Codes alone: a story would be personal data."""

    INVESTIGATION = "investigation"
    PROSECUTION = "prosecution"
    CHILD_PROTECTION = "child_protection"
    TEAM_REVIEW = "team_review"
    RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Reader:
    """Whoever opens it."""

    agency_id: str
    person: str
    purpose: Purpose


_RECORD = text(
    f"WITH recorded AS (INSERT INTO {models.disclosures.fullname} "
    "(disclosure_id, notice_id, agency_id, attempted_at, channel) "
    "VALUES (:id, :notice_id, :agency_id, :now, 'mailbox') RETURNING disclosure_id) "
    f"INSERT INTO {openings.fullname} "
    "(disclosure_id, notice_id, agency_id, opened_by, purpose, opened_at) "
    "SELECT disclosure_id, :notice_id, :agency_id, :person, :purpose, :now FROM recorded "
    f"RETURNING NOT EXISTS (SELECT FROM {openings.fullname} o WHERE o.notice_id = :notice_id)"
)
# Whoever has opened it needs no pointer and no call any more; an encrypted notice still goes out.
_OPENED = text(
    f"UPDATE {_DELIVERIES} d SET opened_at = coalesce(d.opened_at, :now), unread_since = NULL, "
    "state = CASE WHEN n.over THEN 'delivered' ELSE d.state END, "
    "next_attempt_at = CASE WHEN NOT n.over THEN d.next_attempt_at END, "
    "ended_at = CASE WHEN n.over THEN CAST(:now AS timestamptz) ELSE d.ended_at END "
    "FROM (SELECT x.notice_id, x.state = 'pending' AND a.channel <> 'encrypted' AS over "
    f"FROM {_DELIVERIES} x JOIN {directory_tables.agencies.fullname} a USING (agency_id) "
    "WHERE x.notice_id = :notice_id) AS n WHERE d.notice_id = n.notice_id"
)


class Desk:
    """Opens notices for their recipients."""

    def __init__(self, db: Database, outbox: Outbox, postroom: Postroom) -> None:
        self._db = db
        self._outbox = outbox
        self._postroom = postroom

    async def open(
        self, notice_id: str, reader: Reader, now: datetime, *, printed: bool = False
    ) -> bytes | None:
        """The form as JSON, or `printed` as PDF, its reading on record (P2); None when it is not
        in that mailbox.

        1. Look, and write the form: a notice is frozen, so what is written stays right.
        2. Lock, look again, record. A conflict asserted in between has won.

        Raises Gone when the child's content was destroyed, CannotPrepare when our own copy does not
        open, and Unprintable: then nothing is recorded.
        """
        async with self._db.transaction() as session:
            found = await store.find(session, reader.agency_id, notice_id, now)
            attempt = found and await delivery_store.as_attempt(session, notice_id)
        if not attempt:
            return None
        form = self._form(attempt)
        if printed:
            form = await asyncio.to_thread(render, form)
        async with self._db.transaction() as session:
            if await store.lock(session, reader.agency_id, notice_id, now) is None:
                return None
            await self._record(session, attempt, reader, now)
        return form

    def _form(self, attempt: Attempt) -> bytes:
        try:
            return self._postroom.form(attempt)
        except CannotPrepare as error:
            if isinstance(error.__cause__, Gone):
                raise error.__cause__ from None
            raise

    async def _record(
        self, session: Session, attempt: Attempt, reader: Reader, now: datetime
    ) -> None:
        disclosure_id = new_id("dsc")
        values = {
            "id": disclosure_id,
            "notice_id": attempt.notice_id,
            "agency_id": reader.agency_id,
            "person": reader.person,
            "purpose": reader.purpose.value,
            "now": now,
        }
        first = await session.scalar(_RECORD, values)
        await session.execute(_OPENED, {"notice_id": attempt.notice_id, "now": now})
        notice = await events.notice(session, attempt.notice_id)
        read = events.opened(notice, disclosure_id, reader.person, reader.purpose.value, now)
        news = [events.picked_up(notice, now)] if first else []
        if first:
            count_notice(session, "opened", notice.agency_kind)
        await self._outbox.emit(session, now, read, *news)
