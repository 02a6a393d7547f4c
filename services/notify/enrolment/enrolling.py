"""Carrying an enrolment out, step by step. Nothing is posted while a transaction is open."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.notify.delivery.key_end import has_ended
from services.notify.directory import changes as directory_changes
from services.notify.directory import store as directory_store
from services.notify.directory.authority import today
from services.notify.directory.changes import Invalid
from services.notify.directory.difference import thumbprint
from services.notify.directory.endpoint_tls import Transport
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.history import in_force
from services.notify.enrolment import enrolment_store
from services.notify.enrolment.challenge import Challenger, NotProved
from services.notify.enrolment.steps import Enrolment, Step, new_code
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_id, utc_now
from shared.runtime.two_people import same_person


@dataclass(frozen=True, slots=True)
class Done:
    enrolment: Enrolment


@dataclass(frozen=True, slots=True)
class Invited:
    """`code` is told here and never again."""

    enrolment: Enrolment
    code: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not now, or not by this person; the sentence says why."""

    why: str


@dataclass(frozen=True, slots=True)
class WrongCode:
    """Wrong, used, expired, or tried too often: all the same to whoever asks."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is no such enrolment, agency, or right to it."""


Outcome = Done | Refused | Nothing


class Enrolling:
    def __init__(
        self, db: Database, challenger: Challenger, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._db = db
        self._challenger = challenger
        self._clock = clock

    async def invite(self, agency_id: str, by: str) -> Invited | Nothing:
        code = new_code()
        async with self._db.transaction() as session:
            made = await enrolment_store.invite(session, agency_id, code, by=by, now=self._clock())
        return Nothing() if made is None else Invited(made, code)

    async def submit(
        self, enrolment_id: str, agency_id: str, code: str, endpoint: str, key: dict[str, Any],
        *, by: str,
    ) -> Done | Refused | WrongCode | Nothing:  # fmt: skip
        """The agency's own, with the code; a wrong one is counted."""
        now = self._clock()
        async with self._db.transaction() as session:
            found = await enrolment_store.get(session, enrolment_id, lock=True)
            if found is None or found.agency_id != agency_id:
                return Nothing()
            if not found.opened_by(code, now):
                await enrolment_store.wrong_code(session, enrolment_id)
                return WrongCode()
            if has_ended(key, now):
                return Refused("The key has expired by its own `exp`: make another.")
            print_ = thumbprint(key)
            return Done(
                await enrolment_store.submit(
                    session, enrolment_id, endpoint, key, print_, by=by, now=now
                )
            )

    async def prove(self, enrolment_id: str, agency_id: str | None = None) -> Outcome:
        """Send the challenge; `agency_id` when the agency itself asks for it."""
        now = self._clock()
        read = await self._at(enrolment_id, {Step.SUBMITTED, Step.PROVED}, agency_id)
        if not isinstance(read, _Ready):
            return read
        found = read.enrolment
        endpoint, key = _submitted(found)
        try:
            await self._challenger.prove(
                found.agency_id, endpoint, key, read.networks, now, read.transport
            )
        except NotProved as why:
            return Refused(f"The challenge was not met: {why}.")
        async with self._db.transaction() as session:
            return Done(await enrolment_store.prove(session, enrolment_id, now))

    async def confirm(self, enrolment_id: str, fingerprint: str, by: str) -> Outcome:
        """By another person than who invited, who had it read to them over a known telephone."""
        now = self._clock()
        async with self._db.transaction() as session:
            found = await enrolment_store.get(session, enrolment_id, lock=True)
            if found is None:
                return Nothing()
            if found.step(now) is not Step.PROVED:
                return _not_now(found, now)
            if same_person(by, found.invited_by) or same_person(by, found.submitted_by):
                return Refused("Somebody else than who invited the agency must confirm it.")
            if not found.matches(fingerprint):
                return Refused("That is not the fingerprint of the key. Tell nobody which it is.")
            return Done(await enrolment_store.confirm(session, enrolment_id, by=by, now=now))

    async def test(self, enrolment_id: str) -> Outcome:
        """A notice about nobody, as real ones will come."""
        now = self._clock()
        read = await self._at(enrolment_id, {Step.CONFIRMED, Step.TESTED})
        if not isinstance(read, _Ready):
            return read
        found = read.enrolment
        endpoint, key = _submitted(found)
        try:
            await self._challenger.send_test(
                found.agency_id,
                read.kind,
                endpoint,
                key,
                read.networks,
                now,
                read.transport,
            )
        except NotProved as why:
            return Refused(f"The test notice was not accepted: {why}.")
        async with self._db.transaction() as session:
            return Done(await enrolment_store.tested(session, enrolment_id, now))

    async def propose(self, enrolment_id: str, *, reason: str, by: str) -> Outcome:
        """Put endpoint and key before a second person, as any change of the directory."""
        now = self._clock()
        async with self._db.transaction() as session:
            found = await enrolment_store.get(session, enrolment_id, lock=True)
            if found is None:
                return Nothing()
            if found.step(now) is not Step.TESTED:
                return _not_now(found, now)
            known = in_force(await directory_store.terms(session), today(now))
            change = {
                "agency_id": found.agency_id,
                "endpoint": found.endpoint,
                "encryption_key": found.encryption_key,
            }
            try:
                changes = directory_changes.draft(known, [change], lambda: new_id("agy"))
            except Invalid:
                return Refused("The directory would not take the agency as it is: mend it first.")
            if not changes:
                return Refused("The directory has that endpoint and key already.")
            made = await directory_changes.propose(
                session, known, changes, today(now), reason=reason, by=by, now=now
            )
            return Done(await enrolment_store.proposed(session, enrolment_id, made.proposal_id))

    async def end(self, enrolment_id: str, by: str) -> Outcome:
        now = self._clock()
        async with self._db.transaction() as session:
            found = await enrolment_store.get(session, enrolment_id, lock=True)
            if found is None:
                return Nothing()
            if found.step(now) in (Step.PROPOSED, Step.ENDED):
                return _not_now(found, now)
            return Done(await enrolment_store.end(session, enrolment_id, by=by, now=now))

    async def _at(
        self, enrolment_id: str, steps: set[Step], agency_id: str | None = None
    ) -> "_Ready | Refused | Nothing":
        now = self._clock()
        async with self._db.transaction() as session:
            found = await enrolment_store.get(session, enrolment_id)
            if found is None or agency_id not in (None, found.agency_id):
                return Nothing()
            if found.step(now) not in steps:
                return _not_now(found, now)
            entry = await _entry(session, found.agency_id, now)
        return _Ready(found, tuple(entry.allowed_networks), entry.kind.value, entry.transport)


@dataclass(frozen=True, slots=True)
class _Ready:
    enrolment: Enrolment
    networks: tuple[str, ...]
    kind: str
    transport: Transport | None


def _submitted(found: Enrolment) -> tuple[str, dict[str, Any]]:
    if found.endpoint is None or found.encryption_key is None:
        raise RuntimeError("an enrolment that was submitted has an endpoint and a key")
    return found.endpoint, found.encryption_key


async def _entry(session: Session, agency_id: str, now: datetime) -> AgencyEntry:
    return in_force(await directory_store.terms(session, [agency_id]), today(now))[agency_id]


def _not_now(found: Enrolment, now: datetime) -> Refused:
    return Refused(f"The enrolment is at the step {found.step(now).value}: that comes at another.")
