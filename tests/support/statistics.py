"""The statistics for tests: their API beside intake's own, people with scopes, and 2017."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from services.intake.statistics.api import StatisticsDesk
from shared.runtime.db import Database
from tests.support.intake import BASE, Keys, app_on, child, desk_on, post, referral

SCOPES = {
    "statistics:read",
    "statistics:exact",
    "statistics:release",
    "statistics:export",
    "statistics:approve",
}
RACES = {
    "hispanic": 84,
    "caucasian": 62,
    "african_american_black": 34,
    "multi_racial": 21,
    "unknown": 6,
    "asian": 3,
    "other": 2,
}
AGES = {
    "10_and_under": 5,
    "11_to_12": 7,
    "13_to_14": 43,
    "15_to_16": 84,
    "17_to_18": 37,
    "over_18": 4,
    "unknown": 32,
}
RESIDENCES = {
    "parent_guardian_home": 141,
    "awol_runaway": 26,
    "foster_home": 22,
    "congregate_care": 19,
    "relative_other_home": 4,
}
YEARS = {
    "10_and_under": 9,
    "11_to_12": 12,
    "13_to_14": 13,
    "15_to_16": 16,
    "17_to_18": 18,
    "over_18": 19,
}
IN_2017 = "2017-06-15T12:00:00Z"


def statistics_desk(db: Database, made: Keys) -> StatisticsDesk:
    return desk_on(db, made).statistics


def statistics_app(db: Database, made: Keys) -> FastAPI:
    """Intake whole."""
    return app_on(desk_on(db, made), made)


@asynccontextmanager
async def person(
    app: FastAPI, made: Keys, subject: str, scopes: Iterable[str] = frozenset(SCOPES)
) -> AsyncIterator[httpx.AsyncClient]:
    """A natural person with these scopes."""
    headers = made.bearer(subject, scopes, person=True)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        yield client


def spread(counts: Mapping[str, int]) -> list[str]:
    """Every code as often as it counts."""
    return [code for code, count in counts.items() for _ in range(count)]


def children_of_2017() -> list[dict[str, Any]]:
    """The 212 of the 2018 presentation (A1.46), as made-up children that fit its three tables."""
    rows = zip(spread(RACES), spread(AGES), spread(RESIDENCES), strict=True)
    return [_child_of_2017(number, *row) for number, row in enumerate(rows)]


def _child_of_2017(number: int, race: str, age: str, residence: str) -> dict[str, Any]:
    races = {"unknown": [], "multi_racial": ["hispanic", "asian"]}.get(race, [race])
    aged = {} if age == "unknown" else {"age_at_victimisation": YEARS[age]}
    return child(
        name=f"Test Child {number}",
        race_ethnicity=races,
        residence_at_exploitation=residence,
        sex="male" if number % 15 == 0 else "female",
        venues=["hotel_motel_based"] if number % 2 else ["internet_based", "hotel_motel_based"],
        **aged,
    )


async def send(
    client: httpx.AsyncClient, key: str, *children: dict[str, Any], **fields: Any
) -> dict[str, Any]:
    """Post a referral received in 2017 with these children; its answer."""
    body = referral(**({"received_at": IN_2017, "children": list(children) or [child()]} | fields))
    answer = await post(client, body, key)
    assert answer.status_code == 201, answer.text
    kept: dict[str, Any] = answer.json()
    return kept


def figures(answer: httpx.Response) -> dict[str, dict[str, int | None]]:
    """By table, by row's label."""
    assert answer.status_code in (200, 201), answer.text
    return {
        table["name"]: {row["row"]: row["count"] for row in table["rows"]}
        for table in answer.json()["tables"]
    }
