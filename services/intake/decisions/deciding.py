"""Deciding on a referral, and what follows in the same transaction: form DCF-823, the event.

Who is told of the referral was settled when it was received; nothing here sends that again (C11).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import structlog

from services.intake import store as referral_store
from services.intake.access import Hidden, NotTheirs
from services.intake.answers import instant
from services.intake.decisions import rules, sealed, store
from services.intake.decisions.codes import Standing
from services.intake.decisions.records import Decision, File, IncidentVersion, StoredIncident
from services.intake.decisions.rules import Create, Outdated, Restate, Withdrawn
from services.intake.decisions.schemas import Incident, NewDecision
from services.intake.once import Answer, Asked, Once
from services.intake.receiving import KeyReused, StillOpen
from services.intake.records import StoredChild, Version
from services.intake.vault import readable
from shared.contracts.codes import Acceptance
from shared.contracts.referrals import ReferralDecided
from shared.messaging.outbox import Outbox
from shared.runtime.db import Session
from shared.runtime.ids import new_id
from shared.runtime.sealing import Sealer

log = structlog.get_logger()

Decided = Answer | KeyReused | StillOpen | NotTheirs | Outdated | Withdrawn


@dataclass(frozen=True, slots=True)
class _Made:
    """A decision with what it needs to write what follows from it."""

    decision: Decision
    children: Sequence[StoredChild]
    stored: dict[str, StoredIncident]


class Deciding:
    """The unit of work behind POST /v1/referrals/{id}/decisions."""

    def __init__(self, once: Once, outbox: Outbox, sealer: Sealer, hidden: Hidden) -> None:
        self._once = once
        self._outbox = outbox
        self._sealer = sealer
        self._hidden = hidden

    async def decide(self, asked: Asked, referral_id: str, wanted: NewDecision) -> Decided:
        """Add a decision to the referral's history. Raises Rejected."""

        async def work(session: Session) -> Answer | NotTheirs | Outdated | Withdrawn:
            return await self._decide(session, asked, referral_id, wanted)

        outcome: Decided = await self._once.do(asked, work)
        if isinstance(outcome, Answer) and not outcome.again:
            log.info("referral_decided", referral_id=referral_id, decision=wanted.follows + 1)
        return outcome

    async def _decide(
        self, session: Session, asked: Asked, referral_id: str, wanted: NewDecision
    ) -> Answer | NotTheirs | Outdated | Withdrawn:
        if await referral_store.lock(session, referral_id) is None:
            return NotTheirs()
        if referral_id in await self._hidden(session, [referral_id], asked.owner):
            return NotTheirs()
        found = await referral_store.read_version(session, referral_id)
        assert found is not None
        version, children = found[0], readable(found[1])
        rules.check(wanted, [child.child_id for child in children], asked.now)
        file = await store.read_file(session, referral_id)
        refused = rules.permitted(wanted, len(file.decisions), file.withdrawal is not None)
        if refused is not None:
            return refused
        decision = _decision(wanted, version, asked)
        await self._write(session, decision, children, wanted)
        await self._outbox.emit(session, asked.now, _event(decision, version.synthetic))
        return Answer(describe(await store.read_file(session, referral_id)))

    async def added(
        self, session: Session, version: Version, children: Sequence[StoredChild]
    ) -> None:
        """Children that an amendment names for the first time, in a referral that this session has
        locked: where it is accepted, form DCF-823 is theirs too, in the same transaction."""
        decisions = (await store.read_file(session, version.referral_id)).decisions
        if not decisions or decisions[-1].outcome != Acceptance.ACCEPTED:
            return
        for child in children:
            incident_id = new_id("inc")
            await store.create_incident(session, incident_id, child.child_id, version.referral_id)
            content = sealed.seal_incident(self._sealer, child.key, incident_id, 1, Incident())
            first = IncidentVersion(
                incident_id=incident_id,
                version=1,
                standing=Standing.OPEN.value,
                decision=decisions[-1].decision,
                recorded_at=version.recorded_at,
                recorded_by=version.recorded_by,
                sealed=content,
            )
            await store.append_incident(session, first)

    async def _write(
        self,
        session: Session,
        decision: Decision,
        children: Sequence[StoredChild],
        wanted: NewDecision,
    ) -> None:
        await store.insert_decision(session, decision)
        about = f"decision/{decision.decision}"
        explained = sealed.explain(self._sealer, children, about, wanted.explanation)
        await store.insert_explanations(session, explained)
        incidents = [
            each
            for each in await store.read_incidents(session, decision.referral_id)
            if not each.key.shredded
        ]
        made = _Made(decision, children, {each.known.incident_id: each for each in incidents})
        known = [each.known for each in incidents]
        for step in rules.steps(wanted, [child.child_id for child in children], known):
            match step:
                case Create():
                    await self._create(session, made, step)
                case Restate():
                    await self._restate(session, made, step)
                case _:
                    assert_never(step)

    async def _create(self, session: Session, made: _Made, step: Create) -> None:
        incident_id = new_id("inc")
        (key,) = (child.key for child in made.children if child.child_id == step.child_id)
        content = sealed.seal_incident(self._sealer, key, incident_id, 1, step.content)
        referral_id = made.decision.referral_id
        await store.create_incident(session, incident_id, step.child_id, referral_id)
        version = _version(incident_id, 1, Standing.OPEN, made.decision, content)
        await store.append_incident(session, version)

    async def _restate(self, session: Session, made: _Made, step: Restate) -> None:
        stored = made.stored[step.known.incident_id]
        content = step.content
        if content is None:
            content = Incident.model_validate_json(
                json.dumps(sealed.open_incident(self._sealer, stored))
            )
        number = step.known.version + 1
        incident_id = step.known.incident_id
        document = sealed.seal_incident(self._sealer, stored.key, incident_id, number, content)
        version = _version(incident_id, number, step.standing, made.decision, document)
        await store.append_incident(session, version)


def describe(file: File) -> str:
    """The JSON of a referral's file: codes, ids, who and when, never a narrative."""
    withdrawal = file.withdrawal
    return json.dumps(
        {
            "decisions": [_shown(decision) for decision in file.decisions],
            "critical_incidents": [
                {
                    "incident_id": each.incident_id,
                    "child_id": each.child_id,
                    "version": each.version,
                    "standing": each.standing,
                }
                for each in file.incidents
            ],
            "withdrawal": None
            if withdrawal is None
            else {
                "cause": withdrawal.cause,
                "version": withdrawal.version,
                "recorded_at": instant(withdrawal.recorded_at),
                "withdrawn_by": withdrawal.withdrawn_by,
            },
        },
        separators=(",", ":"),
    )


def _shown(decision: Decision) -> dict[str, object]:
    return {
        "decision": decision.decision,
        "outcome": decision.outcome,
        "reasons": list(decision.reasons),
        "version": decision.version,
        "decided_at": instant(decision.decided_at),
        "recorded_at": instant(decision.recorded_at),
        "decided_by": decision.decided_by,
    }


def _decision(wanted: NewDecision, version: Version, asked: Asked) -> Decision:
    return Decision(
        referral_id=version.referral_id,
        decision=wanted.follows + 1,
        outcome=wanted.outcome.value,
        reasons=[reason.value for reason in wanted.reasons],
        version=version.version,
        decided_at=wanted.decided_at or asked.now,
        recorded_at=asked.now,
        decided_by=asked.owner,
    )


def _version(
    incident_id: str, number: int, standing: Standing, decision: Decision, document: bytes
) -> IncidentVersion:
    return IncidentVersion(
        incident_id=incident_id,
        version=number,
        standing=standing.value,
        decision=decision.decision,
        recorded_at=decision.recorded_at,
        recorded_by=decision.decided_by,
        sealed=document,
    )


def _event(decision: Decision, synthetic: bool) -> ReferralDecided:
    return ReferralDecided(
        referral_id=decision.referral_id,
        decision=decision.decision,
        outcome=Acceptance(decision.outcome),
        version=decision.version,
        decided_at=decision.decided_at,
        recorded_at=decision.recorded_at,
        synthetic=synthetic,
    )
