"""The HTTP routes of the statistics: requests in, outcomes out."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, assert_never

from fastapi import APIRouter, Depends, Request, Response

from services.intake import referrals
from services.intake.inputs import idempotency_key, json_body, refusing, unprocessable
from services.intake.receiving import KeyReused
from services.intake.replies import key_reused, only_a_person
from services.intake.statistics import answers, picture
from services.intake.statistics.export_api import export_routes
from services.intake.statistics.exporting import Exporting
from services.intake.statistics.inputs import fitting, json_answer
from services.intake.statistics.reading import Reading
from services.intake.statistics.records import Release
from services.intake.statistics.releasing import NotOver, Released, Releasing, Wish
from services.intake.statistics.schemas import NewRelease, Population
from services.intake.statistics.showing import release_csv, show
from services.intake.statistics.tallying import Tallying
from services.intake.strict_json import Flaw
from shared.runtime.auth import Principal, require
from shared.runtime.ids import utc_now
from shared.runtime.problem import not_found

Reader = Annotated[Principal, Depends(require("statistics:read"))]
ExactReader = Annotated[Principal, Depends(require("statistics:exact"))]
Releaser = Annotated[Principal, Depends(require("statistics:release"))]

_PREFIX = "/v1/statistics"
_YEAR, _NUMBER = re.compile(r"2[01][0-9]{2}"), re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class StatisticsDesk:
    """What the routes stand on."""

    releasing: Releasing
    reading: Reading
    exporting: Exporting
    tallying: Tallying
    towns: Collection[str]


def routes(desk: StatisticsDesk) -> APIRouter:
    """Every route of the statistics."""
    router = APIRouter()
    router.include_router(_published(desk))
    router.include_router(export_routes(desk.exporting))
    router.include_router(_exact(desk))
    return router


def _published(desk: StatisticsDesk) -> APIRouter:
    """Releases: what anyone with `statistics:read` sees, as JSON, CSV and a picture."""
    router = APIRouter(prefix=_PREFIX)

    @router.post("/releases", status_code=201)
    async def release(request: Request, caller: Releaser) -> Response:
        """Freeze a year's tables under the next number. Needs Idempotency-Key, and a person."""
        who, key = only_a_person(caller), idempotency_key(request)
        body = await json_body(request)
        with refusing():
            wanted = referrals.read(NewRelease, body)
        wish = Wish(who, key, body, wanted.year, wanted.reason, utc_now())
        return _released(await desk.releasing.release(wish))

    @router.get("/releases/{number}")
    async def one(request: Request, caller: Reader) -> Response:
        """One release, as it was frozen."""
        return json_answer(answers.release(await _find(desk, request)))

    @router.get("/releases/{number}/tables.csv")
    async def sheet(request: Request, caller: Reader) -> Response:
        found, withheld = _shown(await _find(desk, request))
        return Response(release_csv(found, withheld), media_type="text/csv")

    @router.get("/releases/{number}/picture.svg")
    async def drawn(request: Request, caller: Reader) -> Response:
        found, withheld = _shown(await _find(desk, request))
        return Response(
            picture.draw(found, show(found.tables, withheld)), media_type="image/svg+xml"
        )

    @router.get("/releases/{number}/restatement")
    async def restated(request: Request, caller: Reader) -> Response:
        """What this release shows differently from its year's published one before, and why."""
        found = await desk.releasing.restatement(_number(request), published=True)
        if found is None:
            raise not_found()
        return json_answer(answers.restatement(found))

    @router.post("/releases/{number}/town-rates")
    async def rates(request: Request, caller: Reader) -> Response:
        """Rates of a release's towns, for the child population that the caller gives."""
        found, withheld = _shown(await _find(desk, request))
        body = await json_body(request)
        with refusing():
            wanted = referrals.read(Population, body)
        if any(town not in desk.towns for town in wanted.children):
            raise unprocessable(Flaw(("children",), "must name towns of Connecticut only"))
        return json_answer(answers.rates(found, show(found.tables, withheld), wanted))

    return router


def _exact(desk: StatisticsDesk) -> APIRouter:
    """By year: the last release for everybody, what holds now for the exact role."""
    router = APIRouter(prefix=_PREFIX)

    @router.get("")
    async def years(request: Request, caller: Reader) -> Response:
        """Referrals by year, of each year's last published release."""
        return json_answer(answers.years(await desk.releasing.years()))

    @router.get("/exact")
    async def exact_years(request: Request, caller: ExactReader) -> Response:
        """Referrals by year, exact, as of now. The read is on record before it is answered."""
        counts = await desk.reading.years(caller, utc_now())
        return json_answer(answers.exact_years(counts))

    @router.get("/{year}")
    async def published(request: Request, caller: Reader) -> Response:
        """The last published release of a year."""
        found = await desk.releasing.published(_year(request))
        if found is None:
            raise not_found()
        return json_answer(answers.release(found))

    @router.get("/{year}/exact")
    async def exact(request: Request, caller: ExactReader) -> Response:
        """A year's exact tables as of now. The read is on record before it is answered."""
        year, now = _year(request), utc_now()
        tables = await desk.reading.year(year, caller, now)
        return json_answer(answers.exact(year, now, tables))

    @router.get("/releases/{number}/restatement/exact")
    async def restated(request: Request, caller: ExactReader) -> Response:
        """Every cell that a release restates, and how many children for which cause. The read is
        on record before it is answered."""
        found = await desk.reading.restatement(_number(request), caller, utc_now())
        if found is None:
            raise not_found()
        return json_answer(answers.exact_restatement(found))

    return router


async def _find(desk: StatisticsDesk, request: Request) -> Release:
    found = await desk.releasing.find(_number(request))
    if found is None:
        raise not_found()
    return found


def _shown(release: Release) -> tuple[Release, frozenset[str]]:
    """A release of which something is public. Raises the one 404."""
    if release.withheld is None:
        raise not_found()
    return release, release.withheld


def _released(outcome: Released | KeyReused | NotOver) -> Response:
    match outcome:
        case Released(release=made):
            headers = {"Location": f"/v1/statistics/releases/{made.number}"}
            return json_answer(answers.release(made), 201, headers)
        case KeyReused():
            raise key_reused()
        case NotOver():
            raise unprocessable(Flaw(("year",), "must be a year that is over"))
        case _:
            assert_never(outcome)


def _year(request: Request) -> int:
    return int(fitting(request, "year", _YEAR))


def _number(request: Request) -> int:
    return int(fitting(request, "number", _NUMBER))
