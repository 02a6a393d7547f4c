"""Handlers: every disclosure that happened, or was refused, becomes submissions to the log."""

import secrets
from collections.abc import Sequence

from services.audit import store
from services.audit.leaf import SALT_BYTES, Submission, submissions
from services.audit.retention import store as retention_store
from shared.contracts.base import Event, EventData
from shared.contracts.disclosures import (
    CallViewed,
    DisclosuresAttempted,
    DisclosuresCompleted,
    DisclosuresFailed,
    DisclosuresRefused,
    DisclosuresUnknown,
    RecordViewed,
    ReferralViewed,
    StatisticsExported,
    ToldOrally,
)
from shared.contracts.shredding import ContentShredded
from shared.messaging.handler import AtOnce, BatchHandler
from shared.messaging.handover import Handlers
from shared.runtime.db import Session


class Record(AtOnce, BatchHandler):
    """Takes one event's parts into the log's queue, once each."""

    takes_runs = True

    def material(self, event: Event, data: EventData) -> list[Submission]:
        return submissions(event, data, lambda: secrets.token_bytes(SALT_BYTES))

    async def apply(
        self, session: Session, event: Event, data: EventData, material: list[Submission]
    ) -> None:
        await store.submit(session, material)

    async def apply_all(
        self, session: Session, batch: Sequence[tuple[Event, EventData, list[Submission]]]
    ) -> None:
        await store.submit(session, [each for _, _, material in batch for each in material])


class Confirm(Record):
    """A holder has destroyed a child's content: an entry, and maybe the end of an order."""

    async def apply_all(
        self, session: Session, batch: Sequence[tuple[Event, EventData, list[Submission]]]
    ) -> None:
        await super().apply_all(session, batch)
        for event, data, _ in batch:
            assert isinstance(data, ContentShredded)
            await retention_store.confirm(
                session, data.shredding_id, event.source.value, data.shredded_at
            )

    async def apply(
        self, session: Session, event: Event, data: EventData, material: list[Submission]
    ) -> None:
        await self.apply_all(session, [(event, data, material)])


_RECORDED: Handlers = dict.fromkeys(
    (
        DisclosuresAttempted,
        DisclosuresCompleted,
        DisclosuresFailed,
        DisclosuresUnknown,
        DisclosuresRefused,
        ReferralViewed,
        CallViewed,
        ToldOrally,
        RecordViewed,
        StatisticsExported,
    ),
    Record(),
)
HANDLERS: Handlers = {**_RECORDED, ContentShredded: Confirm()}
