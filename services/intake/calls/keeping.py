"""Keeping a call: opened, saved as it goes, finished into a referral, or closed by a person."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog

from services.intake import receiving, referrals
from services.intake.access import Hidden, NotTheirs, theirs
from services.intake.answers import instant
from services.intake.calls import drafts, store
from services.intake.calls.drafts import Call, Draft
from services.intake.calls.schemas import Closing, NewCall
from services.intake.calls.store import Kept
from services.intake.once import Answer, Asked, Once
from services.intake.receiving import KeyReused, Received, Receiving, StillOpen
from services.intake.records import Version
from services.intake.retrying import until_known
from services.intake.schemas import NewReferral
from shared.runtime.auth import Principal
from shared.runtime.db import Database, Session
from shared.runtime.errors import Retryable
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import new_id
from shared.runtime.sealing import Sealer

log = structlog.get_logger()

TABLE = "intake.calls"
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Over:
    """The call is a referral already, or closed: nothing can be added to it."""


class _MovedOn(Exception):
    """Somebody saved, finished or closed the call while it was being finished."""


class Calls:
    """The units of work behind /v1/calls."""

    def __init__(
        self,
        db: Database,
        once: Once,
        receiving: Receiving,
        sealer: Sealer,
        towns: Collection[str],
        hidden: Hidden,
    ) -> None:
        self._db = db
        self._once = once
        self._receiving = receiving
        self._sealer = sealer
        self._towns = towns
        self._hidden = hidden

    async def open(self, asked: Asked, wanted: NewCall) -> Answer | KeyReused | StillOpen:
        """A call of the caller's own, with a key of its own. Raises Rejected in a sandbox."""
        self._receiving.admit(wanted.synthetic)
        call = Call(
            call_id=new_id("cal"),
            owner=asked.owner,
            version=0,
            received_at=wanted.received_at or asked.now,
            recorded_at=asked.now,
            saved_at=asked.now,
            synthetic=wanted.synthetic,
            abandoned_at=None,
            finished_at=None,
            referral_id=None,
            closed_at=None,
        )
        key = self._sealer.new_key()

        async def work(session: Session) -> Answer:
            await store.open_call(session, call, key)
            return Answer(describe(call))

        return await self._once.do(asked, work)

    async def status(self, call_id: str, caller: Principal) -> Call | NotTheirs:
        kept = await until_known(partial(self._read, call_id, caller))
        return kept if isinstance(kept, NotTheirs) else kept.call

    async def save(
        self, call_id: str, caller: Principal, draft: Draft, now: datetime
    ) -> Call | NotTheirs | Over:
        """Replace what was typed; the last one to come wins, and is a version of its own."""
        return await until_known(partial(self._save, call_id, caller, draft, now))

    async def close(
        self, asked: Asked, call_id: str, caller: Principal, closing: Closing
    ) -> Answer | KeyReused | StillOpen | NotTheirs | Over:
        """A named person says that it is no referral. What was typed stays, sealed; where another
        referral holds it, it is shredded, as if the call had become that one (C29)."""
        referral_id = closing.referral_id

        async def work(session: Session) -> Answer | NotTheirs | Over:
            kept = await store.read(session, call_id, lock=True)
            if kept is None or not theirs(caller, kept.call.owner):
                return NotTheirs()
            if kept.call.over:
                return Over()
            if referral_id and not await self._known(session, referral_id, caller.subject):
                return NotTheirs()
            await store.close(session, call_id, caller.subject, closing.why.value, asked.now)
            if referral_id:
                await store.belongs_to(session, call_id, referral_id)
            closed = replace(kept.call, closed_at=asked.now, referral_id=referral_id)
            return Answer(describe(closed))

        return await self._once.do(asked, work)

    async def finish(
        self, call_id: str, caller: Principal, key: str, patch: object, now: datetime
    ) -> Received | NotTheirs | Over:
        """Make it a referral, in the transaction that ends the call. Raises Unfit or Rejected.

        The key's first answer comes first: by the time that it is asked for again, what was typed
        is shredded and cannot be checked again.
        """
        body = {"call_id": call_id, "patch": patch}
        for _ in range(_TRIES):
            kept = await until_known(partial(self._read, call_id, caller))
            if isinstance(kept, NotTheirs):
                return kept
            if earlier := await self._receiving.earlier(caller.subject, key, body):
                return earlier
            if kept.call.over:
                return Over()
            referral = self._referral(kept, patch, now)
            also = partial(_end, kept.call, now)
            wanted = receiving.Request(caller.subject, key, body, referral, now, also)
            try:
                return await self._receiving.receive(wanted)
            except _MovedOn:
                continue
        raise Retryable("the call is being saved all the time")

    def draft(self, kept: Kept) -> Draft:
        """What was typed. Raises Unsealable."""
        if kept.key is None or kept.sealed is None:
            return {}
        row = _row(kept.call.call_id, kept.call.version)
        draft: Draft = json.loads(self._sealer.open(kept.key, TABLE, row, kept.sealed))
        return draft

    def _referral(self, kept: Kept, patch: object, now: datetime) -> NewReferral:
        document = drafts.whole(self.draft(kept), patch, kept.call, now)
        referral = referrals.read(NewReferral, document)
        referrals.check(referral, now, self._towns)
        return referral

    async def _known(self, session: Session, referral_id: str, person: str) -> bool:
        """Whether there is such a referral, and for this person."""
        if not await store.referral_exists(session, referral_id):
            return False
        return referral_id not in await self._hidden(session, [referral_id], person)

    async def _read(self, call_id: str, caller: Principal) -> Kept | NotTheirs:
        async with self._db.transaction() as session:
            kept = await store.read(session, call_id)
        return kept if kept is not None and theirs(caller, kept.call.owner) else NotTheirs()

    async def _save(
        self, call_id: str, caller: Principal, draft: Draft, now: datetime
    ) -> Call | NotTheirs | Over:
        async with self._db.transaction() as session:
            kept = await store.read(session, call_id, lock=True)
            if kept is None or not theirs(caller, kept.call.owner):
                return NotTheirs()
            if kept.call.over or kept.key is None:
                return Over()
            version = kept.call.version + 1
            content = json.dumps(draft, ensure_ascii=False, separators=(",", ":")).encode()
            sealed = self._sealer.seal(kept.key, TABLE, _row(call_id, version), content)
            await store.save(session, call_id, version, sealed, now)
            failpoint("intake.call.before_commit")
        failpoint("intake.call.after_commit")
        return replace(kept.call, version=version, saved_at=now)


def describe(call: Call) -> str:
    """The JSON of every answer about a call: ids, times and how it stands, never content."""
    here = f"/v1/calls/{call.call_id}"
    links = {"self": here, "draft": f"{here}/draft", "finish": f"{here}/referral"}
    if call.referral_id is not None:
        links["referral"] = f"/v1/referrals/{call.referral_id}"
    return json.dumps(
        {
            "call_id": call.call_id,
            "standing": call.standing,
            "version": call.version,
            "received_at": instant(call.received_at),
            "recorded_at": instant(call.recorded_at),
            "saved_at": instant(call.saved_at),
            "backdated": call.backdated,
            "links": links,
        },
        separators=(",", ":"),
    )


async def _end(call: Call, now: datetime, session: Session, version: Version) -> None:
    if not await store.finish(session, call.call_id, call.version, version.referral_id, now):
        raise _MovedOn


def _row(call_id: str, version: int) -> str:
    return f"{call_id}/{version}"
