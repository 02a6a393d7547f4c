"""Exact figures leave on record, and as a file only when two people want it (P2)."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from services.audit.leaf import Kind, submissions
from services.intake.statistics import standing_store
from services.intake.statistics.exporting import NotApproved
from shared.contracts.base import Event
from shared.contracts.disclosures import StatisticsExported
from shared.runtime.auth import Principal
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from tests.support.intake import Keys, child, client_of, events_of
from tests.support.statistics import (
    SCOPES,
    person,
    send,
    statistics_app,
    statistics_desk,
)

EXPORTS = "/v1/statistics/exports"
YEARLY = {"kind": "ncands_yearly", "year": 2017, "format": "csv"}


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
async def director(app: FastAPI, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    async with person(app, intake_keys, "hart-director") as client:
        yield client


async def ask(client: httpx.AsyncClient, key: str = "x1", **body: Any) -> httpx.Response:
    wanted = body or YEARLY
    return await client.post(EXPORTS, json=wanted, headers={"Idempotency-Key": key})


async def exported(db: Database) -> list[StatisticsExported]:
    async with db.transaction() as session:
        rows = await session.execute(
            text("SELECT body FROM intake.outbox WHERE topic = 'disclosures' ORDER BY id")
        )
        found = events_of([{"body": row.body} for row in rows])
    return [each for each in found if isinstance(each, StatisticsExported)]


async def test_one_person_asks_another_approves_and_the_fetch_is_on_record(
    phone: httpx.AsyncClient,
    officer: httpx.AsyncClient,
    director: httpx.AsyncClient,
    intake_db: Database,
) -> None:
    kept = await send(
        phone, "a", child(age_at_victimisation=14, race_ethnicity=["asian"]), child(ht_type="labor")
    )
    async with intake_db.transaction() as session:
        await standing_store.identified(
            session, kept["referral_id"], kept["children"][0]["child_id"]
        )
    export_id = (await ask(officer)).json()["export_id"]
    here = f"{EXPORTS}/{export_id}"
    assert (await officer.post(f"{here}/content")).status_code == 409
    assert (await officer.post(f"{here}/approval")).status_code == 409
    assert await exported(intake_db) == []
    approved = await director.post(f"{here}/approval")
    assert approved.status_code == 200, approved.text
    answer = await officer.post(f"{here}/content")
    assert answer.status_code == 200, answer.text
    lines = list(csv.reader(io.StringIO(answer.text)))
    assert lines[1] == ["13 to 14", "Asian", "Female", "1", "1"]
    assert lines[-1] == ["Total", "", "", "1", "1"]
    (event,) = await exported(intake_db)
    assert (event.actor, event.approved_by) == ("data-officer", "hart-director")
    assert (event.kind, event.subject) == ("ncands_yearly", export_id)


async def test_every_fetch_is_a_disclosure_of_its_own(
    phone: httpx.AsyncClient,
    officer: httpx.AsyncClient,
    director: httpx.AsyncClient,
    intake_db: Database,
) -> None:
    await send(phone, "a")
    export_id = (await ask(officer)).json()["export_id"]
    await director.post(f"{EXPORTS}/{export_id}/approval")
    for _ in range(2):
        await officer.post(f"{EXPORTS}/{export_id}/content")
    events = await exported(intake_db)
    assert len({event.disclosure_id for event in events}) == 2


async def test_p2_an_export_whose_record_cannot_be_written_is_not_answered(
    phone: httpx.AsyncClient,
    officer: httpx.AsyncClient,
    director: httpx.AsyncClient,
    intake_db: Database,
    database: Any,
) -> None:
    await send(phone, "a")
    export_id = (await ask(officer)).json()["export_id"]
    await director.post(f"{EXPORTS}/{export_id}/approval")
    owner = database.open("intake", owner=True)
    async with owner.transaction() as session:
        await session.execute(
            text("ALTER TABLE intake.statistics_disclosures ADD CHECK (actor <> 'data-officer')")
        )
    answers = [
        await officer.post(f"{EXPORTS}/{export_id}/content"),
        await officer.get("/v1/statistics/2017/exact"),
    ]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert not any("Unknown" in answer.text for answer in answers)
    assert await exported(intake_db) == []


async def test_an_approval_holds_for_a_day(
    phone: httpx.AsyncClient,
    officer: httpx.AsyncClient,
    director: httpx.AsyncClient,
    intake_db: Database,
    intake_keys: Keys,
) -> None:
    export_id = (await ask(officer)).json()["export_id"]
    await director.post(f"{EXPORTS}/{export_id}/approval")
    exporting = statistics_desk(intake_db, intake_keys).exporting
    reader = Principal("data-officer", frozenset(SCOPES), person=True)
    late = utc_now() + timedelta(hours=24, seconds=1)
    assert await exporting.fetch(export_id, reader, late) == NotApproved()


async def test_p10_an_export_is_who_asked_for_its_own(
    officer: httpx.AsyncClient, director: httpx.AsyncClient
) -> None:
    export_id = (await ask(officer)).json()["export_id"]
    await director.post(f"{EXPORTS}/{export_id}/approval")
    answers = [
        await director.get(f"{EXPORTS}/{export_id}"),
        await director.post(f"{EXPORTS}/{export_id}/content"),
        await director.get(f"{EXPORTS}/exp_{'0' * 32}"),
        await director.post(f"{EXPORTS}/exp_{'0' * 32}/content"),
        await director.post(f"{EXPORTS}/nonsense/approval"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


async def test_the_same_key_asks_once(officer: httpx.AsyncClient) -> None:
    first, again = await ask(officer), await ask(officer)
    assert first.content == again.content
    assert (await ask(officer, kind="hart_monthly", year=2017, month=5)).status_code == 409


async def test_the_monthly_export_holds_every_table_with_rows_of_zero(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, director: httpx.AsyncClient
) -> None:
    await send(phone, "a")
    await send(phone, "b", received_at="2017-07-15T12:00:00Z")
    wanted: dict[str, Any] = {"kind": "hart_monthly", "year": 2017, "month": 6}
    export_id = (await ask(officer, **wanted)).json()["export_id"]
    await director.post(f"{EXPORTS}/{export_id}/approval")
    content = (await officer.post(f"{EXPORTS}/{export_id}/content")).json()
    tables = {table["name"]: table["rows"] for table in content["tables"]}
    assert tables["total"] == [{"row": "Children in referrals", "count": 1}]
    assert {"row": "Detention", "count": 0} in tables["residence_at_exploitation"]


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "hart_monthly", "year": 2017},
        {"kind": "ncands_yearly", "year": 2017, "month": 5},
        {"kind": "everything", "year": 2017},
        {"kind": "hart_monthly", "year": 2017, "month": 13},
        {"kind": "ncands_yearly", "year": 1850},
    ],
)
async def test_what_cannot_be_exported_is_422(
    officer: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    answer = await ask(officer, **body)
    assert answer.status_code == 422
    assert "everything" not in answer.text


async def test_p2_an_exact_read_is_on_record_too_and_the_audit_log_takes_it(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    await send(phone, "a")
    await officer.get("/v1/statistics/2017/exact")
    await officer.get("/v1/statistics/exact")
    first, second = await exported(intake_db)
    assert (first.kind, first.actor, first.approved_by) == ("exact_tables", "data-officer", None)
    assert second.fields == ("years",)
    async with intake_db.transaction() as session:
        body = await session.scalar(
            text("SELECT body FROM intake.outbox WHERE topic = 'disclosures' ORDER BY id LIMIT 1")
        )
    event = Event.model_validate_json(body)
    (submission,) = submissions(event, first, lambda: b"s" * 16)
    assert submission.kind is Kind.EXPORTED
    assert submission.disclosure_id == first.disclosure_id
    assert b"referral_id" not in submission.leaf
