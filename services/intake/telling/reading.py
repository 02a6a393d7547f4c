"""Telling notify: on record and committed before the first byte is returned (P2)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from services.intake import store as referral_store
from services.intake import view_store
from services.intake.answers import instant
from services.intake.decisions import sealed
from services.intake.decisions import store as decision_store
from services.intake.decisions.records import StoredIncident
from services.intake.digests import Digests
from services.intake.hart.consults import Step
from services.intake.hart.histories import Held, Histories
from services.intake.masks import without_address
from services.intake.records import View
from services.intake.retrying import until_known
from services.intake.strict_json import canonical
from services.intake.telling import store
from services.intake.vault import Vault, readable
from services.intake.viewing import viewed
from shared.messaging.outbox import Outbox
from shared.runtime.auth import Principal
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint
from shared.runtime.sealing import Sealer

INCIDENT = ("incident_type", "incident_at_text", "legal_status", "placement", "narrative")
"""What form DCF-823 tells of an incident: not who else was notified (P4)."""
OUTCOME = ("level", "scale", "narrative")


@dataclass(frozen=True, slots=True)
class Asker:
    """Which service asks, why, and by what right."""

    disclosure_id: str
    principal: Principal
    purpose: str
    authority: str
    now: datetime


@dataclass(frozen=True, slots=True)
class _Shown:
    """What is to be told, and of whom it is on record."""

    referral_id: str
    version: int
    child_ids: Sequence[str]
    profile: str
    fields: Sequence[str]
    content: Mapping[str, Any]


class Telling:
    """The units of work behind the internal routes for notify."""

    def __init__(
        self, db: Database, outbox: Outbox, sealer: Sealer, histories: Histories, digests: Digests
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._sealer = sealer
        self._vault = Vault(sealer)
        self._histories = histories
        self._digests = digests

    async def incidents(self, asker: Asker, referral_id: str, decision: int) -> str | None:
        """Form DCF-823 of each child by that decision, as JSON; None if there is none such."""
        return await until_known(partial(self._incidents, asker, referral_id, decision))

    async def outcome(self, asker: Asker, consult_id: str) -> str | None:
        """What a completed consult came to, as JSON; None if there is none such."""
        return await until_known(partial(self._outcome, asker, consult_id))

    async def _incidents(self, asker: Asker, referral_id: str, decision: int) -> str | None:
        async with self._db.transaction() as session:
            file = await decision_store.read_file(session, referral_id)
            made = next((each for each in file.decisions if each.decision == decision), None)
            if made is None:
                return None
            found = await store.incidents_as_of(session, referral_id, decision)
            documents = await self._documents(session, referral_id)
            told = [
                self._incident(each, documents)
                for each in found
                if each.known.child_id in documents
            ]
            fields = {f"critical_incident.{name}" for each in told for name in each["incident"]}
            shown = _Shown(
                referral_id,
                made.version,
                [each["child_id"] for each in told],
                "critical_incident",
                sorted(fields),
                {"referral_id": referral_id, "decision": decision, "children": told},
            )
            await self._record(session, asker, shown)
        failpoint("intake.after_view_commit")
        return _json(shown.content)

    async def _outcome(self, asker: Asker, consult_id: str) -> str | None:
        async with self._db.transaction() as session:
            held = await self._histories.hold(session, consult_id, asker.principal.subject)
            if held is None or held.consult.completed_at is None:
                return None
            documents = await self._documents(session, held.row.referral_id)
            told = without_address(
                documents[held.row.child_id], self._consult(held), documents.values()
            )
            shown = _Shown(
                held.row.referral_id,
                held.child.version,
                [held.row.child_id],
                "hart_consult",
                sorted(f"consult.{name}" for name in told),
                {
                    "referral_id": held.row.referral_id,
                    "child_id": held.row.child_id,
                    "consult": told,
                },
            )
            await self._record(session, asker, shown)
        failpoint("intake.after_view_commit")
        return _json(shown.content)

    async def _documents(self, session: Session, referral_id: str) -> dict[str, dict[str, Any]]:
        """The current document of each child that was not shredded, for its masks. Raises Gone
        when all were."""
        found = await referral_store.read_version(session, referral_id)
        assert found is not None
        version, children = found
        return dict(self._vault.open(readable(children), version.version))

    def _incident(
        self, stored: StoredIncident, documents: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        opened = sealed.open_incident(self._sealer, stored)
        content = without_address(documents[stored.known.child_id], opened, documents.values())
        told = {name: content[name] for name in INCIDENT if content.get(name) is not None}
        known = stored.known
        named = {"incident_id": known.incident_id, "standing": known.standing.value}
        return {"child_id": known.child_id, "incident": named | told}

    def _consult(self, held: Held) -> dict[str, Any]:
        (entry,) = (each for each in held.entries if each.step == Step.COMPLETED.value)
        note = self._histories.note(held, entry)
        assert held.consult.completed_at is not None
        return {
            "consult_id": held.row.consult_id,
            "requested_at": instant(held.consult.started_at),
            "completed_at": instant(held.consult.completed_at),
            **{name: note[name] for name in OUTCOME if note.get(name) is not None},
        }

    async def _record(self, session: Session, asker: Asker, shown: _Shown) -> None:
        view = View(
            disclosure_id=asker.disclosure_id,
            referral_id=shown.referral_id,
            version=shown.version,
            child_ids=shown.child_ids,
            actor=asker.principal.subject,
            actor_kind="person" if asker.principal.person else "service",
            authority=asker.authority,
            purpose=asker.purpose,
            profiles=[shown.profile],
            fields=shown.fields,
            commitment=self._digests.commit(canonical(shown.content)),
            viewed_at=asker.now,
        )
        if shown.child_ids and await view_store.insert_view(session, view):
            await self._outbox.emit(session, asker.now, viewed(view))


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
