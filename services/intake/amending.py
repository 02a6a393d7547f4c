"""Amending a referral: a new version and its event, and of two racing amendments one."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, assert_never

import structlog

from services.intake import referrals, store
from services.intake.access import NotTheirs
from services.intake.announcing import announcement
from services.intake.answers import describe, instant
from services.intake.decisions.rules import Withdrawn
from services.intake.decisions.store import withdrawn
from services.intake.digests import Digests, same_body
from services.intake.documents import assemble
from services.intake.receiving import KeyReused
from services.intake.records import Claim, StoredChild, Version
from services.intake.referrals import Amended, Identified, Stale, Unchanged, backdated, identified
from services.intake.retrying import until_known
from services.intake.strict_json import canonical
from services.intake.vault import Vault, readable
from shared.messaging.outbox import Outbox
from shared.runtime import metrics
from shared.runtime.db import Database, Session
from shared.runtime.failpoints import failpoint
from shared.runtime.ids import new_id

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Change:
    """A request to amend. `expected` are the versions of its If-Match, `change_id` is its own.

    `key` is the caller's Idempotency-Key, if it sent one.
    """

    referral_id: str
    caller: str
    expected: Collection[int]
    patch: object
    now: datetime
    change_id: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """The version that holds now, whether this request made it or it was so already."""

    version: Version


@dataclass(frozen=True, slots=True)
class Again:
    """Sent again with the same Idempotency-Key: `answer` is the first one's."""

    answer: str


Outcome = Current | Again | KeyReused | Stale | Withdrawn | NotTheirs


Added = Callable[[Session, Version, Sequence[StoredChild]], Awaitable[None]]
"""What is written for children that a version names for the first time, in its transaction."""


class Amending:
    """The unit of work behind PATCH /v1/referrals/{id}."""

    def __init__(
        self,
        db: Database,
        outbox: Outbox,
        vault: Vault,
        digests: Digests,
        towns: Collection[str],
        added: Added,
    ) -> None:
        self._db = db
        self._outbox = outbox
        self._vault = vault
        self._digests = digests
        self._towns = towns
        self._added = added

    async def amend(self, change: Change) -> Outcome:
        """Apply the patch to the current version. Raises Unfit or Rejected.

        With a key that has done its work before, whatever version is current: the first answer.
        """
        return await until_known(partial(self._attempt, change))

    async def _attempt(self, change: Change) -> Outcome:
        async with self._db.transaction() as session:
            outcome = await self._apply(session, change)
            failpoint("intake.before_commit")
        failpoint("intake.after_commit")
        if isinstance(outcome, Current) and outcome.version.change_id == change.change_id:
            metrics.REFERRALS_AMENDED.inc()
            log.info(
                "referral_amended",
                referral_id=change.referral_id,
                version=outcome.version.version,
            )
        return outcome

    async def _apply(self, session: Session, change: Change) -> Outcome:
        if await store.lock(session, change.referral_id) != change.caller:
            return NotTheirs()
        found = await store.read_version(session, change.referral_id)
        assert found is not None
        version, children = found[0], readable(found[1])
        if version.change_id == change.change_id:
            return Current(version)
        claim = self._claim(change)
        if claim and (kept := await store.find_claim(session, change.caller, claim.key_digests)):
            body_digest, answer = kept
            return Again(answer) if same_body(body_digest, claim.body_digests) else KeyReused()
        if await withdrawn(session, change.referral_id):
            return Withdrawn()
        outcome = await self._change(session, change, version, children)
        if claim and isinstance(outcome, Current):
            answered = replace(claim, answer=describe(outcome.version))
            await store.insert_claim(session, change.caller, answered, change.now)
        return outcome

    def _claim(self, change: Change) -> Claim | None:
        if change.key is None:
            return None
        return Claim(
            self._digests.amendment(change.referral_id, change.key),
            self._digests.request(canonical(change.patch)),
            answer="",
        )

    async def _change(
        self,
        session: Session,
        change: Change,
        version: Version,
        children: Sequence[StoredChild],
    ) -> Current | Stale:
        amendment = referrals.amend(
            self._document(version, children),
            version.version,
            change.patch,
            change.expected,
            now=change.now,
            towns=self._towns,
        )
        match amendment:
            case Stale():
                return amendment
            case Unchanged():
                return Current(version)
            case Amended():
                return Current(await self._write(session, change, version, children, amendment))
            case _:
                assert_never(amendment)

    def _document(self, version: Version, children: Sequence[StoredChild]) -> dict[str, Any]:
        own = {
            "trigger": version.trigger,
            "received_at": instant(version.received_at),
            "synthetic": version.synthetic,
        }
        return assemble(self._vault.open(children, version.version), own)

    async def _write(
        self,
        session: Session,
        change: Change,
        before: Version,
        children: Sequence[StoredChild],
        amendment: Amended,
    ) -> Version:
        referral = amendment.referral
        named = identified(referral, lambda: new_id("chd"))
        version = replace(
            before,
            version=amendment.version,
            change_id=change.change_id,
            trigger=referral.trigger.value,
            received_at=referral.received_at,
            recorded_at=change.now,
            recorded_by=change.caller,
            child_ids=_with_the_destroyed(before, children, named),
            backdated=backdated(referral.received_at, change.now, before.received_at),
        )
        keys = {child.child_id: child.key for child in children}
        sealed = self._vault.seal(referral, named, version.version, keys)
        await store.append_version(session, version, sealed)
        new = [
            StoredChild(child.child_id, child.new_key, child.sealed)
            for child in sealed
            if child.new_key is not None
        ]
        if new:
            await self._added(session, version, new)
        await self._outbox.emit(session, change.now, announcement(version, named))
        return version


def _with_the_destroyed(
    before: Version, children: Sequence[StoredChild], named: Sequence[Identified]
) -> list[str]:
    """The children that a version names, and those whose content was destroyed since: nobody can
    amend them, and they stay of the referral."""
    there = {child.child_id for child in children}
    gone = [child_id for child_id in before.child_ids if child_id not in there]
    return [*(child_id for child_id, _ in named), *gone]
