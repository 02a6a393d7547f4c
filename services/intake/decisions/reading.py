"""Reading reasons in words and form DCF-823: on record before the first byte is returned (P2)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from services.intake import store as referral_store
from services.intake import view_store
from services.intake.access import Hidden, NotTheirs
from services.intake.decisions import sealed, store
from services.intake.decisions.records import Explanation, StoredIncident
from services.intake.digests import Digests
from services.intake.records import StoredChild, Version, View
from services.intake.retrying import until_known
from services.intake.strict_json import canonical
from services.intake.vault import readable
from services.intake.viewing import viewed
from shared.messaging.outbox import Outbox
from shared.runtime.auth import Principal
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint
from shared.runtime.sealing import Sealer

_PROFILE = "decisions"


@dataclass(frozen=True, slots=True)
class FileQuestion:
    """Which person reads which referral's file, why, and by what right."""

    disclosure_id: str
    referral_id: str
    reader: Principal
    purpose: str
    authority: str
    now: datetime


class ReadingFiles:
    """The unit of work behind POST /v1/referrals/{id}/decisions/readings."""

    def __init__(
        self, db: Database, outbox: Outbox, sealer: Sealer, digests: Digests, hidden: Hidden
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._sealer = sealer
        self._digests = digests
        self._hidden = hidden

    async def read(self, question: FileQuestion) -> str | NotTheirs:
        """Each child's explanations and form, as JSON, once the read is on record."""
        return await until_known(partial(self._attempt, question))

    async def _attempt(self, question: FileQuestion) -> str | NotTheirs:
        async with self._db.transaction() as session:
            content = await self._read(session, question)
        failpoint("intake.after_view_commit")
        return content

    async def _read(self, session: Session, question: FileQuestion) -> str | NotTheirs:
        found = await referral_store.read_version(session, question.referral_id)
        if found is None:
            return NotTheirs()
        subject = question.referral_id
        if subject in await self._hidden(session, [subject], question.reader.subject):
            return NotTheirs()
        version, children = found[0], readable(found[1])
        explained = await store.read_explanations(session, question.referral_id)
        incidents = await store.read_incidents(session, question.referral_id)
        shown = [self._child(child, explained, incidents) for child in children]
        view = _view(question, version, shown, self._digests.commit(canonical(shown)))
        if await view_store.insert_view(session, view):
            await self._outbox.emit(session, question.now, viewed(view))
        return json.dumps(
            {"referral_id": version.referral_id, "number": version.number, "children": shown},
            ensure_ascii=False,
            separators=(",", ":"),
        )

    def _child(
        self,
        child: StoredChild,
        explained: Sequence[Explanation],
        incidents: Sequence[StoredIncident],
    ) -> dict[str, Any]:
        own = [each for each in incidents if each.known.child_id == child.child_id]
        return {
            "child_id": child.child_id,
            "explanations": {
                each.about: sealed.words(self._sealer, child.key, each)
                for each in explained
                if each.child_id == child.child_id
            },
            "critical_incident": sealed.open_incident(self._sealer, own[0]) if own else None,
        }


def _view(
    question: FileQuestion,
    version: Version,
    shown: Sequence[Mapping[str, Any]],
    commitment: str,
) -> View:
    return View(
        disclosure_id=question.disclosure_id,
        referral_id=version.referral_id,
        version=version.version,
        child_ids=[child["child_id"] for child in shown],
        actor=question.reader.subject,
        actor_kind="person",
        authority=question.authority,
        purpose=question.purpose,
        profiles=[_PROFILE],
        fields=sorted({name for child in shown for name in _fields(child)}),
        commitment=commitment,
        viewed_at=question.now,
    )


def _fields(child: Mapping[str, Any]) -> list[str]:
    explained = ["explanations"] if child["explanations"] else []
    return [*explained, *(f"critical_incident.{name}" for name in child["critical_incident"] or ())]
