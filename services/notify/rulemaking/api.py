"""The HTTP API of the rules: those in force, their history, and proposals for others."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from services.notify.api import must_be_a_person, refuse_agencies
from services.notify.directory.authority import today
from services.notify.directory.in_force import Directories
from services.notify.planning.drafting import Clerk
from services.notify.routing.rulebook import DCF_737
from services.notify.rulemaking import store
from services.notify.rulemaking.proposing import REPLAYED_AT_MOST, Rulemaking, Wanted
from services.notify.rulemaking.rulebooks import Rulebooks
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found
from shared.runtime.two_people import Reason

Reader = Annotated[Principal, Depends(require("routing:explain"))]
Proposer = Annotated[Principal, Depends(require("rules:propose"))]


class RulesIn(BaseModel):
    """`rules` is a whole file as services/notify/rules has it; `last`: referrals to replay."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    rules: str = Field(min_length=1, max_length=500_000)
    effective: date | None = None
    """The first day in Connecticut; today when it is left out."""
    reason: Reason
    last: int = Field(1000, ge=1, le=REPLAYED_AT_MOST)


class RulesProposedOut(BaseModel):
    """`proposal_id` is null after a dry run. Approve it at /v1/proposals."""

    proposal_id: str | None
    version: str
    follows: str
    effective: date
    replayed: int
    changed: int
    difference: list[str]


class RulebookOut(BaseModel):
    version: str
    effective: date | None
    """Null: a file that Hartline came with; the newest is in force until another is."""
    proposal_id: str | None


class RulebooksOut(BaseModel):
    in_force: str
    history: list[RulebookOut]


def rules_router(
    db: Database, clerk: Clerk, directories: Directories, rulebooks: Rulebooks
) -> APIRouter:
    """Every route about the rules. No agency may call one."""
    routes = APIRouter()
    rulemaking = Rulemaking(db, clerk, directories, rulebooks)

    @routes.get("/v1/routing/rules")
    async def history(reader: Reader) -> RulebooksOut:
        """Which rules are in force, and every version that ever was, the oldest first."""
        refuse_agencies(reader)
        async with db.transaction() as session:
            await rulebooks.refresh(session)
            kept = [each.version for each in await store.shipped(session)]
        names = dict.fromkeys([*kept, rulebooks.shipped.version])
        shipped = [RulebookOut(version=e, effective=None, proposal_id=None) for e in names]
        adopted = [
            RulebookOut(version=e.version, effective=e.effective, proposal_id=e.proposal_id)
            for e in rulebooks.adopted
        ]
        return RulebooksOut(in_force=rulebooks.latest.version, history=[*shipped, *adopted])

    @routes.get("/v1/routing/rules/{version}")
    async def rules(version: str, reader: Reader) -> Response:
        """One version's file, as it was proposed or shipped."""
        refuse_agencies(reader)
        async with db.transaction() as session:
            found = await store.texts_of(session, [version])
        if version not in found and version == rulebooks.shipped.version:
            found[version] = DCF_737.read_text(encoding="utf-8")
        if version not in found:
            raise not_found()
        return Response(found[version], media_type="application/yaml")

    @routes.post("/v1/routing/rules/proposals", status_code=201)
    async def propose(
        body: RulesIn, person: Proposer, answer: Response, dry_run: bool = False
    ) -> RulesProposedOut:
        """Replay the last referrals under other rules, and put them before a second person; with
        `dry_run`, only say what would differ."""
        refuse_agencies(person)
        must_be_a_person(person, "propose rules")
        now = utc_now()
        effective = body.effective or today(now)
        if effective < today(now):
            raise _wrong("#/effective", "must not be a day that is over: notices keep their rules")
        wanted = Wanted(body.rules, effective, body.reason, person.subject, body.last)
        try:
            if dry_run:
                made, found = None, await rulemaking.replay(wanted)
                answer.status_code = 200
            else:
                made, found = await rulemaking.propose(wanted, now)
        except Misconfigured as error:
            raise _wrong("#/rules", str(error)) from None
        return RulesProposedOut(
            proposal_id=None if made is None else made.proposal_id,
            version=found.book.version,
            follows=found.base.version,
            effective=effective,
            replayed=found.replayed,
            changed=found.changed,
            difference=list(found.lines),
        )

    return routes


def _wrong(pointer: str, detail: str) -> Problem:
    return Problem(
        422,
        "Unprocessable Content",
        "Nothing was stored.",
        errors=[{"pointer": pointer, "detail": detail}],
    )
