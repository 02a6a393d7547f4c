"""The statistics end to end: sealed referrals in, exact tables out."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from services.intake.statistics import count_store, standing_store, store
from services.intake.statistics.api import StatisticsDesk
from shared.runtime.db import Database
from tests.support.intake import Keys, child, client_of, patch
from tests.support.statistics import (
    IN_2017,
    children_of_2017,
    figures,
    person,
    send,
    statistics_app,
    statistics_desk,
)

EXACT = "/v1/statistics/2017/exact"


@pytest.fixture
def statistics(intake_db: Database, intake_keys: Keys) -> StatisticsDesk:
    return statistics_desk(intake_db, intake_keys)


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


COUNTS = (
    "SELECT span, period, name, code, n FROM intake.statistics_counts WHERE n <> 0 "
    "ORDER BY span, period, name, code"
)


async def rows(db: Database, query: str) -> list[dict[str, Any]]:
    async with db.transaction() as session:
        return [dict(row) for row in (await session.execute(text(query))).mappings()]


async def test_a1_46_the_212_of_2017_give_the_three_tables_to_the_digit(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient
) -> None:
    for number, each in enumerate(children_of_2017()):
        await send(phone, f"key-{number}", each)
    answer = await officer.get(EXACT)
    tables = figures(answer)
    assert list(tables["race_ethnicity"].items()) == [
        ("Hispanic", 84),
        ("Caucasian", 62),
        ("African American/Black", 34),
        ("Multi-racial", 21),
        ("Unknown", 6),
        ("Asian", 3),
        ("Other", 2),
    ]
    assert list(tables["age_at_victimization"].items()) == [
        ("10 and Under", 5),
        ("11 to 12", 7),
        ("13 to 14", 43),
        ("15 to 16", 84),
        ("17 to 18", 37),
        ("Over 18", 4),
        ("Unknown", 32),
    ]
    assert list(tables["residence_at_exploitation"].items()) == [
        ("Parent/Guardian Home", 141),
        ("AWOL/Runaway", 26),
        ("Foster home", 22),
        ("Congregate care", 19),
        ("Relative/Other Home", 4),
        ("Detention", 0),
        ("Shelter", 0),
        ("Missing/Unknown", 0),
    ]
    totals = {t["name"]: t["total"] for t in answer.json()["tables"] if "total" in t}
    assert totals.pop("settings") == 19
    assert set(totals.values()) == {212}
    assert tables["gender"] == {"Female": 197, "Male": 15, "Other": 0, "Unknown": 0}
    assert tables["venue"]["Hotel/Motel-Based Commercial Sex"] == 212
    assert tables["town"]["Hartford"] == 212
    years = (await officer.get("/v1/statistics/exact")).json()
    assert years["years"] == [{"year": 2017, "referrals": 212}]


async def test_c10_reports_referrals_and_unique_children_are_three_counts(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    first = await send(phone, "a", child(), child(name="Test Child Two"))
    second = await send(phone, "b", child())
    async with intake_db.transaction() as session:
        for kept in (first, second):
            await standing_store.same_person(
                session, kept["referral_id"], kept["children"][0]["child_id"], "per_one"
            )
    tables = figures(await officer.get(EXACT))
    assert list(tables["reports"].values()) == [2, 1]
    assert list(tables["children"].values()) == [1, 1, 1]
    assert tables["total"] == {"Children in referrals": 3}


async def test_a_child_referred_in_an_earlier_year_is_a_repeat_victim(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    earlier = await send(phone, "a", child(), received_at="2015-06-15T12:00:00Z")
    later = await send(phone, "b", child())
    async with intake_db.transaction() as session:
        for kept in (earlier, later):
            await standing_store.same_person(
                session, kept["referral_id"], kept["children"][0]["child_id"], "per_one"
            )
    assert list(figures(await officer.get(EXACT))["children"].values()) == [0, 1, 0]
    before = figures(await officer.get("/v1/statistics/2015/exact"))
    assert list(before["children"].values()) == [1, 0, 0]


async def test_congregate_settings_with_several_victims_are_found_by_a_blind_index(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    home: dict[str, Any] = {"residence_at_exploitation": "congregate_care"}
    await send(phone, "a", child(**home, facility="Example House"))
    await send(phone, "b", child(**home, facility=" example  HOUSE"))
    await send(phone, "c", child(**home, facility="Another House"))
    await send(phone, "d", child(**home))
    await send(phone, "e", child(**home))
    foster = child(residence_at_exploitation="foster_home", facility="Example House")
    await send(phone, "f", foster)
    tables = figures(await officer.get(EXACT))
    assert list(tables["settings"].values()) == [2, 3]
    assert list(tables["setting_count"].values()) == [1]
    stored = await rows(intake_db, "SELECT CAST(f AS text) AS f FROM intake.statistics_facts f")
    assert not any("xample" in row["f"] for row in stored)


async def test_c19_age_is_at_victimisation_and_over_18_is_counted(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient
) -> None:
    born = {"date_of_birth": "1995-07-01", "age_years": 21}
    await send(phone, "a", child(**born, victimised_on="2012-06-30"))
    await send(phone, "b", child(**born, victimised_on="2014-07-01"))
    await send(phone, "c", child(**born))
    ages = figures(await officer.get(EXACT))["age_at_victimization"]
    assert {row: n for row, n in ages.items() if n} == {"15 to 16": 1, "Over 18": 1, "Unknown": 1}


async def test_c20_an_unknown_age_is_re_banded_when_it_is_corrected(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient
) -> None:
    kept = await send(phone, "a", child(age_years=None))
    before = figures(await officer.get(EXACT))["age_at_victimization"]
    assert before["Unknown"] == 1
    (known,) = kept["children"]
    corrected = {"children": [child(**known, age_at_victimisation=14)]}
    answer = await patch(phone, kept["referral_id"], corrected)
    assert answer.status_code == 200, answer.text
    after = figures(await officer.get(EXACT))["age_at_victimization"]
    assert (after["Unknown"], after["13 to 14"]) == (0, 1)


async def test_c36_two_races_are_one_bucket_and_hispanic_is_the_first_row(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient
) -> None:
    await send(phone, "a", child(race_ethnicity=["hispanic", "caucasian"]))
    await send(phone, "b", child(race_ethnicity=["hispanic"]))
    await send(phone, "c", child())
    races = figures(await officer.get(EXACT))["race_ethnicity"]
    assert next(iter(races)) == "Hispanic"
    assert {row: n for row, n in races.items() if n} == {
        "Hispanic": 1,
        "Multi-racial": 1,
        "Unknown": 1,
    }


async def test_c25_an_address_confidential_childs_town_is_in_no_row(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    await send(phone, "a", child(address_confidential=True))
    towns = figures(await officer.get(EXACT))["town"]
    assert {row: n for row, n in towns.items() if n} == {"(Unknown or not stated)": 1}
    stored = await rows(intake_db, "SELECT towns FROM intake.statistics_facts")
    assert stored == [{"towns": ["unknown"]}]


async def test_synthetic_and_entered_in_error_are_never_counted_and_a_reversal_counts_again(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    await send(phone, "a", synthetic=True)
    wrong = await send(phone, "b")
    await send(phone, "c")
    ref, why = wrong["referral_id"], standing_store.ENTERED_IN_ERROR
    assert figures(await officer.get(EXACT))["total"] == {"Children in referrals": 2}
    async with intake_db.transaction() as session:
        await standing_store.exclude(session, ref, why)
    assert figures(await officer.get(EXACT))["total"] == {"Children in referrals": 1}
    async with intake_db.transaction() as session:
        await standing_store.include(session, ref, why)
    assert figures(await officer.get(EXACT))["total"] == {"Children in referrals": 2}


async def test_c28_an_embargoed_operation_is_counted_from_the_moment_it_ends(
    phone: httpx.AsyncClient, statistics: StatisticsDesk, intake_db: Database
) -> None:
    kept = await send(phone, "a")
    now = datetime.now(UTC)
    until = now + timedelta(hours=3)
    async with intake_db.transaction() as session:
        await standing_store.exclude(session, kept["referral_id"], standing_store.EMBARGOED, until)
    counted = "SELECT count(*) AS n FROM intake.statistics_facts"
    await statistics.tallying.catch_up(now)
    assert await rows(intake_db, counted) == [{"n": 0}]
    assert await statistics.tallying.catch_up(until - timedelta(seconds=1)) == 0
    assert await statistics.tallying.catch_up(until + timedelta(seconds=1)) == 1
    assert await rows(intake_db, counted) == [{"n": 1}]


async def test_p5_the_facts_hold_no_id_no_name_and_no_date_of_birth(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    kept = await send(phone, "a", child(date_of_birth="2003-04-05", victimised_on="2017-01-02"))
    await officer.get(EXACT)
    stored = [
        row["line"]
        for table in ("facts", "counts", "changes", "recounts")
        for row in await rows(
            intake_db, f"SELECT CAST(t AS text) AS line FROM intake.statistics_{table} AS t"
        )
    ]
    assert len(stored) > 10
    ids = (kept["referral_id"], kept["number"], kept["children"][0]["child_id"])
    for secret in (*ids, "Test Child", "2003", "04-05", "2017-01-02", "Hartford", "Ansonia"):
        assert not any(secret in line for line in stored)


async def test_a_tally_is_idempotent_in_batches_and_together(
    phone: httpx.AsyncClient, statistics: StatisticsDesk, intake_db: Database
) -> None:
    for number in range(7):
        await send(phone, f"key-{number}")
    now = datetime.now(UTC)
    done = await asyncio.gather(*(statistics.tallying.catch_up(now, batch=2) for _ in range(3)))
    assert sum(done) == 7
    assert await statistics.tallying.catch_up(now, batch=2) == 0
    assert await rows(intake_db, "SELECT count(*) AS n FROM intake.statistics_facts") == [{"n": 7}]


async def test_an_answer_counts_what_came_a_moment_before(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient
) -> None:
    for number in range(3):
        await send(phone, f"key-{number}")
        total = figures(await officer.get(EXACT))["total"]
        assert total == {"Children in referrals": number + 1}


async def test_a_document_that_does_not_open_counts_as_unknown_and_stops_nothing(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient, intake_db: Database
) -> None:
    await send(phone, "a", child(age_at_victimisation=13))
    await rows(
        intake_db,
        "UPDATE intake.documents SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1) "
        "RETURNING child_id",
    )
    await send(phone, "b", child(age_at_victimisation=13))
    ages = figures(await officer.get(EXACT))["age_at_victimization"]
    assert (ages["13 to 14"], ages["Unknown"]) == (1, 1)


async def test_the_year_is_connecticuts(
    phone: httpx.AsyncClient, officer: httpx.AsyncClient
) -> None:
    await send(phone, "a", received_at="2018-01-01T04:59:00Z")
    await send(phone, "b", received_at="2018-01-01T05:00:00Z")
    assert figures(await officer.get(EXACT))["total"] == {"Children in referrals": 1}


async def test_facts_are_made_again_after_the_key_was_renewed(
    phone: httpx.AsyncClient, statistics: StatisticsDesk, intake_db: Database
) -> None:
    await send(phone, "a")
    await statistics.tallying.catch_up(datetime.now(UTC))
    async with intake_db.transaction() as session:
        await store.forget(session)
    assert await statistics.tallying.catch_up(datetime.now(UTC)) == 1
    assert await rows(intake_db, "SELECT month FROM intake.statistics_facts") == [
        {"month": 2017 * 12 + 5}
    ]


async def test_p9_what_waits_to_be_tallied_has_an_age(
    phone: httpx.AsyncClient, statistics: StatisticsDesk, intake_db: Database
) -> None:
    await send(phone, "a", received_at=IN_2017)
    async with intake_db.transaction() as session:
        assert 0 < await store.age(session) < 60
    await statistics.tallying.catch_up(datetime.now(UTC))
    async with intake_db.transaction() as session:
        assert await store.age(session) == 0


async def test_counts_kept_along_are_those_that_a_count_of_all_facts_gives(
    phone: httpx.AsyncClient, statistics: StatisticsDesk, intake_db: Database
) -> None:
    """Referrals, corrections, persons joined and referrals taken out, in small steps."""
    dice = random.Random(46)
    kept: list[dict[str, Any]] = []
    for number in range(40):
        children = [_any_child(dice) for _ in range(dice.randint(1, 3))]
        year, month = dice.choice((2015, 2016, 2017)), dice.randint(1, 12)
        received = f"{year}-{month:02d}-15T12:00:00Z"
        kept.append(await send(phone, f"key-{number}", *children, received_at=received))
        await _disturb(dice, phone, intake_db, dice.choice(kept))
        await statistics.tallying.catch_up(datetime.now(UTC))
    along = await rows(intake_db, COUNTS)
    async with intake_db.transaction() as session:
        await count_store.rebuild(session)
    assert along == await rows(intake_db, COUNTS)
    assert {row["name"] for row in along} >= {"children", "settings", "setting_count", "victims"}


def _any_child(dice: random.Random) -> dict[str, Any]:
    return child(
        race_ethnicity=dice.sample(["hispanic", "asian", "caucasian"], dice.randint(0, 2)),
        residence_at_exploitation=dice.choice(["congregate_care", "shelter"]),
        facility=dice.choice(["Example House", "Another House", None]),
        ht_type=dice.choice(["sex", "labor"]),
        venues=dice.sample(["internet_based", "street_based"], dice.randint(0, 2)),
        incident_towns=dice.sample(["Hartford", "Ansonia"], dice.randint(0, 2)),
    )


async def _disturb(
    dice: random.Random, phone: httpx.AsyncClient, db: Database, kept: dict[str, Any]
) -> None:
    ref, one = kept["referral_id"], dice.choice(kept["children"])["child_id"]
    what = dice.randrange(5)
    if what == 0:
        children = [_any_child(dice) | known for known in kept["children"]]
        current = (await phone.get(kept["links"]["self"])).headers["etag"]
        answer = await patch(phone, ref, {"children": children}, current)
        assert answer.status_code == 200, answer.text
        return
    async with db.transaction() as session:
        if what == 1:
            await standing_store.exclude(session, ref, standing_store.ENTERED_IN_ERROR)
        elif what == 2:
            await standing_store.include(session, ref, standing_store.ENTERED_IN_ERROR)
        elif what == 3:
            await standing_store.identified(session, ref, one)
        else:
            await standing_store.same_person(session, ref, one, dice.choice(["per_a", "per_b"]))
