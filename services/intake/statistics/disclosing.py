"""Putting an answer with exact figures on record, in the transaction that read them (P2)."""

from services.intake.statistics import release_store
from services.intake.statistics.records import Disclosure
from shared.contracts.disclosures import StatisticsExported
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session


async def disclose(session: Session, outbox: Outbox, disclosure: Disclosure) -> None:
    """Insert the record and its event; once, however often the attempt is made."""
    if await release_store.insert_disclosure(session, disclosure):
        await outbox.emit(session, disclosure.exported_at, exported(disclosure))


def exported(disclosure: Disclosure) -> StatisticsExported:
    return StatisticsExported(
        export_id=disclosure.export_id,
        disclosure_id=disclosure.disclosure_id,
        kind=disclosure.kind,
        actor=disclosure.actor,
        actor_kind=disclosure.actor_kind,
        approved_by=disclosure.approved_by,
        authority=disclosure.authority,
        purpose=disclosure.purpose,
        fields=tuple(disclosure.tables),
        commitment=disclosure.commitment,
        exported_at=disclosure.exported_at,
    )
