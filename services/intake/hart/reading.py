"""Reading a consult: recorded and committed before its first byte is returned (P2)."""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from services.intake import view_store
from services.intake.answers import instant
from services.intake.digests import Digests
from services.intake.hart import consults, store
from services.intake.hart.consults import NotTheirs, Takes
from services.intake.hart.histories import Held, Histories
from services.intake.hart.store import GlassRow
from services.intake.records import View
from services.intake.retrying import until_known
from services.intake.sealed_notes import Notes
from services.intake.strict_json import canonical
from services.intake.viewing import viewed
from shared.messaging.outbox import Outbox
from shared.runtime import metrics
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint

log = structlog.get_logger()

AUTHORITY = "DCF policy 21-14"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who wants to read which consult and why; `reason`: the glass is broken for it."""

    disclosure_id: str
    consult_id: str
    person: str
    purpose: str
    now: datetime
    reason: str | None = None


class ConsultReading:
    """The unit of work behind reading a consult, with or without breaking the glass."""

    def __init__(
        self, db: Database, outbox: Outbox, histories: Histories, notes: Notes, digests: Digests
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._histories = histories
        self._notes = notes
        self._digests = digests

    async def read(self, wanted: Wanted) -> str | None:
        """The consult as JSON; None for whom it does not exist."""
        return await until_known(partial(self._attempt, wanted))

    async def status(self, consult_id: str, person: str) -> str | None:
        """How far a consult is, for whom it concerns: ids and times, never content."""
        async with self._db.transaction() as session:
            held = await self._histories.hold(session, consult_id, person)
        if held is None or isinstance(_decide(held, person), NotTheirs):
            return None
        return json.dumps(_status(held), separators=(",", ":"))

    async def _attempt(self, wanted: Wanted) -> str | None:
        async with self._db.transaction() as session:
            content = await self._show(session, wanted)
        failpoint("intake.after_view_commit")
        if content is not None and wanted.reason is not None:
            metrics.GLASS_BROKEN.inc()
            log.warning("glass_broken", disclosure_id=wanted.disclosure_id)
        return content

    async def _show(self, session: Session, wanted: Wanted) -> str | None:
        held = await self._histories.hold(session, wanted.consult_id, wanted.person)
        if held is None:
            return None
        breaking = wanted.reason is not None
        if isinstance(_decide(held, wanted.person, breaking_glass=breaking), NotTheirs):
            return None
        entries = [self._entry(held, position) for position in range(len(held.entries))]
        content = _status(held) | {"entries": entries}
        view = self._view(held, wanted, content)
        if await view_store.insert_view(session, view):
            await self._break(session, held, wanted)
            await self._outbox.emit(session, wanted.now, viewed(view))
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    def _entry(self, held: Held, position: int) -> dict[str, Any]:
        entry = held.entries[position]
        return {
            "step": entry.step,
            "actor": entry.actor,
            "person": entry.person,
            "occurred_at": instant(entry.occurred_at),
            "recorded_at": instant(entry.recorded_at),
            **self._histories.note(held, entry),
        }

    def _view(self, held: Held, wanted: Wanted, content: dict[str, Any]) -> View:
        names = {name for entry in content["entries"] for name in entry}
        return View(
            disclosure_id=wanted.disclosure_id,
            referral_id=held.row.referral_id,
            version=held.child.version,
            child_ids=[held.row.child_id],
            actor=wanted.person,
            actor_kind="person",
            authority=AUTHORITY,
            purpose=wanted.purpose,
            profiles=["hart_consult"],
            fields=sorted(f"consult.{name}" for name in names),
            commitment=self._digests.commit(canonical(content)),
            viewed_at=wanted.now,
        )

    async def _break(self, session: Session, held: Held, wanted: Wanted) -> None:
        if wanted.reason is None:
            return
        note = {"reason": wanted.reason}
        sealed = self._notes.seal(held.child.key, "glass_breaks", wanted.disclosure_id, note)
        row = GlassRow(wanted.disclosure_id, wanted.consult_id, wanted.person, sealed, wanted.now)
        await store.break_glass(session, row)


def _decide(held: Held, person: str, *, breaking_glass: bool = False) -> Takes | NotTheirs:
    return consults.read(held.consult, person, recused=held.recused, breaking_glass=breaking_glass)


def _status(held: Held) -> dict[str, Any]:
    consult = held.consult
    ended = {
        "completed_at": consult.completed_at,
        "entered_at": consult.entered_at,
    }
    return {
        "consult_id": held.row.consult_id,
        "referral_id": held.row.referral_id,
        "child_id": held.row.child_id,
        "state": consult.state.value,
        "started_at": instant(consult.started_at),
        **{name: at and instant(at) for name, at in ended.items()},
    }
