"""The HTTP API of routing: why was it told, and who would be told if …"""

from dataclasses import replace
from datetime import date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends

from services.notify import leg_store
from services.notify.api import must_be, refuse_agencies
from services.notify.directory.authority import today
from services.notify.directory.in_force import Directories, directory_as_of
from services.notify.directory.register import Directory
from services.notify.fates import fate_of, words
from services.notify.legs import LegStatus
from services.notify.matters import store as matter_store
from services.notify.matters.store import PlannedMatter
from services.notify.routing.explain import explain, questions
from services.notify.routing.facts import Asserted, ReferralFacts
from services.notify.routing.fanout import route
from services.notify.routing.routes import Route
from services.notify.routing.rule import Rulebook
from services.notify.routing.schemas import (
    ExplainedOut,
    LegOut,
    MatterOut,
    RoutingOut,
    WhatIfIn,
    WhatIfOut,
)
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.tasks import store as task_store
from services.notify.tasks.task import TOWNS_AND_NAMES
from shared.contracts.codes import Stage
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import not_found

Explainer = Annotated[Principal, Depends(require("routing:explain"))]


def routing_router(db: Database, directories: Directories, rulebooks: Rulebooks) -> APIRouter:
    """Every route about routing. No agency may call one."""
    routes = APIRouter()

    @routes.get("/v1/referrals/{referral_id}/routing")
    async def explained(referral_id: str, reader: Explainer) -> RoutingOut:
        """Each leg in words, as it was decided and as it stands: who is told, who is not; and
        what was put up for review or asked."""
        refuse_agencies(reader)
        must_be("ref", referral_id)
        async with db.transaction() as session:
            found = await leg_store.legs_of(session, referral_id, None)
            matters = await matter_store.matters_of(session, referral_id)
            open_questions = await task_store.details(session, referral_id, TOWNS_AND_NAMES)
            planned_by = {leg.rules_version for leg in found}
            planned_by |= {each.rules_version for each in matters}
            laws = await rulebooks.citations(session, planned_by)
        if not found:
            raise not_found()
        legs = [leg_out(leg, laws.get(leg.rules_version, {}).get(leg.rule)) for leg in found]
        items = [matter_out(e, laws.get(e.rules_version, {}).get(e.rule)) for e in matters]
        return RoutingOut(
            referral_id=referral_id, legs=legs, matters=items, questions=open_questions
        )

    @routes.post("/v1/routing/what-if")
    async def what_if(body: WhatIfIn, reader: Explainer) -> WhatIfOut:
        """Who would be told by the rules and the directory of today, or of the day `as_of`. Nothing
        is stored."""
        refuse_agencies(reader)
        async with db.transaction() as session:
            book = await rulebooks.current(session)
            if body.as_of is None:
                return answer(body, await directories.current(session), book)
            found = await directory_as_of(session, today(utc_now()), day=body.as_of)
        if found is None:
            raise not_found()
        return answer(body, directories.allowed(found.directory()), rulebooks.on(body.as_of))

    return routes


def hypothetical(body: WhatIfIn, now: datetime) -> ReferralFacts:
    """As it would be received."""
    children = tuple(
        facts.of(f"child_{number}") for number, facts in enumerate(body.children, start=1)
    )
    conflicts = frozenset(Asserted(agency_id) for agency_id in body.conflicts)
    return ReferralFacts(body.trigger, body.received_at or now, children, conflicts=conflicts)


def answer(body: WhatIfIn, directory: Directory, rulebook: Rulebook) -> WhatIfOut:
    """A hypothetical referral through every stage."""
    now = utc_now() if body.as_of is None else noon(body.as_of)
    facts = hypothetical(body, now)

    def at(stage: Stage) -> Route:
        return route(replace(facts, stage=stage), directory, rulebook, now)

    def shown(found: Route) -> list[ExplainedOut]:
        return [ExplainedOut.model_validate(each) for each in explain(found, directory, rulebook)]

    received = at(Stage.RECEIVED)
    return WhatIfOut(
        rules_version=rulebook.version,
        directory_version=directory.version,
        received=shown(received),
        if_accepted=shown(at(Stage.ACCEPTED)),
        if_consult_shared=shown(at(Stage.CONSULT_SHARED)),
        questions=list(questions(received)),
    )


def leg_out(leg: LegStatus, citation: str | None) -> LegOut:
    """`citation`: of the rule as it stood in the version that the leg was planned by."""
    return LegOut(
        notice_id=leg.notice_id,
        child_id=leg.child_id,
        version=leg.version,
        fate=fate_of(leg).value,
        state=leg.state,
        role=leg.role,
        recipient=leg.recipient,
        rule=leg.rule,
        citation=citation,
        authority=leg.authority,
        profile=leg.profile,
        fields=list(leg.fields),
        rules_version=leg.rules_version,
        directory_version=leg.directory_version,
        sentence=words(leg),
    )


def matter_out(matter: PlannedMatter, citation: str | None) -> MatterOut:
    """`citation`: as of a leg."""
    return MatterOut(
        child_id=matter.child_id,
        version=matter.version,
        fate=matter.effect.value,
        role=matter.role,
        rule=matter.rule,
        citation=citation,
        rules_version=matter.rules_version,
        directory_version=matter.directory_version,
        sentence=f"{matter.because}.",
    )


def noon(day: date) -> datetime:
    """A moment of that day in Connecticut, whatever the clocks do in its night."""
    return datetime.combine(day, time(12), ZoneInfo("America/New_York"))
