"""Linking referrals: both stay what they are, each with its own notices and clocks (C9)."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from services.intake import receiving, referrals
from services.intake import store as referral_store
from services.intake.access import Hidden, NotTheirs, theirs
from services.intake.answers import instant
from services.intake.decisions import store
from services.intake.decisions.records import Link
from services.intake.decisions.schemas import NewLink
from services.intake.once import Answer, Asked, Once
from services.intake.receiving import KeyReused, Received, Receiving, StillOpen
from services.intake.records import Version
from services.intake.retrying import until_known
from services.intake.schemas import NewReferral
from services.intake.strict_json import Flaw, Rejected
from shared.contracts.codes import Relation, Trigger
from shared.contracts.referrals import ReferralLinked, SameChild
from shared.messaging.outbox import Outbox
from shared.runtime.auth import Principal
from shared.runtime.db import Database, Session
from shared.runtime.ids import new_id


@dataclass(frozen=True, slots=True)
class LinkedAlready:
    """They are linked by this relation already."""


@dataclass(frozen=True, slots=True)
class NoOpenCase:
    """Only an ongoing worker's referral refers a new allegation to the Careline."""


class Linking:
    """The units of work behind /v1/referrals/{id}/links and /allegations."""

    def __init__(
        self,
        db: Database,
        once: Once,
        outbox: Outbox,
        receiving: Receiving,
        towns: Collection[str],
        hidden: Hidden,
    ) -> None:
        self._db = db
        self._once = once
        self._outbox = outbox
        self._receiving = receiving
        self._towns = towns
        self._hidden = hidden

    async def link(
        self, asked: Asked, referral_id: str, caller: Principal, wanted: NewLink
    ) -> Answer | KeyReused | StillOpen | NotTheirs | LinkedAlready:
        """Raises Rejected for a link to itself, or between a test and what is none."""

        async def work(session: Session) -> Answer | NotTheirs | LinkedAlready:
            one = await referral_store.read_current(session, referral_id)
            other = await referral_store.read_current(session, wanted.related_referral_id)
            if one is None or other is None:
                return NotTheirs()
            if not (theirs(caller, one.owner) and theirs(caller, other.owner)):
                return NotTheirs()
            if await self._kept_out(session, [one.referral_id, other.referral_id], caller):
                return NotTheirs()
            _check(one, other)
            link = _link(referral_id, other.referral_id, wanted.relation, asked.owner, asked.now)
            if not await self._write(session, link, one.synthetic):
                return LinkedAlready()
            return Answer(describe([link]))

        return await self._once.do(asked, work)

    async def links(self, referral_id: str, caller: Principal) -> Sequence[Link] | NotTheirs:
        """From the referral and to it; not those whose other end the caller is kept out of."""
        return await until_known(partial(self._links, referral_id, caller))

    async def refer(
        self, origin_id: str, caller: Principal, key: str, body: object, now: datetime
    ) -> Received | NotTheirs | NoOpenCase:
        """Tell the Careline of a new allegation on an open case (A1.27): a referral of its own,
        linked to the worker's in the transaction that keeps it. Raises Unfit or Rejected."""
        origin = await until_known(partial(self._current, origin_id))
        if origin is None or not theirs(caller, origin.owner):
            return NotTheirs()
        if origin.trigger != Trigger.ONGOING_WORKER:
            return NoOpenCase()
        referral = referrals.read(NewReferral, body)
        referrals.check(referral, now, self._towns)
        _check_allegation(referral, origin)
        whole = {"case": origin_id, "body": body}
        also = partial(self._linked, origin_id)
        wanted = receiving.Request(caller.subject, key, whole, referral, now, also)
        return await self._receiving.receive(wanted)

    async def _linked(self, origin_id: str, session: Session, version: Version) -> None:
        link = _link(
            version.referral_id,
            origin_id,
            Relation.NEW_ALLEGATION,
            version.owner,
            version.recorded_at,
        )
        await self._write(session, link, version.synthetic)

    async def _write(self, session: Session, link: Link, synthetic: bool) -> bool:
        if not await store.insert_link(session, link):
            return False
        event = ReferralLinked(
            referral_id=link.referral_id,
            related_referral_id=link.related_referral_id,
            relation=Relation(link.relation),
            recorded_at=link.recorded_at,
            same=await _same(session, link),
            synthetic=synthetic,
        )
        await self._outbox.emit(session, link.recorded_at, event)
        return True

    async def _current(self, referral_id: str) -> Version | None:
        async with self._db.transaction() as session:
            return await referral_store.read_current(session, referral_id)

    async def _links(self, referral_id: str, caller: Principal) -> Sequence[Link] | NotTheirs:
        async with self._db.transaction() as session:
            if not theirs(caller, await store.owner(session, referral_id)):
                return NotTheirs()
            found = await store.read_links(session, referral_id)
            ends = {end for each in found for end in (each.referral_id, each.related_referral_id)}
            hidden = await self._kept_out(session, sorted(ends), caller)
        return [
            each
            for each in found
            if hidden.isdisjoint((each.referral_id, each.related_referral_id))
        ]

    async def _kept_out(
        self, session: Session, referral_ids: Sequence[str], caller: Principal
    ) -> set[str]:
        """Only a person has a conflict."""
        if not caller.person:
            return set()
        found = await self._hidden(session, referral_ids, caller.subject)
        return found.intersection(referral_ids)


def describe(links: Sequence[Link]) -> str:
    """The JSON of links: ids, the relation, who and when."""
    return json.dumps(
        {
            "links": [
                {
                    "link_id": link.link_id,
                    "referral_id": link.referral_id,
                    "related_referral_id": link.related_referral_id,
                    "relation": link.relation,
                    "recorded_at": instant(link.recorded_at),
                    "linked_by": link.linked_by,
                }
                for link in links
            ]
        },
        separators=(",", ":"),
    )


def _link(one: str, other: str, relation: Relation, by: str, now: datetime) -> Link:
    return Link(new_id("lnk"), one, other, relation.value, now, by)


async def _same(session: Session, link: Link) -> tuple[SameChild, ...]:
    """Of two that are about the same child: which. No guess where a person has not said it."""
    if link.relation != Relation.SAME_CHILD:
        return ()
    pairs = await store.same_children(session, link.referral_id, link.related_referral_id)
    return tuple(SameChild(child_id=one, related_child_id=other) for one, other in pairs)


def _check(one: Version, other: Version) -> None:
    path = ("related_referral_id",)
    if one.referral_id == other.referral_id:
        raise Rejected(Flaw(path, "must be another referral"))
    if one.synthetic != other.synthetic:
        raise Rejected(Flaw(path, "must be a test exactly if this referral is one"))


def _check_allegation(referral: NewReferral, origin: Version) -> None:
    flaws = []
    if referral.trigger is not Trigger.CARELINE:
        flaws.append(Flaw(("trigger",), "must be careline: it is told to the Careline"))
    if referral.synthetic != origin.synthetic:
        flaws.append(Flaw(("synthetic",), "must be as in the referral of the open case"))
    if flaws:
        raise Rejected(*flaws)
