"""The HART Director's triage, and open cases flagged for trafficking that have no DCF-737."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from services.intake.api import Desk
from services.intake.areas import Areas
from shared.contracts.disclosures import RecordViewed, ReferralViewed
from shared.contracts.referrals import CaseFlagged
from shared.runtime.db import Database
from tests.support.hart import Kept, Office, in_future
from tests.support.intake import SCOPES, events_of, patch

ZERO = "0" * 32


async def emitted(db: Database, kind: type[Any]) -> list[Any]:
    async with db.transaction() as session:
        rows = await session.execute(text("SELECT body FROM intake.outbox ORDER BY id"))
        return [e for e in events_of([{"body": row.body} for row in rows]) if isinstance(e, kind)]


async def waiting(office: Office) -> list[str]:
    answer = await office.get("director", "/v1/triage")
    return [each["referral_id"] for each in answer.json()["waiting"]]


async def read(office: Office, kept: Kept, version: int = 1) -> int:
    path = f"/v1/triage/{kept.referral_id}/versions/{version}/content"
    return (await office.post("director", path, {"purpose": "triage"})).status_code


async def review(office: Office, kept: Kept, version: int = 1, **fields: Any) -> int:
    path = f"/v1/triage/{kept.referral_id}/reviews"
    body = {"version": version, "sent_to": ["regional_team", "mdt"], **fields}
    return (await office.post("director", path, body)).status_code


async def test_every_737_waits_for_the_director_whichever_trigger_and_no_test_does(
    office: Office,
) -> None:
    careline = await office.receive()
    worker = await office.receive(trigger="ongoing_worker")
    await office.receive(synthetic=True)
    assert sorted(await waiting(office)) == sorted([careline.referral_id, worker.referral_id])


async def test_a_review_says_who_and_where_to_and_ends_the_waiting(office: Office) -> None:
    kept = await office.receive()
    assert await review(office, kept) == 409
    assert await read(office, kept) == 200
    assert await review(office, kept) == 201
    assert await waiting(office) == []
    told = (await office.get("director", f"/v1/triage/{kept.referral_id}")).json()
    (made,) = told["reviews"]
    assert (made["reviewer"], made["version"]) == ("director", 1)
    assert made["sent_to"] == ["regional_team", "mdt"]


async def test_an_amended_737_waits_again_and_is_read_again(office: Office) -> None:
    kept = await office.receive()
    assert await read(office, kept) == 200
    assert await review(office, kept) == 201
    office.client.headers.update(office.made.bearer("phone-system", SCOPES))
    changed = await patch(office.client, kept.referral_id, {"source_type": "medical"})
    assert changed.status_code == 200
    (item,) = (await office.get("director", "/v1/triage")).json()["waiting"]
    assert (item["version"], item["reviewed_before"]) == (2, True)
    assert await review(office, kept, 1) == 409
    assert await review(office, kept, 2) == 409
    assert await read(office, kept, 2) == 200
    assert await review(office, kept, 2) == 201


async def test_p2_reading_for_triage_is_a_recorded_view_and_the_queue_shows_no_content(
    office: Office, intake_db: Database
) -> None:
    kept = await office.receive()
    queue = await office.get("director", "/v1/triage")
    assert "Test Child" not in queue.text
    assert await emitted(intake_db, ReferralViewed) == []
    assert await read(office, kept) == 200
    (viewed,) = await emitted(intake_db, ReferralViewed)
    assert (viewed.actor, viewed.actor_kind, viewed.purpose) == ("director", "person", "triage")


async def test_c17_a_conflicted_reviewer_does_not_see_that_a_737_waits(office: Office) -> None:
    kept, other = await office.receive(), await office.receive()
    body = {"referral_id": kept.referral_id, "person": "director", "ground": "relative"}
    assert (await office.post("lead", "/v1/recusals", body)).status_code == 201
    assert await waiting(office) == [other.referral_id]
    assert await read(office, kept) == await review(office, kept) == 404
    deputy = (await office.get("deputy", "/v1/triage")).json()["waiting"]
    assert {each["referral_id"] for each in deputy} == {kept.referral_id, other.referral_id}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"sent_to": []}, "#/sent_to"),
        ({"sent_to": ["Test Police"]}, "#/sent_to/0"),
        ({"version": 0}, "#/version"),
    ],
)
async def test_a_wrong_review_is_422_with_a_pointer(
    office: Office, fields: dict[str, Any], pointer: str
) -> None:
    kept = await office.receive()
    body = {"version": 1, "sent_to": ["mdt"], **fields}
    answer = await office.post("director", f"/v1/triage/{kept.referral_id}/reviews", body)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert "Test Police" not in answer.text


def flag(number: str = "Case 12-345", **fields: Any) -> dict[str, Any]:
    return {"case_number": number, "reasons": "An example sign.", **fields}


async def sweep(db: Database, areas: Areas, **later: float) -> int:
    async with db.transaction() as session:
        now = datetime.now(UTC) + timedelta(**later)
        return await areas.cases.sweep_once(session, now)


async def test_a_flagged_case_without_a_737_is_found_once_after_the_patience(
    office: Office, areas: Areas, intake_db: Database
) -> None:
    flagged = (await office.post("worker", "/v1/case-flags", flag())).json()
    assert await sweep(intake_db, areas) == 0
    assert await sweep(intake_db, areas, hours=23) == 0
    assert await sweep(intake_db, areas, hours=25) == 1
    assert await sweep(intake_db, areas, hours=26) == 0
    (event,) = await emitted(intake_db, CaseFlagged)
    assert event.subject == event.flag_id == flagged["flag_id"]


async def test_a_flagged_case_with_its_737_is_not_found(
    office: Office, areas: Areas, intake_db: Database
) -> None:
    kept = await office.receive(trigger="ongoing_worker")
    linked = flag("A-1", referral_id=kept.referral_id)
    assert (await office.post("worker", "/v1/case-flags", linked)).status_code == 201
    later = (await office.post("worker", "/v1/case-flags", flag("A-2"))).json()["flag_id"]
    path = f"/v1/case-flags/{later}/referral"
    body = {"referral_id": kept.referral_id}
    assert (await office.post("liaison", path, body)).status_code == 201
    assert (await office.post("liaison", path, body)).status_code == 409
    assert await sweep(intake_db, areas, hours=48) == 0
    assert (await office.get("liaison", "/v1/case-flags")).json() == {"waiting": []}


async def test_a_case_flagged_twice_has_one_flag_however_its_number_is_spelled(
    office: Office, areas: Areas, intake_db: Database
) -> None:
    first = (await office.post("worker", "/v1/case-flags", flag("Case 12-345"))).json()
    again = (await office.post("liaison", "/v1/case-flags", flag("case12345"))).json()
    assert again == {"flag_id": first["flag_id"], "joined": True}
    kept = await office.receive()
    body = {"referral_id": kept.referral_id}
    await office.post("liaison", f"/v1/case-flags/{first['flag_id']}/referral", body)
    new = (await office.post("liaison", "/v1/case-flags", flag("CASE 12345"))).json()
    assert new["flag_id"] != first["flag_id"]
    assert await sweep(intake_db, areas, hours=25) == 1


async def test_a_737_that_names_its_case_is_linked_to_the_flag_whichever_came_first(
    office: Office, desk: Desk, areas: Areas, intake_db: Database
) -> None:
    first = (await office.post("worker", "/v1/case-flags", flag("Case 12-345"))).json()
    await office.receive(trigger="ongoing_worker", case_number="case 12345", synthetic=True)
    await desk.life.chores["index"]()
    assert await waiting_flags(office) == [first["flag_id"]]
    await office.receive(trigger="ongoing_worker", case_number="case 12345")
    await desk.life.chores["index"]()
    assert await waiting_flags(office) == []
    again = (await office.post("worker", "/v1/case-flags", flag("Case 12-345"))).json()
    assert await waiting_flags(office) == [again["flag_id"]]
    await office.receive(trigger="ongoing_worker", case_number="Case 77")
    await desk.life.chores["index"]()
    await office.post("worker", "/v1/case-flags", flag("CASE-77"))
    assert await waiting_flags(office) == [again["flag_id"]]
    assert await sweep(intake_db, areas, hours=25) == 1


async def waiting_flags(office: Office) -> list[str]:
    waiting = (await office.get("liaison", "/v1/case-flags")).json()["waiting"]
    return [each["flag_id"] for each in waiting]


async def test_sweeps_that_race_report_a_case_once(
    office: Office, areas: Areas, intake_db: Database
) -> None:
    await office.post("worker", "/v1/case-flags", flag())
    now = datetime.now(UTC) + timedelta(hours=25)
    async with intake_db.transaction() as one, intake_db.transaction() as two:
        found = [await areas.cases.sweep_once(each, now) for each in (one, two)]
    assert sorted(found) == [0, 1]
    assert len(await emitted(intake_db, CaseFlagged)) == 1


async def test_p5_a_case_number_is_in_no_table_no_event_and_no_url(
    office: Office, intake_db: Database
) -> None:
    answer = await office.post("worker", "/v1/case-flags", flag("CANARY-77"))
    assert "CANARY" not in answer.text.upper()
    async with intake_db.transaction() as session:
        for table in ("case_flags", "outbox", "idempotency_keys"):
            for row in await session.execute(text(f"SELECT t.* FROM intake.{table} AS t")):
                for value in row:
                    written = value if isinstance(value, bytes) else str(value).encode()
                    assert b"canary77" not in written.lower().replace(b"-", b"")
    assert office.app is not None
    assert all("case_number" not in path for path in office.app.openapi()["paths"])


async def test_p2_which_case_it_is_is_told_to_a_person_once_that_is_on_record(
    office: Office, intake_db: Database
) -> None:
    flagged = (await office.post("worker", "/v1/case-flags", flag())).json()["flag_id"]
    listed = await office.get("liaison", "/v1/case-flags")
    assert "12-345" not in listed.text
    path = f"/v1/case-flags/{flagged}/content"
    shown = await office.post("liaison", path, {"purpose": "case_work"})
    assert shown.json()["case_number"] == "Case 12-345"
    (viewed,) = await emitted(intake_db, RecordViewed)
    assert (viewed.record_id, viewed.actor, viewed.purpose) == (flagged, "liaison", "case_work")


async def test_what_cannot_be_flagged_says_why(office: Office) -> None:
    future = await office.post("worker", "/v1/case-flags", flag(flagged_at=in_future(hours=2)))
    assert future.json()["errors"][0]["pointer"] == "#/flagged_at"
    unknown = await office.post("worker", "/v1/case-flags", flag(referral_id=f"ref_{ZERO}"))
    assert unknown.status_code == 404
    odd = await office.post("worker", "/v1/case-flags", flag("\u00e9"))
    assert odd.json()["errors"][0]["pointer"] == "#/case_number"
    nowhere = await office.post("worker", f"/v1/case-flags/rec_{ZERO}/referral", {})
    assert nowhere.status_code == 422


async def test_p9_what_waits_for_triage_or_for_the_sweep_has_an_age(
    office: Office, areas: Areas, intake_db: Database
) -> None:
    async def ages(**later: float) -> dict[str, float]:
        async with intake_db.transaction() as session:
            return await areas.ages(session, datetime.now(UTC) + timedelta(**later))

    assert await ages() == {"triage": 0.0, "case_flag": 0.0}
    kept = await office.receive()
    await office.post("worker", "/v1/case-flags", flag())
    found = await ages(hours=25)
    assert found["triage"] > 0
    assert 3500 < found["case_flag"] < 3700
    assert await read(office, kept) == 200
    assert await review(office, kept) == 201
    assert await sweep(intake_db, areas, hours=25) == 1
    assert await ages(hours=25) == {"triage": 0.0, "case_flag": 0.0}
