"""Releases over HTTP: frozen, numbered, suppressed, restated."""

import json
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from asyncpg import PostgresError
from fastapi import FastAPI
from sqlalchemy import text

from services.intake.statistics import standing_store
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from tests.support.intake import Keys, child, client_of, patch
from tests.support.statistics import children_of_2017, figures, person, send, statistics_app

RELEASES = "/v1/statistics/releases"


@pytest.fixture
def app(intake_db: Database, intake_keys: Keys) -> FastAPI:
    return statistics_app(intake_db, intake_keys)


@pytest.fixture
async def phone(app: FastAPI, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, intake_keys) as client:
        yield client


@pytest.fixture
async def officer(app: FastAPI, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    async with person(app, intake_keys, "data-officer") as client:
        yield client


@pytest.fixture
async def in_2017(phone: httpx.AsyncClient) -> list[dict[str, Any]]:
    """The 212, in referrals of at most 20 children each."""
    children = children_of_2017()
    return [
        await send(phone, f"key-{start}", *children[start : start + 20])
        for start in range(0, len(children), 20)
    ]


async def release(
    client: httpx.AsyncClient, key: str = "r1", year: int = 2017, reason: str = "yearly"
) -> httpx.Response:
    return await client.post(
        RELEASES, json={"year": year, "reason": reason}, headers={"Idempotency-Key": key}
    )


async def test_a_release_withholds_small_cells_and_their_complements_and_prints_every_row(
    in_2017: list[dict[str, Any]], officer: httpx.AsyncClient
) -> None:
    answer = await release(officer)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{RELEASES}/1"
    tables = figures(answer)
    assert tables["race_ethnicity"] == {
        "Hispanic": 84,
        "Caucasian": 62,
        "African American/Black": 34,
        "Multi-racial": 21,
        "Unknown": None,
        "Asian": None,
        "Other": None,
    }
    assert tables["residence_at_exploitation"] == {
        "Parent/Guardian Home": 141,
        "AWOL/Runaway": 26,
        "Foster home": 22,
        "Congregate care": None,
        "Relative/Other Home": None,
        "Detention": None,
        "Shelter": None,
        "Missing/Unknown": None,
    }
    assert (await officer.get("/v1/statistics/2017")).json() == answer.json()


async def test_json_csv_and_picture_show_the_same_figures(
    in_2017: list[dict[str, Any]], officer: httpx.AsyncClient
) -> None:
    made = (await release(officer)).json()
    sheet = await officer.get(made["links"]["csv"])
    assert sheet.headers["content-type"].startswith("text/csv")
    lines = [line.split(",") for line in sheet.text.splitlines()[1:]]
    shown = [row for table in made["tables"] for row in table["rows"]]
    counts = [line[-2] for line in lines]
    assert counts == ["" if row["count"] is None else str(row["count"]) for row in shown]
    drawn = await officer.get(made["links"]["picture"])
    assert drawn.headers["content-type"].startswith("image/svg+xml")
    words = [e.text for e in ElementTree.fromstring(drawn.text).iter() if e.tag.endswith("text")]
    numbers = sorted(int(word) for word in words if word and word.isdigit())
    three = [
        t for t in made["tables"] if t["name"].partition("_")[0] in ("race", "age", "residence")
    ]
    assert len(three) == 3
    assert numbers == sorted(
        row["count"] for table in three for row in table["rows"] if row["count"] is not None
    )


async def test_a_release_is_frozen_and_the_next_one_says_what_changed_and_why(
    in_2017: list[dict[str, Any]],
    phone: httpx.AsyncClient,
    officer: httpx.AsyncClient,
    intake_db: Database,
) -> None:
    first = (await release(officer)).json()
    kept = in_2017[10]
    children = [
        each | known for each, known in zip(children_of_2017()[200:], kept["children"], strict=True)
    ]
    children[0] |= {"age_at_victimisation": 14}
    children[1] |= {"age_at_victimisation": 14}
    answer = await patch(phone, kept["referral_id"], {"children": children})
    assert answer.status_code == 200, answer.text
    await send(phone, "late", child(age_at_victimisation=16, race_ethnicity=["hispanic"]))
    assert (await officer.get(f"{RELEASES}/1")).json() == first
    second = await release(officer, "r2", reason="corrected_facts")
    ages = figures(second)["age_at_victimization"]
    assert (ages["13 to 14"], ages["15 to 16"], ages["Unknown"]) == (45, 85, 30)
    public = (await officer.get(f"{RELEASES}/2/restatement")).json()
    assert public["compared_with"] == 1
    assert public["causes"] == ["corrected", "received"]
    assert {"cell": "age_at_victimization.unknown", "was": 32, "now": 30} in public["changed"]
    assert not any("missing_unknown" in each["cell"] for each in public["changed"])
    exact = (await officer.get(f"{RELEASES}/2/restatement/exact")).json()
    assert {"cause": "corrected", "columns": ["age_band"], "children": 2} in exact["causes"]
    assert {"cause": "received", "columns": [], "children": 1} in exact["causes"]
    missing = {"cell": "residence_at_exploitation.missing_unknown", "was": 0, "now": 1}
    assert missing in exact["changed"]
    (recorded,) = await exact_reads(intake_db)
    assert (recorded["actor"], recorded["tables"]) == ("data-officer", ["restatement"])


async def exact_reads(db: Database) -> list[dict[str, Any]]:
    """What is on record of exact figures that were shown (P2)."""
    async with db.transaction() as session:
        found = await session.execute(
            text("SELECT actor, tables FROM intake.statistics_disclosures")
        )
    return [{"actor": row.actor, "tables": list(row.tables)} for row in found]


async def test_a_release_that_would_betray_a_small_cell_is_held_back_and_the_earlier_one_stands(
    in_2017: list[dict[str, Any]],
    officer: httpx.AsyncClient,
    intake_db: Database,
) -> None:
    first = (await release(officer)).json()
    async with intake_db.transaction() as session:  # the children 140 to 159 and their facts
        await standing_store.exclude(
            session, in_2017[7]["referral_id"], standing_store.ENTERED_IN_ERROR
        )
        await standing_store.exclude(
            session, in_2017[8]["referral_id"], standing_store.ENTERED_IN_ERROR
        )
    held = await release(officer, "r2")
    assert held.status_code == 201
    assert held.json()["held_back"] is True
    assert "tables" not in held.json()
    assert (await officer.get("/v1/statistics/2017")).json() == first
    for path in ("tables.csv", "picture.svg"):
        assert (await officer.get(f"{RELEASES}/2/{path}")).status_code == 404
    public = (await officer.get(f"{RELEASES}/2/restatement")).json()
    assert "changed" not in public
    exact = (await officer.get(f"{RELEASES}/2/restatement/exact")).json()
    assert {"cell": "total.referrals", "was": 212, "now": 172} in exact["changed"]
    assert exact["causes"] == [{"cause": "entered_in_error", "columns": [], "children": 40}]
    async with intake_db.transaction() as session:
        for kept in in_2017[7:9]:
            await standing_store.include(
                session, kept["referral_id"], standing_store.ENTERED_IN_ERROR
            )
    third = (await release(officer, "r3")).json()
    assert third["tables"] == first["tables"]
    compared = (await officer.get(f"{RELEASES}/3/restatement")).json()
    assert (compared["compared_with"], compared["changed"]) == (1, [])


async def test_the_same_key_makes_one_release_and_another_body_is_a_conflict(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient
) -> None:
    await send(phone, "a")
    first, again = await release(officer), await release(officer)
    assert (again.status_code, again.content) == (201, first.content)
    assert (await release(officer, reason="other")).status_code == 409
    assert (await release(officer, "r2")).json()["release"] == 2


async def test_a_year_of_few_referrals_shows_no_figure_at_all(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient
) -> None:
    await send(phone, "a", child(), child(), child())
    tables = figures(await release(officer))
    assert {count for rows in tables.values() for count in rows.values()} == {None}
    years = (await officer.get("/v1/statistics")).json()
    assert years["years"] == [{"year": 2017, "release": 1, "referrals": None}]
    assert "total" not in years


async def test_a_year_that_is_not_over_is_not_released(officer: httpx.AsyncClient) -> None:
    answer = await release(officer, year=utc_now().year)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/year"


async def test_a_release_needs_a_key_a_person_and_its_scope(
    app: FastAPI, intake_keys: Keys, officer: httpx.AsyncClient
) -> None:
    body = {"year": 2017, "reason": "yearly"}
    assert (await officer.post(RELEASES, json=body)).status_code == 400
    machine = intake_keys.bearer("a-machine", ["statistics:release"])
    refused = await officer.post(RELEASES, json=body, headers=machine | {"Idempotency-Key": "k"})
    assert refused.status_code == 403


async def test_town_rates_are_made_of_shown_counts_and_given_denominators(
    in_2017: list[dict[str, Any]], officer: httpx.AsyncClient
) -> None:
    await release(officer)
    body = {"source": "A made-up census", "children": {"Hartford": 30_000, "Ansonia": 4_000}}
    answer = await officer.post(f"{RELEASES}/1/town-rates", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["towns"] == []  # all 212 are in Hartford, so its count says too much
    body["children"] = {"Nowhere": 1}
    wrong = await officer.post(f"{RELEASES}/1/town-rates", json=body)
    assert wrong.status_code == 422
    assert "Nowhere" not in wrong.text


async def test_releases_and_changes_cannot_be_changed(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    await send(phone, "a")
    await release(officer)
    for table in ("releases", "changes", "exports", "approvals", "disclosures"):
        with pytest.raises(PostgresError):
            async with intake_db.transaction() as session:
                await session.execute(text(f"DELETE FROM intake.statistics_{table}"))


async def test_a_release_and_what_is_tallied_with_it_are_of_one_moment(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    await send(phone, "a")
    await release(officer)
    await send(phone, "b")
    await release(officer, "r2")
    async with intake_db.transaction() as session:
        found = await session.execute(
            text(
                "SELECT number, through_change, CAST(tables AS text) AS tables "
                "FROM intake.statistics_releases ORDER BY number"
            )
        )
        first, second = found.all()
    assert first.through_change < second.through_change
    totals = [json.loads(each.tables)[0]["rows"][0]["count"] for each in (first, second)]
    assert totals == [1, 2]
