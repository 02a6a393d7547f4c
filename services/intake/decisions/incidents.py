"""Amending form DCF-823 by a merge patch: a new version each time, and none is ever deleted."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from services.intake import referrals
from services.intake import store as referral_store
from services.intake.access import Hidden, NotTheirs
from services.intake.decisions import sealed, store
from services.intake.decisions.records import IncidentVersion, StoredIncident
from services.intake.decisions.rules import Known
from services.intake.decisions.schemas import Incident
from services.intake.referrals import Stale
from services.intake.retrying import until_known
from services.intake.strict_json import Flaw, Rejected
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint
from shared.runtime.sealing import Sealer


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """A request to amend an incident. `expected` are the versions of its If-Match."""

    incident_id: str
    actor: str
    expected: Collection[int]
    patch: object
    now: datetime


class Incidents:
    """The unit of work behind PATCH /v1/critical-incidents/{id}."""

    def __init__(self, db: Database, sealer: Sealer, hidden: Hidden) -> None:
        self._db = db
        self._sealer = sealer
        self._hidden = hidden

    async def amend(self, change: IncidentChange) -> Known | Stale | NotTheirs:
        """The version that holds now. Raises Unfit or Rejected.

        After a lost connection the same patch is found to say what is known already.
        """
        return await until_known(partial(self._attempt, change))

    async def _attempt(self, change: IncidentChange) -> Known | Stale | NotTheirs:
        async with self._db.transaction() as session:
            outcome = await self._amend(session, change)
            failpoint("intake.incident.before_commit")
        failpoint("intake.incident.after_commit")
        return outcome

    async def _amend(self, session: Session, change: IncidentChange) -> Known | Stale | NotTheirs:
        referral_id = await store.referral_of_incident(session, change.incident_id)
        if referral_id is None:
            return NotTheirs()
        await referral_store.lock(session, referral_id)
        if referral_id in await self._hidden(session, [referral_id], change.actor):
            return NotTheirs()
        stored = await _find(session, referral_id, change.incident_id)
        before = sealed.open_incident(self._sealer, stored)
        after = _patched(before, change.patch)
        unchanged = after == referrals.read(Incident, before)
        if stored.known.version not in change.expected:
            came_again = unchanged and stored.known.version - 1 in change.expected
            return stored.known if came_again else Stale()
        if unchanged:
            return stored.known
        return await self._append(session, change, stored, after)

    async def _append(
        self,
        session: Session,
        change: IncidentChange,
        stored: StoredIncident,
        content: Incident,
    ) -> Known:
        known = stored.known
        number = known.version + 1
        document = sealed.seal_incident(
            self._sealer, stored.key, known.incident_id, number, content
        )
        decided = (await store.read_file(session, stored.referral_id)).decisions
        version = IncidentVersion(
            incident_id=known.incident_id,
            version=number,
            standing=known.standing.value,
            decision=len(decided),
            recorded_at=change.now,
            recorded_by=change.actor,
            sealed=document,
        )
        await store.append_incident(session, version)
        return Known(known.incident_id, known.child_id, number, known.standing)


def describe(known: Known) -> str:
    return json.dumps(
        {
            "incident_id": known.incident_id,
            "child_id": known.child_id,
            "version": known.version,
            "standing": known.standing,
        },
        separators=(",", ":"),
    )


async def _find(session: Session, referral_id: str, incident_id: str) -> StoredIncident:
    found = await store.read_incidents(session, referral_id)
    (stored,) = (each for each in found if each.known.incident_id == incident_id)
    return stored


def _patched(before: dict[str, object], patch: object) -> Incident:
    if not isinstance(patch, dict):
        raise Rejected(Flaw((), "must be a JSON object: a merge patch of the form"))
    return referrals.read(Incident, referrals.merge_patch(before, patch))
