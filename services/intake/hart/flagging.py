"""Open cases flagged for trafficking: flag, link the DCF-737, read, and find those without one."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog

from services.intake.answers import instant
from services.intake.blind import BlindIndex
from services.intake.hart import case_store, cases
from services.intake.hart.case_store import FlagRow
from services.intake.hart.cases import Joins
from services.intake.hart.consults import GRACE, Already, NotTheirs, OutOfTime
from services.intake.hart.recusing import Recusals
from services.intake.hart.schemas import FlagLink, NewFlag
from services.intake.once import Answer, Asked, Once, answer
from services.intake.opening import Opened, Opening
from services.intake.receiving import KeyReused, StillOpen
from services.intake.retrying import until_known
from services.intake.sealed_notes import Notes
from shared.contracts.referrals import CaseFlagged
from shared.messaging.outbox import Outbox
from shared.runtime import metrics
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import new_id

log = structlog.get_logger()

TABLE = "case_flags"


@dataclass(frozen=True, slots=True)
class FlagQuestion:
    """Who wants to read which flag, and why."""

    disclosure_id: str
    flag_id: str
    person: str
    purpose: str
    now: datetime


class Flagging:
    """The units of work of flagged cases."""

    def __init__(
        self,
        db: Database,
        once: Once,
        notes: Notes,
        blind: BlindIndex,
        opening: Opening,
        recusals: Recusals,
    ) -> None:
        self._db = db
        self._once = once
        self._notes = notes
        self._blind = blind
        self._opening = opening
        self._recusals = recusals

    async def flag(
        self, ask: Asked, wanted: NewFlag
    ) -> Answer | OutOfTime | NotTheirs | KeyReused | StillOpen:
        """Flag a case, or join the flag that waits; with its DCF-737, if there is one."""
        at = wanted.flagged_at or ask.now

        async def work(session: Session) -> Answer | OutOfTime | NotTheirs:
            if at > ask.now + GRACE:
                return OutOfTime()
            if wanted.referral_id and not await self._known(session, wanted.referral_id, ask.owner):
                return NotTheirs()
            flag_id, joined = await self._raise(session, ask, wanted, at)
            flag = await case_store.hold_flag(session, flag_id)
            if flag is not None and not flag.linked:
                await self._link(session, ask, wanted, flag_id)
            return answer(flag_id=flag_id, joined=joined)

        return await self._once.do(ask, work)

    async def link(
        self, ask: Asked, flag_id: str, wanted: FlagLink
    ) -> Answer | Already | NotTheirs | KeyReused | StillOpen:
        """Say which DCF-737 a flagged case has."""

        async def work(session: Session) -> Answer | Already | NotTheirs:
            flag = await case_store.hold_flag(session, flag_id)
            if flag is None or not await self._known(session, wanted.referral_id, ask.owner):
                return NotTheirs()
            if flag.linked:
                return Already()
            await case_store.link(session, flag_id, wanted.referral_id, ask.owner, ask.now)
            return answer(flag_id=flag_id, referral_id=wanted.referral_id)

        return await self._once.do(ask, work)

    async def waiting(self) -> str:
        """Flags without a DCF-737, as JSON: ids and times, never the case."""
        async with self._db.transaction() as session:
            flags = await case_store.unlinked(session)
        told = [
            {"flag_id": each.flag_id, "flagged_at": instant(each.flagged_at), "found": each.found}
            for each in flags
        ]
        return json.dumps({"waiting": told}, separators=(",", ":"))

    async def read(self, question: FlagQuestion) -> str | None:
        """Which case it is and why it was flagged, once the read is on record (P2)."""
        content = await until_known(partial(self._show, question))
        failpoint("intake.after_view_commit")
        return content

    async def _show(self, question: FlagQuestion) -> str | None:
        async with self._db.transaction() as session:
            found = await case_store.read(session, question.flag_id)
            linked = await case_store.linked_to(session, question.flag_id)
            if found is None or (
                linked and not await self._known(session, linked, question.person)
            ):
                return None
            key, sealed = found
            note = self._notes.open(key, TABLE, question.flag_id, sealed)
            content = {"flag_id": question.flag_id, **note}
            opened = Opened(
                disclosure_id=question.disclosure_id,
                record_id=question.flag_id,
                actor=question.person,
                purpose=question.purpose,
                content=content,
                now=question.now,
            )
            await self._opening.record(session, opened)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    async def _known(self, session: Session, referral_id: str, person: str) -> bool:
        """Whether there is such a referral, and for this person."""
        if not await case_store.referral_exists(session, referral_id):
            return False
        return not await self._recusals.barred(session, referral_id, person)

    async def _link(self, session: Session, ask: Asked, wanted: NewFlag, flag_id: str) -> None:
        """To the 737 that is named, or to one that names the case itself."""
        referral_id = wanted.referral_id or await case_store.find_referral(
            session, self._blind.case(wanted.case_number)
        )
        if referral_id:
            await case_store.link(session, flag_id, referral_id, ask.owner, ask.now)

    async def _raise(
        self, session: Session, ask: Asked, wanted: NewFlag, at: datetime
    ) -> tuple[str, bool]:
        indexes = self._blind.case(wanted.case_number)
        latest = await case_store.hold_case(session, indexes)
        outcome = cases.flag(latest and latest[0])
        if isinstance(outcome, Joins):
            return outcome.flag_id, True
        flag_id, key = new_id("rec"), self._notes.new_key()
        note = wanted.model_dump(mode="json", include={"case_number", "reasons"})
        row = FlagRow(
            flag_id=flag_id,
            case_index=indexes[0],
            ordinal=1 if latest is None else latest[1] + 1,
            key=key,
            sealed=self._notes.seal(key, TABLE, flag_id, note),
            flagged_at=at,
            recorded_by=ask.owner,
            recorded_at=ask.now,
        )
        await case_store.raise_flag(session, row)
        return flag_id, False


class CaseSweep:
    """Finds flagged cases that still have no DCF-737 (policy 21-14), for the role `sweep`."""

    def __init__(self, outbox: Outbox, patience: timedelta) -> None:
        self._outbox = outbox
        self._patience = patience

    async def sweep_once(self, session: Session, now: datetime) -> int:
        """Report those that are due, each once, in the caller's transaction; how many.

        500 at most: when it is as many, call it again after the commit.
        """
        held = await case_store.hold_waiting(session, now - self._patience)
        due = {each.flag_id: each for each in cases.unreported(held, now, self._patience)}
        new = await case_store.mark_found(session, list(due), now)
        events = [
            CaseFlagged(flag_id=each, flagged_at=due[each].flagged_at, discovered_at=now)
            for each in new
        ]
        await self._outbox.emit(session, now, *events)
        if new:
            metrics.CASES_FOUND.inc(len(new))
            log.info("cases_found", count=len(new))
        return len(new)

    async def oldest(self, session: Session, now: datetime) -> float:
        """Seconds that the longest-waiting case has been due for finding."""
        return await case_store.oldest_overdue(session, now - self._patience)
