"""Law-enforcement operation notices: kept for the named, and for nobody else (A1.35, C28).

No event tells of one: nothing fans out. That a named person read one is an event of the audit log,
which says a record's id and not what kind of record it is.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from services.intake.answers import instant
from services.intake.once import Answer, Asked, Once, answer
from services.intake.opening import Opened, Opening
from services.intake.operations import embargo, store
from services.intake.operations.embargo import Hidden, OutOfTime
from services.intake.operations.schemas import NewEnd, NewOperation
from services.intake.operations.store import OperationRow
from services.intake.receiving import KeyReused, StillOpen
from services.intake.retrying import until_known
from services.intake.sealed_notes import Notes
from shared.runtime.auth import Principal
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import new_id

TABLE = "operations"
PURPOSE = "need to know"


@dataclass(frozen=True, slots=True)
class OperationQuestion:
    """Who wants to read which operation."""

    disclosure_id: str
    operation_id: str
    caller: Principal
    now: datetime


class Noticing:
    """Keep, read, list and end operations."""

    def __init__(self, db: Database, once: Once, notes: Notes, opening: Opening) -> None:
        self._db = db
        self._once = once
        self._notes = notes
        self._opening = opening

    async def keep(
        self, ask: Asked, wanted: NewOperation
    ) -> Answer | OutOfTime | KeyReused | StillOpen:
        """Seal a notice for the people it names. Who enters it reads it only if named."""

        async def work(session: Session) -> Answer | OutOfTime:
            outcome = embargo.end(wanted.expires_at, ask.now)
            if isinstance(outcome, OutOfTime):
                return outcome
            operation_id, key = new_id("rec"), self._notes.new_key()
            note = wanted.model_dump(mode="json", exclude={"named", "expires_at"})
            row = OperationRow(
                operation_id,
                key,
                self._notes.seal(key, TABLE, operation_id, note),
                wanted.expires_at,
                ask.owner,
                ask.now,
            )
            await store.create(session, row, sorted(set(wanted.named)))
            return answer(operation_id=operation_id, expires_at=instant(wanted.expires_at))

        return await self._once.do(ask, work)

    async def end(
        self, ask: Asked, caller: Principal, operation_id: str, wanted: NewEnd
    ) -> Answer | Hidden | OutOfTime | KeyReused | StillOpen:
        """Move the end: later while it is under way, or to now. By a named person."""
        at = wanted.expires_at or ask.now

        async def work(session: Session) -> Answer | Hidden | OutOfTime:
            held = await self._shown(session, operation_id, caller, ask.now)
            if held is None:
                return Hidden()
            outcome = embargo.end(at, ask.now)
            if isinstance(outcome, OutOfTime):
                return outcome
            await store.end(session, operation_id, at, ask.owner, ask.now)
            return answer(operation_id=operation_id, expires_at=instant(at))

        return await self._once.do(ask, work)

    async def mine(self, caller: Principal, now: datetime) -> str:
        """The operations under way that name the caller, as JSON: ids and ends."""
        async with self._db.transaction() as session:
            found = await store.shown_to(session, caller.subject, now)
        told = [{"operation_id": each, "expires_at": instant(end)} for each, end in found]
        return json.dumps({"operations": told}, separators=(",", ":"))

    async def read(self, question: OperationQuestion) -> str | None:
        """The notice as JSON, once the read is on record; None for whom there is none (P10)."""
        content = await until_known(partial(self._show, question))
        failpoint("intake.after_view_commit")
        return content

    async def _show(self, question: OperationQuestion) -> str | None:
        async with self._db.transaction() as session:
            row = await self._shown(session, question.operation_id, question.caller, question.now)
            if row is None:
                return None
            note = self._notes.open(row.key, TABLE, row.operation_id, row.sealed)
            content = {
                "operation_id": row.operation_id,
                "expires_at": instant(row.expires_at),
                **note,
            }
            opened = Opened(
                disclosure_id=question.disclosure_id,
                record_id=row.operation_id,
                actor=question.caller.subject,
                purpose=PURPOSE,
                content=content,
                now=question.now,
            )
            await self._opening.record(session, opened)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    async def _shown(
        self, session: Session, operation_id: str, caller: Principal, now: datetime
    ) -> OperationRow | None:
        held = await store.hold(session, operation_id)
        if held is None:
            return None
        operation, row = held
        outcome = embargo.show(operation, caller.subject, person=caller.person, now=now)
        return None if isinstance(outcome, Hidden) else row
