"""The HTTP API of reports: what is due, what was missed, how duties are met, and a feed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.deadlines import history_store, report_store
from services.deadlines.api import Reader, known_referral, own_people_only
from services.deadlines.calendar_feed import calendar_feed
from services.deadlines.clocks import Clock
from services.deadlines.due import MOST, is_overdue, owed
from services.deadlines.history import history
from services.deadlines.periods import Moment, must_be_a_period
from services.deadlines.policy import Policy
from services.deadlines.renderings import compliance_csv, compliance_svg
from services.deadlines.report_schemas import (
    BreachesOut,
    ComplianceOut,
    DueClock,
    DueOut,
    HistoryLine,
    HistoryOut,
    line_out,
)
from services.deadlines.report_store import Whose
from services.deadlines.reports import Policies, compliance, known_policies
from services.deadlines.schemas import clock_out
from shared.contracts.base import OpaqueId
from shared.contracts.codes import Desk, Role
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now

Officer = Annotated[Principal, Depends(require("clocks:report"))]
Now = Callable[[], datetime]
Office = Annotated[OpaqueId | None, Query(description="The agency a child is assigned to.")]
_AFTER = r"^clk_[0-9a-f]{32}$"


def report_routes(db: Database, now: Now = utc_now) -> APIRouter:
    """For the department's own people only."""
    router = APIRouter()
    _add_history(router, db)
    _add_due(router, db, now)
    _add_reports(router, db)
    return router


def _add_history(router: APIRouter, db: Database) -> None:
    @router.get("/v1/referrals/{referral_id}/clocks/history")
    async def lines(referral_id: str, reader: Reader) -> HistoryOut:
        """What became of its clocks, in words, oldest first."""
        own_people_only(reader)
        async with db.transaction() as session:
            clocks = await known_referral(session, referral_id)
            pasts = await history_store.pasts(session, [each.clock_id for each in clocks])
        found = [line for each in clocks for line in history(each, pasts[each.clock_id])]
        found.sort(key=lambda line: line[0])
        shown = [HistoryLine(at=at, text=text) for at, text in found]
        return HistoryOut(referral_id=referral_id, lines=shown)


def _add_due(router: APIRouter, db: Database, now: Now) -> None:
    @router.get("/v1/clocks/due")
    async def due(
        reader: Reader,
        hours: Annotated[int, Query(ge=1, le=24 * 31)] = 24,
        role: Role | None = None,
        desk: Desk | None = None,
        office: Office = None,
    ) -> DueOut:
        """What was missed and is still owed, then what falls due within so many hours."""
        own_people_only(reader)
        moment = now()
        until = moment + timedelta(hours=hours)
        found = await owed(db, moment, until, Whose(role, office), desk)
        shown = [_shown(each, found.policies, moment) for each in found.clocks]
        return DueOut(until=until, clocks=shown, more=found.more)

    @router.get("/v1/clocks/due.ics")
    async def feed(
        reader: Reader,
        hours: Annotated[int, Query(ge=1, le=24 * 31)] = 24 * 7,
        role: Role | None = None,
        desk: Desk | None = None,
        office: Office = None,
    ) -> Response:
        """The same as a calendar (RFC 5545). It names no child and no referral."""
        own_people_only(reader)
        moment = now()
        until = moment + timedelta(hours=hours)
        found = await owed(db, moment, until, Whose(role, office), desk)
        return Response(calendar_feed(found, moment), media_type="text/calendar")


def _add_reports(router: APIRouter, db: Database) -> None:
    @router.get("/v1/breaches")
    async def breaches(
        officer: Officer,
        since: Moment,
        until: Moment,
        after: Annotated[str, Query(pattern=_AFTER)] = f"clk_{'0' * 32}",
    ) -> BreachesOut:
        """What was announced as breached with a due time in the period, and why."""
        own_people_only(officer)
        must_be_a_period(since, until)
        async with db.transaction() as session:
            found = await report_store.breached_between(session, since, until, after, MOST)
            policies = await known_policies(session)
        shown = [_shown(each, policies, until) for each in found]
        last = shown[-1].clock_id if len(found) == MOST else None
        return BreachesOut(since=since, until=until, breaches=shown, next=last)

    @router.get("/v1/compliance", response_model=None)
    async def complied(
        officer: Officer,
        since: Moment,
        until: Moment,
        format: Annotated[str, Query(pattern="^(json|csv|svg)$")] = "json",
    ) -> Response | ComplianceOut:
        """Per policy, and per agency of it, of the clocks that fell due in the period."""
        own_people_only(officer)
        must_be_a_period(since, until)
        lines = await compliance(db, since, until)
        if format == "csv":
            return Response(compliance_csv(lines), media_type="text/csv")
        if format == "svg":
            title = f"Duties that fell due {since:%Y-%m-%d} to {until:%Y-%m-%d}"
            return Response(compliance_svg(lines, title), media_type="image/svg+xml")
        return ComplianceOut(since=since, until=until, lines=[line_out(each) for each in lines])


def _policy(policies: Policies, clock: Clock) -> Policy:
    return policies[clock.policy, clock.policy_version]


def _shown(clock: Clock, policies: Policies, now: datetime) -> DueClock:
    answer = clock_out(clock, _policy(policies, clock))
    return DueClock(
        **answer.model_dump(),
        referral_id=clock.referral_id,
        overdue=is_overdue(clock, now),
    )
