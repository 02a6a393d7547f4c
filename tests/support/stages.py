"""A referral after its receipt, for tests: decided, shared, withdrawn, by the real handlers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.models import OUTBOX
from services.notify.planning.intake_client import Projection
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.stages.handlers import PlanAmended, PlanDecided, PlanShared, PlanWithdrawn
from services.notify.stages.intake_client import IncidentOfChild, Incidents, Outcome
from services.notify.stages.planning import Stages
from shared.contracts.base import EventData, Source
from shared.contracts.codes import Acceptance, WithdrawalCause
from shared.contracts.referrals import (
    ConsultShareRequested,
    ReferralAmended,
    ReferralDecided,
    ReferralReceived,
    ReferralWithdrawn,
)
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import new_id
from tests.support import planning as support
from tests.support.planning import RECEIVED, Child, FakeIntake, Planning, envelope
from tests.support.routing import RULES

OFFICE, COMPACT, OTHER_OFFICE = (f"agy_{n:032x}" for n in (8, 9, 10))
NEVER_IN_ALL = "Example: what only the 823 says"


@dataclass
class StageIntake(FakeIntake):
    """Also answers for the stages: forms by (referral, decision), outcomes by consult."""

    forms: dict[tuple[str, int], Incidents] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    async def project(self, referral_id: str, version: int, profiles: Sequence[str]) -> Projection:
        found = await super().project(referral_id, version, profiles)
        children = tuple(
            child.model_copy(
                update={
                    "copies": {
                        name: {**child.copies["hart"], "other_concerns": f"{name} {version}"}
                        for name in profiles
                    }
                }
            )
            for child in found.children
        )
        return found.model_copy(update={"children": children})

    async def incidents(self, referral_id: str, decision: int) -> Incidents:
        return self.forms[referral_id, decision]

    async def outcome(self, consult_id: str) -> Outcome:
        return self.outcomes[consult_id]


@dataclass
class Staging(Planning):
    """Every event of topic referrals that notify plans by, to its own handler."""

    intake: StageIntake = field(default_factory=StageIntake)

    @classmethod
    async def of(cls, db: Database, folder: Path, **changes: dict[str, Any]) -> "Staging":
        """With the Regional Office of Ansonia and the Interstate Compact Office on file."""
        entries = [
            *support.agencies(**changes),
            support.agency(8, "regional_office", offices=["Milford"])
            | changes.get("regional_office", {}),
            support.agency(9, "interstate_compact"),
            support.agency(10, "regional_office", offices=["Hartford"]),
        ]
        await support.seed(db, entries, folder)
        return cls(db)

    @property
    def stages(self) -> Stages:
        return Stages(
            self.db,
            self.intake,
            Rulebooks(RULES),
            self.directories,
            self.clerk,
            Outbox(OUTBOX, Source.NOTIFY),
            lambda: self.now,
        )

    def handler_of(self, data: EventData) -> Any:
        match data:
            case ReferralReceived():
                return self.handler
            case ReferralAmended():
                return PlanAmended(self.handler, self.stages)
            case ReferralDecided():
                return PlanDecided(self.stages)
            case ConsultShareRequested():
                return PlanShared(self.stages)
            case _:
                return PlanWithdrawn(self.stages)

    async def handle(self, data: EventData) -> None:
        """Prepare and apply, as the worker does."""
        material = await self.prepare(data)
        await self.apply(data, material)

    async def prepare(self, data: EventData) -> Any:
        return await self.handler_of(data).prepare(envelope(data), data)

    async def apply(self, data: EventData, material: Any) -> None:
        async with self.db.transaction() as session:
            await self.handler_of(data).apply(session, envelope(data), data, material)

    # What happens to a referral

    async def receive(self, *children: Child) -> str:
        data = self.announce(*children)
        await self.handle(data)
        return data.referral_id

    def amended(self, referral_id: str, version: int, *children: Child) -> ReferralAmended:
        data = self.announce(*children, referral_id=referral_id, version=version)
        assert isinstance(data, ReferralAmended)
        return data

    def decided(
        self,
        referral_id: str,
        decision: int,
        *children: Child,
        accepted: bool = True,
        version: int = 1,
    ) -> ReferralDecided:
        """Let intake hold the form of these children, and return the event that tells of it."""
        standing = "open" if accepted else "acceptance_reversed"
        self.intake.forms[referral_id, decision] = Incidents(
            referral_id=referral_id,
            children=tuple(
                IncidentOfChild(
                    child_id=child.child_id,
                    incident={
                        "incident_type": "human_trafficking",
                        "standing": standing,
                        "narrative": NEVER_IN_ALL,
                    },
                )
                for child in children
            ),
        )
        return ReferralDecided(
            referral_id=referral_id,
            decision=decision,
            outcome=Acceptance.ACCEPTED if accepted else Acceptance.NOT_ACCEPTED,
            version=version,
            decided_at=RECEIVED,
            recorded_at=RECEIVED,
        )

    def shared(self, referral_id: str, child: Child) -> ConsultShareRequested:
        consult_id = new_id("con")
        self.intake.outcomes[consult_id] = Outcome(
            referral_id=referral_id,
            child_id=child.child_id,
            consult={"consult_id": consult_id, "level": "high_risk"},
        )
        return ConsultShareRequested(
            referral_id=referral_id,
            consult_id=consult_id,
            child_id=child.child_id,
            recorded_at=RECEIVED,
            share_id=new_id("shr"),
            requested_at=RECEIVED,
        )

    def withdrawn(
        self, referral_id: str, cause: WithdrawalCause, version: int = 1
    ) -> ReferralWithdrawn:
        return ReferralWithdrawn(
            referral_id=referral_id, version=version, cause=cause, recorded_at=RECEIVED
        )

    async def set_state_of(self, agency_id: str, series: str, state: str, *outcomes: str) -> None:
        """As `set_state`, of the one notice of this agency in a series."""
        (row,) = [
            d
            for d in await self.rows(models.deliveries)
            if (d["agency_id"], d["series"]) == (agency_id, series)
        ]
        async with self.db.transaction() as session:
            for outcome in outcomes:
                values = {"id": new_id("dsc"), "notice": row["notice_id"], "agency": agency_id}
                await session.execute(
                    text(
                        "INSERT INTO notify.disclosures (disclosure_id, notice_id, agency_id, "
                        "attempted_at) VALUES (:id, :notice, :agency, :now)"
                    ),
                    values | {"now": self.now},
                )
                await session.execute(
                    text(
                        "INSERT INTO notify.disclosure_outcomes (disclosure_id, outcome, "
                        "occurred_at) VALUES (:id, :outcome, :now)"
                    ),
                    {"id": values["id"], "outcome": outcome, "now": self.now},
                )
            await session.execute(
                text(
                    "UPDATE notify.deliveries SET state = :state, next_attempt_at = NULL "
                    "WHERE notice_id = :notice"
                ),
                {"state": state, "notice": row["notice_id"]},
            )

    # What became of it

    async def told(self, series: str | None = None) -> set[tuple[str, str, int, int]]:
        """(agency, kind, version, revision) of every notice, or of one series."""
        return {
            (n["agency_id"], n["kind"], n["version"], n["revision"])
            for n in await self.rows(models.notices)
            if series in (None, n["series"])
        }

    async def states(self, series: str) -> set[tuple[str, int, str]]:
        """(agency, version, state) of a series' deliveries."""
        return {
            (d["agency_id"], d["version"], d["state"])
            for d in await self.rows(models.deliveries)
            if d["series"] == series
        }
