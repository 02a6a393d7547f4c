"""The HTTP API: the clocks of a referral."""

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends

from services.deadlines import store
from services.deadlines.clocks import Clock
from services.deadlines.schemas import ClocksOut, clock_out
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database, Session
from shared.runtime.problem import Problem, not_found

_REFERRAL = re.compile(r"ref_[0-9a-f]{32}", re.ASCII)

Reader = Annotated[Principal, Depends(require("clocks:read"))]


def routes(db: Database) -> APIRouter:
    """The route that everybody needs; reports and policies have theirs in files of their own."""
    router = APIRouter()

    @router.get("/v1/referrals/{referral_id}/clocks")
    async def clocks(referral_id: str, reader: Reader) -> ClocksOut:
        """Every clock of a referral, by child and duty."""
        own_people_only(reader)
        async with db.transaction() as session:
            found = await known_referral(session, referral_id)
            policies = {policy.key: policy for policy in await store.used_policies(session)}
        answers = [clock_out(each, policies[each.policy, each.policy_version]) for each in found]
        return ClocksOut(referral_id=referral_id, clocks=answers)

    return router


async def known_referral(session: Session, referral_id: str) -> Sequence[Clock]:
    """Its clocks; 404 for what is none, and what no fact speaks of."""
    if not _REFERRAL.fullmatch(referral_id) or not await store.knows(session, referral_id):
        raise not_found()
    return (await store.clocks_of(session, [referral_id])).get(referral_id, ())


def own_people_only(principal: Principal) -> None:
    if principal.agency is not None:
        raise Problem(403, "Forbidden", "Clocks are for the department's own people.")
