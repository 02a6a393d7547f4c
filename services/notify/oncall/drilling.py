"""A synthetic referral every minute, followed until all of it has arrived.

The whole way: intake's answer, its relay, the plan, encryption, the POST, the recipient's own
receipt and its acknowledgement in the mailbox, and the log of disclosures. It is marked, so it is
never counted, and reaches sample agencies only; production has the built-in recipient for it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog

from services.notify.mailbox.answering import Answers, Speaker
from services.notify.oncall import drill_store
from services.notify.oncall.recipient import TOWN
from shared.runtime import metrics
from shared.runtime.db import Database
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.ids import utc_now
from shared.runtime.internal_http import InternalClient

log = structlog.get_logger()

EVERY_SECONDS = 60
SCOPES = ("referrals:create", "audit:read")
_ANSWERS = "synthetic recipient"
_RECEIVED = {"received_by": _ANSWERS, "disposition": "received"}


class Drilling:
    """`own`: how the built-in recipient acknowledges what it must have opened; None: sample
    agencies receive. `audit` None: the log is not asked."""

    def __init__(
        self,
        db: Database,
        intake: InternalClient,
        audit: InternalClient | None,
        *,
        own: Answers | None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._db = db
        self._intake = intake
        self._audit = audit
        self._own = own
        self._clock = clock

    async def once(self) -> None:
        """1. Send this minute's, if nobody has. 2. Answer what came. 3. See which have arrived."""
        await self._begin()
        if self._own is not None:
            await self._acknowledge(self._own)
        await self._follow()

    async def _begin(self) -> None:
        now = self._clock()
        slot = int(now.timestamp()) // EVERY_SECONDS
        async with self._db.transaction() as session:
            ours = await drill_store.begin(session, slot, now)
        if not ours:
            return
        try:
            answer = await self._intake.post(
                "/v1/referrals", synthetic(now), {"Idempotency-Key": f"synthetic-{slot}"}
            )
            referral_id = str(answer["referral_id"])
        except (Retryable, Permanent, KeyError, TypeError) as error:
            log.warning("drill_not_sent", error=error)
            return
        async with self._db.transaction() as session:
            await drill_store.taken(session, slot, referral_id)

    async def _acknowledge(self, answers: Answers) -> None:
        now = self._clock()
        async with self._db.transaction() as session:
            found = await drill_store.unanswered(session, now)
        for row in found:
            speaker = Speaker(row.agency_id, _ANSWERS)
            async with self._db.transaction() as session:
                await answers.acknowledge(session, row.notice_id, speaker, _RECEIVED, now)

    async def _follow(self) -> None:
        now = self._clock()
        async with self._db.transaction() as session:
            found = await drill_store.arrived(session, now, own=self._own is not None)
        for row in found:
            if await self._logged(row.disclosures):
                async with self._db.transaction() as session:
                    await drill_store.passed(session, row.slot, now)
                ms = int((now - row.begun_at).total_seconds() * 1000)
                log.info("drill_passed", referral_id=row.referral_id, ms=ms)
        async with self._db.transaction() as session:
            last = await drill_store.last_passed(session)
        metrics.DRILL_PASSED.set(last.timestamp() if last else 0)

    async def _logged(self, disclosures: list[str]) -> bool:
        """Whether the log of disclosures holds each of them."""
        if self._audit is None:
            return True
        for disclosure_id in disclosures:
            try:
                answer = await self._audit.get(f"/v1/disclosures/{disclosure_id}")
            except (Retryable, Permanent):
                return False
            if not answer.get("entries"):
                return False
        return True


def synthetic(now: datetime) -> dict[str, Any]:
    """A referral about nobody."""
    return {
        "trigger": "careline",
        "received_at": now.isoformat(timespec="seconds"),
        "source_type": "other",
        "synthetic": True,
        "reporter": {"anonymous": True},
        "children": [
            {
                "name": "Test Child Synthetic",
                "age_years": 15,
                "residence_town": TOWN,
                "incident_towns": [TOWN],
                "ht_type": "sex",
                "reasons_for_suspicion": "Synthetic referral: proves that the way is open.",
            }
        ],
    }
