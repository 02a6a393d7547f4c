"""Withdrawing a referral with its cause. Nothing is taken away: it still reads."""

from dataclasses import dataclass

import structlog

from services.intake import store as referral_store
from services.intake.access import Hidden, NotTheirs
from services.intake.decisions import sealed, store
from services.intake.decisions.deciding import describe
from services.intake.decisions.records import Withdrawal
from services.intake.decisions.schemas import NewWithdrawal
from services.intake.once import Answer, Asked, Once
from services.intake.receiving import KeyReused, StillOpen
from services.intake.statistics import standing_store
from shared.contracts.codes import WithdrawalCause
from shared.contracts.referrals import ReferralWithdrawn
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.sealing import Sealer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WithdrawnAlready:
    """It is withdrawn, and that is not withdrawn: what is so after all is a new referral."""


class Withdrawing:
    """The unit of work behind POST /v1/referrals/{id}/withdrawal."""

    def __init__(self, once: Once, outbox: Outbox, sealer: Sealer, hidden: Hidden) -> None:
        self._once = once
        self._outbox = outbox
        self._sealer = sealer
        self._hidden = hidden

    async def withdraw(
        self, asked: Asked, referral_id: str, wanted: NewWithdrawal
    ) -> Answer | KeyReused | StillOpen | NotTheirs | WithdrawnAlready:
        async def work(session: Session) -> Answer | NotTheirs | WithdrawnAlready:
            return await self._withdraw(session, asked, referral_id, wanted)

        outcome: Answer | KeyReused | StillOpen | NotTheirs | WithdrawnAlready
        outcome = await self._once.do(asked, work)
        if isinstance(outcome, Answer) and not outcome.again:
            log.info("referral_withdrawn", referral_id=referral_id)
        return outcome

    async def _withdraw(
        self, session: Session, asked: Asked, referral_id: str, wanted: NewWithdrawal
    ) -> Answer | NotTheirs | WithdrawnAlready:
        if await referral_store.lock(session, referral_id) is None:
            return NotTheirs()
        if referral_id in await self._hidden(session, [referral_id], asked.owner):
            return NotTheirs()
        found = await referral_store.read_version(session, referral_id)
        assert found is not None
        version, children = found
        if (await store.read_file(session, referral_id)).withdrawal is not None:
            return WithdrawnAlready()
        withdrawal = Withdrawal(
            referral_id, wanted.cause.value, version.version, asked.now, asked.owner
        )
        await store.insert_withdrawal(session, withdrawal)
        if wanted.cause is WithdrawalCause.ENTERED_IN_ERROR:
            await standing_store.exclude(session, referral_id, standing_store.ENTERED_IN_ERROR)
        left = [child for child in children if not child.key.shredded]
        explained = sealed.explain(self._sealer, left, "withdrawal", wanted.explanation)
        await store.insert_explanations(session, explained)
        event = ReferralWithdrawn(
            referral_id=referral_id,
            version=version.version,
            cause=wanted.cause,
            recorded_at=asked.now,
            synthetic=version.synthetic,
        )
        await self._outbox.emit(session, asked.now, event)
        return Answer(describe(await store.read_file(session, referral_id)))
