"""Audit's record of invented children: events as others emit them, into a signed log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.audit.accounting.neighbours import Subjects
from services.audit.accounting.rows import Row
from services.audit.consumer import HANDLERS
from services.audit.sealer import Sealer
from shared.contracts.base import Event, EventData, Source
from shared.contracts.codes import Channel, RefusalReason, Role
from shared.contracts.disclosures import (
    Attempt,
    CallViewed,
    DisclosuresAttempted,
    DisclosuresCompleted,
    DisclosuresFailed,
    DisclosuresRefused,
    DisclosuresUnknown,
    Outcome,
    RecordViewed,
    ReferralViewed,
    RefusedDisclosure,
    ToldOrally,
)
from shared.runtime.db import Database
from shared.runtime.errors import Retryable
from shared.runtime.ids import new_event_id, new_id

AT = datetime(2026, 3, 2, 19, 7, tzinfo=UTC)
POLICE, FBI = f"agy_{1:032x}", f"agy_{2:032x}"
FIELDS = ("name", "residence_town", "reporter.name", "source_type")
COMMITMENT = "ab" * 32


@dataclass
class FakePeople:
    """Intake as audit sees it: who is one person. `away`: it does not answer."""

    known: dict[str, Subjects] = field(default_factory=dict)
    ordered: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False

    def person(
        self,
        *children: str,
        referral_id: str,
        calls: Sequence[str] = (),
        records: Sequence[str] = (),
    ) -> None:
        for child in children:
            others = [each for each in children if each != child]
            self.known[child] = Subjects(
                referral_id=referral_id,
                child_ids=(child, *others),
                call_ids=tuple(calls),
                record_ids=tuple(records),
                shredded=(),
            )

    async def subjects(self, child_id: str) -> Subjects | None:
        if self.away:
            raise Retryable("intake did not answer")
        return self.known.get(child_id)

    async def shred(self, child_id: str, shredding_id: str) -> None:
        if self.away:
            raise Retryable("intake did not answer")
        self.ordered.append((child_id, shredding_id))


@dataclass
class FakeNames:
    """Notify's directory. `away`: it does not answer."""

    away: bool = False

    async def of(self, rows: Sequence[Row]) -> Sequence[str | None] | None:
        names = {POLICE: "Example Police", FBI: "Example FBI"}
        return None if self.away else [names.get(row.agency_id or "") for row in rows]


@dataclass
class Log:
    """The real log, fed as the worker feeds it."""

    db: Database
    sealer: Sealer

    async def happened(self, *events: EventData, source: Source = Source.NOTIFY) -> None:
        """Consumed, sequenced and signed."""
        async with self.db.transaction() as session:
            for data in events:
                event = _envelope(data, source)
                handler = HANDLERS[type(data)]
                material = await handler.prepare(event, data)
                await handler.apply(session, event, data, material)
        await self.sealer.drain()


def _envelope(data: EventData, source: Source) -> Event:
    return Event(
        id=new_event_id(),
        source=source,
        type=data.type,
        subject=data.subject,
        time=AT,
        sequence=1,
        data=data.model_dump(mode="json"),
    )


def attempted(referral_id: str, child_id: str, **changes: Any) -> DisclosuresAttempted:
    """One attempt at the police."""
    values: dict[str, Any] = {
        "disclosure_id": new_id("dsc"),
        "notice_id": new_id("ntc"),
        "child_id": child_id,
        "agency_id": POLICE,
        "role": Role.LOCAL_LAW_ENFORCEMENT,
        "version": 1,
        "channel": Channel.ENCRYPTED,
        "authority": "CGS 17a-101b(c)",
        "purpose": "Notification by DCF-737",
        "rule": "incident_town",
        "rules_version": "dcf_737/3",
        "directory_version": 4,
        "fields": FIELDS,
        "commitment": COMMITMENT,
        "attempted_at": AT,
    }
    return DisclosuresAttempted(referral_id=referral_id, attempts=(Attempt(**values | changes),))


def ended(
    attempt: DisclosuresAttempted, model: Any = DisclosuresCompleted, status: int | None = 200
) -> DisclosuresCompleted | DisclosuresFailed | DisclosuresUnknown:
    (one,) = attempt.attempts
    outcome = Outcome(
        disclosure_id=one.disclosure_id,
        notice_id=one.notice_id,
        child_id=one.child_id,
        occurred_at=one.attempted_at + timedelta(seconds=1),
        http_status=status,
    )
    made: DisclosuresCompleted = model(referral_id=attempt.referral_id, outcomes=(outcome,))
    return made


def refused(referral_id: str, child_id: str) -> DisclosuresRefused:
    one = RefusedDisclosure(
        notice_id=new_id("ntc"),
        child_id=child_id,
        agency_id=FBI,
        role=Role.FBI,
        version=1,
        reason=RefusalReason.AUTHORITY_EXPIRED,
        refused_at=AT,
    )
    return DisclosuresRefused(referral_id=referral_id, refused=(one,))


def viewed(referral_id: str, *children: str, **changes: Any) -> ReferralViewed:
    values: dict[str, Any] = {
        "referral_id": referral_id,
        "disclosure_id": new_id("dsc"),
        "version": 1,
        "child_ids": children,
        "actor": "worker-7",
        "actor_kind": "person",
        "authority": "DCF Policy 21-14",
        "purpose": "HART consult",
        "fields": ("name",),
        "commitment": COMMITMENT,
        "viewed_at": AT + timedelta(hours=1),
    }
    return ReferralViewed(**values | changes)


def call_viewed(call_id: str) -> CallViewed:
    return CallViewed(
        call_id=call_id,
        disclosure_id=new_id("dsc"),
        version=1,
        actor="careline-2",
        actor_kind="person",
        authority="DCF Policy 21-14",
        purpose="handover",
        fields=("name",),
        commitment=COMMITMENT,
        viewed_at=AT - timedelta(minutes=5),
    )


def record_viewed(record_id: str) -> RecordViewed:
    return RecordViewed(
        record_id=record_id,
        disclosure_id=new_id("dsc"),
        actor="director-1",
        authority="DCF Policy 21-14",
        purpose="triage",
        fields=("content",),
        commitment=COMMITMENT,
        viewed_at=AT,
    )


def told(referral_id: str, child_id: str) -> ToldOrally:
    return ToldOrally(
        referral_id=referral_id,
        disclosure_id=new_id("dsc"),
        version=1,
        child_ids=(child_id,),
        recipient_id=new_id("plc"),
        actor="worker-7",
        authority="CGS 17a-28",
        purpose="placement",
        fields=("name",),
        commitment=COMMITMENT,
        occurred_at=AT + timedelta(hours=2),
        recorded_at=AT + timedelta(days=3),
    )
