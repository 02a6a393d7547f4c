"""The edge cases of DOMAIN C that are intake's: how each is told, kept and shown."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.intake.projections import load_profiles
from shared.contracts.referrals import ReferralReceived
from shared.runtime.db import Database
from shared.runtime.ids import new_event_id
from tests.support.databases import FreshDatabase
from tests.support.intake import child, events_of, patch, post, project, referral

EVERYONE = tuple(load_profiles())


@pytest.fixture
async def intake_db(module_database: FreshDatabase) -> AsyncIterator[Database]:
    """One database for all of these: each test has referrals of its own."""
    yield module_database.open("intake")
    await module_database.close()


async def create(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await post(client, referral(**fields), new_event_id())
    assert answer.status_code == 201, answer.text
    kept: dict[str, Any] = answer.json()
    return kept


async def shown(
    client: httpx.AsyncClient, kept: dict[str, Any], version: int = 1
) -> list[dict[str, Any]]:
    """Each child: facts, and copies by profile."""
    answer = await project(client, kept["referral_id"], version, *EVERYONE)
    assert answer.status_code == 200, answer.text
    children: list[dict[str, Any]] = answer.json()["children"]
    return children


async def of_one(client: httpx.AsyncClient, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts and copies of a referral of one child with these fields."""
    nowhere: dict[str, Any] = {"residence_town": None, "incident_towns": []}
    kept = await create(client, children=[child(**(nowhere | fields))])
    (only,) = await shown(client, kept)
    return only["facts"], only["copies"]


async def refused(client: httpx.AsyncClient, **fields: Any) -> list[str]:
    answer = await post(client, referral(**fields), new_event_id())
    assert answer.status_code == 422, answer.text
    return [error["pointer"] for error in answer.json()["errors"]]


async def test_c1_a_referral_without_any_town_is_taken_and_announced(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    kept = await create(
        client, children=[{"ht_type": "sex", "reasons_for_suspicion": "An example reason."}]
    )
    (only,) = await shown(client, kept)
    assert (only["facts"]["residence_town"], only["facts"]["incident_towns"]) == (None, [])
    query = text("SELECT body FROM intake.outbox WHERE subject = :id AND topic = 'referrals'")
    async with intake_db.transaction() as session:
        rows = await session.execute(query, {"id": kept["referral_id"]})
        (event,) = events_of([{"body": row.body} for row in rows])
    assert isinstance(event, ReferralReceived)


async def test_c2_a_child_who_lives_in_another_state_has_that_state_and_no_town(
    client: httpx.AsyncClient,
) -> None:
    facts, copies = await of_one(client, residence_state="NY", incident_towns=["Hartford"])
    assert (facts["residence_state"], facts["residence_town"]) == ("NY", None)
    assert facts["incident_towns"] == ["Hartford"]
    assert copies["law_enforcement"]["residence_state"] == "NY"
    both = child(residence_state="NY", residence_town="Derby")
    assert await refused(client, children=[both]) == ["#/children/0/residence_town"]


async def test_c3_an_incident_in_another_state_keeps_the_town_where_the_child_lives(
    client: httpx.AsyncClient,
) -> None:
    place = {"kind": "out_of_state", "state": "RI", "description": "A motel, by the highway."}
    facts, copies = await of_one(client, residence_town="Derby", incident_places=[place])
    assert (facts["residence_town"], facts["incident_towns"]) == ("Derby", [])
    assert facts["incident_places"] == [{"kind": "out_of_state", "state": "RI"}]
    assert copies["law_enforcement"]["incident_places"] == [place]
    home = child(incident_places=[place | {"state": "CT"}])
    assert await refused(client, children=[home]) == ["#/children/0/incident_places/0/state"]


async def test_c6_exploitation_on_the_internet_alone_has_no_incident_town(
    client: httpx.AsyncClient,
) -> None:
    facts, _ = await of_one(
        client,
        residence_town="Derby",
        incident_places=[{"kind": "internet"}],
        venues=["internet_based"],
    )
    assert facts["incident_places"] == [{"kind": "internet"}]
    assert (facts["incident_towns"], facts["residence_town"]) == ([], "Derby")
    placed = child(incident_places=[{"kind": "internet", "town": "Hartford"}])
    assert await refused(client, children=[placed]) == ["#/children/0/incident_places/0/town"]


async def test_c7_tribal_land_is_named_by_its_nation_and_the_child_may_be_an_indian_child(
    client: httpx.AsyncClient,
) -> None:
    place = {"kind": "tribal_land", "nation": "mohegan"}
    facts, copies = await of_one(client, incident_places=[place], indian_child=True)
    assert facts["incident_places"] == [place]
    assert facts["indian_child"] is True
    assert "indian_child" not in copies["law_enforcement"]
    assert copies["hart"]["indian_child"] is True


async def test_c8_a_part_of_a_town_and_the_hour_reach_whoever_routes(
    client: httpx.AsyncClient,
) -> None:
    city = {"kind": "in_state", "town": "Groton", "district": "groton_city"}
    night = {"kind": "in_state", "town": "Colchester", "occurred_at": "2026-01-10T05:30:00Z"}
    facts, _ = await of_one(
        client, incident_towns=["Groton", "Colchester"], incident_places=[city, night]
    )
    assert facts["incident_places"] == [city, night]
    elsewhere = child(incident_places=[city | {"town": "Hartford"}])
    assert await refused(client, children=[elsewhere]) == [
        "#/children/0/incident_places/0/district"
    ]
    unnamed = child(incident_towns=["Hartford"], incident_places=[city])
    assert await refused(client, children=[unnamed]) == ["#/children/0/incident_places/0/town"]


async def test_c19_who_was_a_child_then_and_is_an_adult_now_is_ordinary_input(
    client: httpx.AsyncClient,
) -> None:
    born = (datetime.now(UTC) - timedelta(days=19 * 366)).date()
    hurt = born + timedelta(days=16 * 366)
    _, copies = await of_one(
        client,
        date_of_birth=born.isoformat(),
        age_years=19,
        victimised_on=hurt.isoformat(),
        age_at_victimisation=16,
        age_band="15_to_16",
    )
    assert copies["mdt"]["age_at_victimisation"] == 16
    await of_one(client, age_years=20, age_at_victimisation=19, age_band="over_18")
    early = child(date_of_birth="2010-01-02", victimised_on="2010-01-01")
    assert await refused(client, children=[early]) == ["#/children/0/victimised_on"]


async def test_c20_an_unknown_age_is_told_as_a_band_or_not_at_all_and_corrected_later(
    client: httpx.AsyncClient,
) -> None:
    kept = await create(client, children=[child(age_years=None, age_band="13_to_14")])
    known = child(
        child_id=kept["children"][0]["child_id"],
        age_years=None,
        age_band=None,
        date_of_birth="2010-05-06",
    )
    answer = await patch(client, kept["referral_id"], {"children": [known]})
    assert answer.status_code == 200, answer.text
    before, after = await shown(client, kept, 1), await shown(client, kept, 2)
    assert before[0]["copies"]["hart"]["age_band"] == "13_to_14"
    assert "age_band" not in after[0]["copies"]["hart"]
    assert after[0]["copies"]["hart"]["date_of_birth"] == "2010-05-06"


async def test_c21_an_anonymous_reporter_is_ordinary_and_nothing_of_the_line_is_kept(
    client: httpx.AsyncClient,
) -> None:
    await create(client, reporter={"anonymous": True})
    assert await refused(client, reporter={"anonymous": True, "caller_id": "555-0100"}) == [
        "#/reporter/caller_id"
    ]
    assert await refused(client, reporter={"anonymous": True, "address": "1 Example Way"}) == [
        "#/reporter/address"
    ]


async def test_c22_the_reporter_may_be_the_victim_a_relative_or_the_trafficker(
    client: httpx.AsyncClient,
) -> None:
    victim = {"anonymous": False, "name": "Test Child One", "same_as": "p1"}
    itself = await create(
        client,
        source_type="self_report",
        reporter=victim | {"person_roles": ["reporter", "victim"]},
        children=[child(person_ref="p1", person_roles=["victim", "reporter"])],
    )
    suspect = {"name": "Example Suspect", "person_roles": ["trafficker", "reporter"]}
    trafficker = await create(
        client,
        source_type="family",
        reporter={"anonymous": False, "name": "Example Suspect", "person_roles": ["trafficker"]},
        children=[child(suspected_persons=[suspect])],
    )
    for kept in (itself, trafficker):
        (only,) = await shown(client, kept)
        assert "reporter" not in json.dumps(only)
    assert await refused(client, reporter=victim | {"same_as": "p9"}) == ["#/reporter/same_as"]


async def test_c23_one_person_in_two_roles_is_shown_by_two_masks(
    client: httpx.AsyncClient,
) -> None:
    two = {"name": "Test Child Two", "same_as": "p2", "relationship": "friend"}
    kept = await create(
        client,
        children=[
            child(suspected_persons=[two, {"name": "Example Suspect"}]),
            child(name="Test Child Two", person_ref="p2", person_roles=["alleged_perpetrator"]),
        ],
    )
    first, second = await shown(client, kept)
    assert "Test Child Two" not in json.dumps(first)
    assert first["copies"]["law_enforcement"]["suspected_minor_victims"] == [
        {"relationship": "friend"}
    ]
    assert second["copies"]["law_enforcement"]["name"] == "Test Child Two"
    assert "alleged_perpetrator" not in json.dumps(second["copies"]["law_enforcement"])
    own = child(person_ref="p1", suspected_persons=[{"same_as": "p1"}])
    assert await refused(client, children=[own]) == ["#/children/0/suspected_persons/0/same_as"]


async def test_c24_siblings_and_co_victims_have_a_document_each_and_no_word_of_each_other(
    client: httpx.AsyncClient,
) -> None:
    names = [f"Test Child {number}" for number in ("One", "Two", "Three")]
    kept = await create(
        client,
        children=[
            child(
                name=name,
                facility="Example Group Home",
                person_roles=["co_victim", "sibling"],
                siblings=[{"name": other} for other in names if other != name],
            )
            for name in names
        ],
    )
    children = await shown(client, kept)
    assert len({each["child_id"] for each in children}) == 3
    for each, name in zip(children, names, strict=True):
        told = json.dumps(each)
        assert name in told
        assert not [other for other in names if other != name and other in told]


async def test_c25_the_real_town_and_address_of_a_participant_are_in_no_copy_and_no_fact(
    client: httpx.AsyncClient,
) -> None:
    facts, copies = await of_one(
        client,
        address_confidential=True,
        residence_town="Voluntown",
        residence_address="7 Example Lane, Voluntown",
        substitute_address="P.O. Box 1, Hartford",
        incident_towns=["Voluntown", "Derby"],
        current_location="At home in VOLUNTOWN, 7 Example Lane.",
        reasons_for_suspicion="Seen near Voluntown.",
        facility="Voluntown Example Home",
        parents=[{"name": "Example Parent", "address": "7 Example Lane"}],
    )
    told = json.dumps([facts, copies]).casefold()
    assert "voluntown" not in told
    assert "example lane" not in told
    assert facts["address_confidential"] is True
    assert facts["incident_towns"] == ["Derby"]
    assert copies["law_enforcement"]["residence_address"] == "P.O. Box 1, Hartford"
    pointer = "#/children/0/address_confidential"
    assert await refused(client, children=[child(substitute_address="P.O. Box 1")]) == [pointer]
    home = {"residence_address": "7 Example Lane, Voluntown"}
    siblings = [child(**home), child(name="Test Child Two", **home, address_confidential=True)]
    assert await refused(client, children=siblings) == [pointer]


async def test_c26_missing_from_care_is_not_the_same_as_an_unknown_residence(
    client: httpx.AsyncClient,
) -> None:
    facts, copies = await of_one(
        client,
        missing_from_care=True,
        missing_since="2026-01-10T05:30:00Z",
        whereabouts_known=False,
        care_status="dcf_care",
        residence_at_exploitation="awol_runaway",
        facility="Example Group Home",
    )
    assert (facts["missing_from_care"], facts["care_status"]) == (True, "dcf_care")
    assert facts["missing_since"] == "2026-01-10T05:30:00Z"
    assert copies["law_enforcement"]["missing_from_care"] is True
    elsewhere, _ = await of_one(client, residence_at_exploitation="missing_unknown")
    assert elsewhere["missing_from_care"] is None


async def test_c3_whether_a_child_elsewhere_may_travel_reaches_routing_and_the_compact_alone(
    client: httpx.AsyncClient,
) -> None:
    kept = await create(client, children=[child(travel_authorized=False)])
    answer = await project(client, kept["referral_id"], 1, *load_profiles())
    (only,) = answer.json()["children"]
    assert only["facts"]["travel_authorized"] is False
    told = {name for name, copy in only["copies"].items() if "travel_authorized" in copy}
    assert told == {"interstate"}
    unknown, _ = await of_one(client)
    assert unknown["travel_authorized"] is None


async def test_c27_that_a_child_is_a_foreign_national_reaches_routing_and_hart_alone(
    client: httpx.AsyncClient,
) -> None:
    facts, copies = await of_one(client, foreign_national=True)
    assert facts["foreign_national"] is True
    assert [name for name, copy in copies.items() if "foreign_national" in copy] == ["hart"]


async def test_c16_c18_who_is_implicated_reaches_routing_and_no_copy(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    officer = {"kind": "municipal_officer", "agency": "Example Police", "name": "Example Officer"}
    kept = await create(client, implicated=[officer])
    (only,) = await shown(client, kept)
    assert only["facts"]["implicated"] == [
        {"kind": "municipal_officer", "agency": "Example Police"}
    ]
    assert "Example Police" not in json.dumps(only["copies"])
    plain = await create(client)
    await shown(client, plain)
    query = text("SELECT fields FROM intake.views WHERE referral_id = :id")
    async with intake_db.transaction() as session:
        fields = [
            set(await session.scalar(query, {"id": each["referral_id"]}) or [])
            for each in (kept, plain)
        ]
    assert fields[0] == fields[1]


async def test_c36_two_races_or_ethnicities_are_told_as_one_list(
    client: httpx.AsyncClient,
) -> None:
    _, copies = await of_one(client, race_ethnicity=["hispanic", "african_american_black"])
    assert copies["hart"]["race_ethnicity"] == ["hispanic", "african_american_black"]
    assert [name for name, copy in copies.items() if "race_ethnicity" in copy] == ["hart"]
    pointer = "#/children/0/race_ethnicity"
    for wrong in (["unknown", "asian"], ["asian", "asian"]):
        assert await refused(client, children=[child(race_ethnicity=wrong)]) == [pointer]
    assert await refused(client, children=[child(race_ethnicity=["white"])]) == [f"{pointer}/0"]


async def test_characteristics_of_trafficking_and_an_arrest_report_are_told_apart_from_acceptance(
    client: httpx.AsyncClient,
) -> None:
    kept = await create(
        client,
        source_type="law_enforcement_arrest",
        ht_characteristics=True,
        case_number="EXAMPLE-1",
        trigger="ongoing_worker",
    )
    (only,) = await shown(client, kept)
    hart = only["copies"].pop("hart")
    assert (hart["ht_characteristics"], hart["case_number"]) == (True, "EXAMPLE-1")
    assert hart["source_type"] == "law_enforcement_arrest"
    assert "EXAMPLE-1" not in json.dumps(only)
    assert "arrest" not in json.dumps(only)


async def test_the_code_lists_are_served_with_their_sources(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/code-lists")
    assert answer.status_code == 200
    lists = {each["name"]: each for each in answer.json()["lists"]}
    assert all(each["source"] for each in lists.values())
    offered = {code["code"] for code in lists["venue"]["codes"]}
    (pointer,) = await refused(client, children=[child(venues=["nowhere"])])
    assert pointer == "#/children/0/venues/0"
    await create(client, children=[child(venues=sorted(offered))])
