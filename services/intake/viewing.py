"""Showing content: a read is recorded and committed before its first byte is returned (P2)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from services.intake import store, view_store
from services.intake.answers import instant
from services.intake.digests import Digests
from services.intake.projections import Profiles, copies, facts
from services.intake.records import StoredChild, Version, View
from services.intake.retrying import until_known
from services.intake.strict_json import canonical
from services.intake.vault import Vault, readable
from shared.contracts.disclosures import ReferralViewed
from shared.messaging.outbox import RELAY_WAKE, UNHURRIED_SECONDS, Outbox
from shared.runtime.auth import Principal
from shared.runtime.db import Database, Session
from shared.runtime.errors import Gone
from shared.runtime.failpoints import failpoint
from shared.runtime.logging import where

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Question:
    """Who wants to read which version, as which profiles, why, and by what right.

    `routing`: the facts that routing needs, too.
    """

    disclosure_id: str
    referral_id: str
    version: int
    principal: Principal
    profiles: Sequence[str]
    purpose: str
    authority: str
    now: datetime
    routing: bool = True


Render = Callable[[Version, Sequence[dict[str, Any]]], str]
"""Makes the answer of a version and, for each child, its id, copies and facts."""


Found = tuple[Version, Sequence[StoredChild]]


class Viewing:
    """The unit of work behind every route that shows content."""

    def __init__(
        self, db: Database, outbox: Outbox, vault: Vault, digests: Digests, profiles: Profiles
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._vault = vault
        self._digests = digests
        self._profiles = profiles

    def unknown(self, names: Sequence[str]) -> list[int]:
        """The positions of the names that are no profile."""
        return [index for index, name in enumerate(names) if name not in self._profiles]

    async def view(self, question: Question, render: Render | None = None) -> str | None:
        """The copies as JSON, once the read is on record; None if there is no such version."""
        (shown,) = await self.view_all([question], render)
        if isinstance(shown, Gone):
            raise shown
        return shown

    async def view_all(
        self, questions: Sequence[Question], render: Render | None = None
    ) -> list[str | Gone | None]:
        """As `view` does, each in its place, all on record in one statement or none of them."""
        return await until_known(partial(self._attempt, questions, render or _answer))

    async def _attempt(
        self, questions: Sequence[Question], render: Render
    ) -> list[str | Gone | None]:
        async with self._db.connection() as session:
            found = await store.read_versions(
                session.execute, {(each.referral_id, each.version) for each in questions}
            )
            shown, views = self._show_all(questions, found, render)
            await self._record(session, views, questions[0].now)
        failpoint("intake.after_view_commit")
        for question, content in zip(questions, shown, strict=True):
            if isinstance(content, str):
                log.info(
                    "referral_viewed",
                    referral_id=question.referral_id,
                    version=question.version,
                    disclosure_id=question.disclosure_id,
                )
        return shown

    async def _record(self, session: Session, views: Sequence[View], now: datetime) -> None:
        """The one statement that writes: views and their events, committed when it returns."""
        if not views:
            return
        told = {view.disclosure_id: viewed(view) for view in views}
        await view_store.record(session.execute, views, self._outbox.each(told, now))
        self._db.wakes.wake_within(RELAY_WAKE, UNHURRIED_SECONDS)

    def _show_all(
        self,
        questions: Sequence[Question],
        found: Mapping[tuple[str, int], Found],
        render: Render,
    ) -> tuple[list[str | Gone | None], list[View]]:
        """What is answered, and what must be on record before."""
        views: list[View] = []
        shown: list[str | Gone | None] = []
        for each in questions:
            try:
                stored = found.get((each.referral_id, each.version))
                shown.append(self._show(each, stored, render, views))
            except Exception as error:
                if len(questions) == 1:
                    raise
                # It fails alone, when it is asked for alone.
                log.warning("view_failed", error=error, where=where(error))
                shown.append(None)
        return shown, views

    def _show(
        self, question: Question, found: Found | None, render: Render, views: list[View]
    ) -> str | Gone | None:
        """Adds to `views` what must be on record before this is shown."""
        if found is None:
            return None
        version, sealed = found
        try:
            kept = readable(sealed)
        except Gone as gone:
            return gone
        children, fields = self._project(self._vault.open(kept, version.version), question)
        content = render(version, children)
        views.append(self._view(question, version, children, fields))
        return content

    def _project(
        self, opened: Sequence[tuple[str, dict[str, Any]]], question: Question
    ) -> tuple[list[dict[str, Any]], frozenset[str]]:
        """Each child's facts and copies, made of that child's own document and no other (P4);
        the others only withhold where they live (C25)."""
        profiles = {name: self._profiles[name] for name in question.profiles}
        beside = [document for _, document in opened]
        children, fields = [], frozenset[str]()
        for child_id, document in opened:
            made = copies(document, profiles, beside)
            shown: dict[str, Any] = {"child_id": child_id}
            if question.routing:
                known = facts(document, beside)
                shown["facts"] = known.content
                fields |= known.fields
            fields = fields.union(*(copy.fields for copy in made.values()))
            shown["copies"] = {name: copy.content for name, copy in made.items()}
            children.append(shown)
        return children, fields

    def _view(
        self,
        question: Question,
        version: Version,
        children: list[dict[str, Any]],
        fields: frozenset[str],
    ) -> View:
        return View(
            disclosure_id=question.disclosure_id,
            referral_id=version.referral_id,
            version=version.version,
            child_ids=[child["child_id"] for child in children],
            actor=question.principal.subject,
            actor_kind="person" if question.principal.person else "service",
            authority=question.authority,
            purpose=question.purpose,
            profiles=question.profiles,
            fields=sorted(fields),
            commitment=self._digests.commit(canonical(children)),
            viewed_at=question.now,
        )


def viewed(view: View) -> ReferralViewed:
    """The event of a read: who saw which fields, why, by what right, and never the values."""
    return ReferralViewed(
        referral_id=view.referral_id,
        disclosure_id=view.disclosure_id,
        version=view.version,
        child_ids=tuple(view.child_ids),
        actor=view.actor,
        actor_kind=view.actor_kind,
        authority=view.authority,
        purpose=view.purpose,
        fields=tuple(view.fields),
        commitment=view.commitment,
        viewed_at=view.viewed_at,
    )


def _answer(version: Version, children: Sequence[dict[str, Any]]) -> str:
    shown = {child["child_id"] for child in children}
    gone = [child_id for child_id in version.child_ids if child_id not in shown]
    return json.dumps(
        {
            "referral_id": version.referral_id,
            "number": version.number,
            "version": version.version,
            "trigger": version.trigger,
            "received_at": instant(version.received_at),
            "synthetic": version.synthetic,
            "children": children,
        }
        | ({"shredded": gone} if gone else {}),
        ensure_ascii=False,
        separators=(",", ":"),
    )
