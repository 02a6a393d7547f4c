"""HART consults over the API: one clock, sealed narratives, recorded reads, conflicts kept out."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from shared.contracts.disclosures import ReferralViewed
from shared.contracts.referrals import (
    ConsultCompleted,
    ConsultEntered,
    ConsultRequested,
    ConsultShareRequested,
    VictimIdentified,
)
from shared.runtime.db import Database
from tests.support.hart import Office, completion, consult, in_future, wanted_consult
from tests.support.intake import child, events_of


async def emitted(db: Database, *types: type[Any]) -> list[Any]:
    """What was emitted, of these types, in order."""
    async with db.transaction() as session:
        rows = await session.execute(text("SELECT body FROM intake.outbox ORDER BY id"))
        events = events_of([{"body": row.body} for row in rows])
    return [each for each in events if isinstance(each, types)]


async def count(db: Database, table: str) -> int:
    async with db.transaction() as session:
        found = await session.scalar(text(f"SELECT count(*) FROM intake.{table}"))
    assert isinstance(found, int)
    return found


async def test_c30_a_second_request_joins_the_first_and_its_clock(
    office: Office, intake_db: Database
) -> None:
    kept = await office.receive()
    first = await office.post("investigator", "/v1/consults", wanted_consult(kept))
    body = wanted_consult(kept) | {"requester": "ongoing_worker"}
    second = await office.post("ongoing-worker", "/v1/consults", body)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["consult_id"] == second.json()["consult_id"]
    assert first.json()["started_at"] == second.json()["started_at"]
    one, two = await emitted(intake_db, ConsultRequested)
    assert one.request_id != two.request_id
    assert one.started_at == two.started_at == one.requested_at < two.requested_at


async def test_c30_requests_that_race_open_one_consult(office: Office) -> None:
    kept = await office.receive()
    answers = await asyncio.gather(
        *(office.post(f"worker-{n}", "/v1/consults", wanted_consult(kept)) for n in range(6))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["consult_id"] for answer in answers}) == 1


async def test_c30_new_facts_after_completion_open_a_consult_with_a_clock_of_its_own(
    office: Office,
) -> None:
    kept = await office.receive()
    consult_id = await consult(office, kept)
    path = f"/v1/consults/{consult_id}/completion"
    assert (await office.post("liaison", path, completion())).status_code == 201
    joined = await office.post("investigator", "/v1/consults", wanted_consult(kept))
    assert joined.json()["consult_id"] == consult_id
    again = wanted_consult(kept, new_facts=True)
    new = await office.post("investigator", "/v1/consults", again)
    assert new.json()["consult_id"] != consult_id
    assert new.json()["started_at"] > joined.json()["started_at"]


async def test_a_consult_goes_from_request_to_entry_and_its_events_say_when_and_never_what(
    office: Office, intake_db: Database
) -> None:
    kept = await office.receive()
    consult_id = await consult(office, kept)
    early = await office.post("liaison", f"/v1/consults/{consult_id}/entry")
    assert early.status_code == 409
    steps = [
        ("liaison", "completion", completion()),
        ("liaison", "entry", {}),
        ("investigator", "shares", {}),
    ]
    for person, step, body in steps:
        answer = await office.post(person, f"/v1/consults/{consult_id}/{step}", body)
        assert answer.status_code == 201, answer.text
    told = (await office.get("investigator", f"/v1/consults/{consult_id}")).json()
    assert told["state"] == "entered"
    assert told["started_at"] < told["completed_at"] < told["entered_at"]
    wanted = (ConsultCompleted, ConsultEntered, ConsultShareRequested, VictimIdentified)
    events = await emitted(intake_db, *wanted)
    assert [type(each) for each in events] == list(wanted[:3])
    assert {each.consult_id for each in events} == {consult_id}
    assert "high_risk" not in "".join(each.model_dump_json() for each in events)


async def test_a_level_that_confirms_says_that_a_victim_is_identified(
    office: Office, intake_db: Database
) -> None:
    kept = await office.receive()
    consult_id = await consult(office, kept)
    path = f"/v1/consults/{consult_id}/completion"
    answer = await office.post("liaison", path, completion("confirmed"))
    assert answer.status_code == 201
    (completed, identified) = await emitted(intake_db, ConsultCompleted, VictimIdentified)
    assert identified.child_id == kept.child_ids[0]
    assert identified.identified_at == completed.completed_at


async def test_a_step_sent_again_is_answered_again_and_taken_once(
    office: Office, intake_db: Database
) -> None:
    kept = await office.receive()
    consult_id = await consult(office, kept)
    path = f"/v1/consults/{consult_id}/completion"
    first = await office.post("liaison", path, completion("confirmed"), key="same")
    again = await office.post("liaison", path, completion("confirmed"), key="same")
    assert (first.status_code, first.content) == (again.status_code, again.content)
    other = await office.post("liaison", path, completion("at_risk"), key="same")
    assert other.status_code == 409
    twice = await office.post("liaison", path, completion("at_risk"))
    assert twice.status_code == 409
    assert len(await emitted(intake_db, VictimIdentified)) == 1


async def test_what_is_refused_frees_its_key(office: Office) -> None:
    kept = await office.receive()
    consult_id = await consult(office, kept)
    path = f"/v1/consults/{consult_id}/entry"
    assert (await office.post("liaison", path, key="entry")).status_code == 409
    done = await office.post("liaison", f"/v1/consults/{consult_id}/completion", completion())
    assert done.status_code == 201
    assert (await office.post("liaison", path, key="entry")).status_code == 201


@pytest.mark.parametrize(
    ("step", "body", "pointer"),
    [
        ("completion", completion("Test Level"), "#/level"),
        ("completion", completion(completed_at="2020-01-01T00:00:00Z"), "#/completed_at"),
        ("completion", completion(completed_at=in_future(hours=1)), "#/completed_at"),
        ("completion", completion(narrative=" "), "#/narrative"),
        ("completion", {"level": "at_risk"}, "#/narrative"),
        ("liaisons", {"liaison": "two words"}, "#/liaison"),
        ("shares", {"extra": 1}, "#/extra"),
    ],
)
async def test_a_wrong_step_is_422_with_a_pointer_and_without_the_value(
    office: Office, step: str, body: dict[str, Any], pointer: str
) -> None:
    consult_id = await consult(office, await office.receive())
    answer = await office.post("liaison", f"/v1/consults/{consult_id}/{step}", body)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert "Test Level" not in answer.text
    assert "two words" not in answer.text


async def test_a_child_of_another_referral_is_the_one_404(office: Office) -> None:
    one, two = await office.receive(), await office.receive()
    mixed = wanted_consult(one) | {"child_id": two.child_ids[0]}
    answer = await office.post("investigator", "/v1/consults", mixed)
    assert answer.status_code == 404


async def test_p2_a_read_is_on_record_and_shows_what_was_sealed(
    office: Office, intake_db: Database
) -> None:
    kept = await office.receive(children=[child(), child(name="Test Child Two")])
    consult_id = await consult(office, kept)
    await office.post("liaison", f"/v1/consults/{consult_id}/completion", completion("at_risk"))
    path = f"/v1/consults/{consult_id}/content"
    answer = await office.post("investigator", path, {"purpose": "case_work"})
    assert answer.status_code == 200, answer.text
    first, _, last = answer.json()["entries"]
    assert first["reasons"] == "An example reason to consult."
    assert (last["level"], last["scale"]) == ("at_risk", "ours-1")
    assert last["narrative"] == "An example narrative."
    (viewed,) = await emitted(intake_db, ReferralViewed)
    assert viewed.child_ids == (kept.child_ids[0],)
    assert (viewed.actor, viewed.actor_kind, viewed.purpose) == (
        "investigator", "person", "case_work",
    )  # fmt: skip
    assert "consult.narrative" in viewed.fields
    assert "consult.level" in viewed.fields


async def test_a_read_needs_a_purpose_and_a_person(office: Office) -> None:
    consult_id = await consult(office, await office.receive())
    path = f"/v1/consults/{consult_id}/content"
    without = await office.post("investigator", path, {})
    assert without.json()["errors"][0]["pointer"] == "#/purpose"
    free = await office.post("investigator", path, {"purpose": "Test Child One asked"})
    assert free.status_code == 422
    assert "Test Child" not in free.text
    machine = await office.post("investigator", path, {"purpose": "consult"}, machine=True)
    assert machine.status_code == 403


def bytes_of(*answers: httpx.Response) -> set[tuple[int, bytes]]:
    return {(answer.status_code, answer.content) for answer in answers}


async def test_c17_a_conflicted_liaison_can_neither_read_nor_complete_and_cannot_tell_why(
    office: Office, intake_db: Database
) -> None:
    kept = await office.receive()
    consult_id = await consult(office, kept)
    body = {"referral_id": kept.referral_id, "person": "liaison", "ground": "relative"}
    assert (await office.post("lead", "/v1/recusals", body)).status_code == 201
    views = await count(intake_db, "views")
    unknown = f"con_{'0' * 32}"
    answers = []
    for each in (consult_id, unknown):
        path = f"/v1/consults/{each}"
        answers += [
            await office.get("liaison", path),
            await office.post("liaison", f"{path}/content", {"purpose": "consult"}),
            await office.post("liaison", f"{path}/break-glass", {"reason": "An emergency."}),
            await office.post("liaison", f"{path}/completion", completion()),
            await office.post("liaison", f"{path}/entry"),
            await office.post("liaison", f"{path}/shares"),
            await office.post("liaison", f"{path}/liaisons", {"liaison": "another"}),
        ]
    assert {status for status, _ in bytes_of(*answers)} == {404}
    assert len(bytes_of(*answers)) == 1
    assert await count(intake_db, "views") == views
    triage = f"/v1/triage/{kept.referral_id}"
    read = await office.post("liaison", f"{triage}/versions/1/content", {"purpose": "triage"})
    assert bytes_of(read, await office.get("liaison", triage)) == bytes_of(answers[0])


async def test_c17_another_liaison_goes_on_and_the_conflicted_one_is_given_nothing_further(
    office: Office,
) -> None:
    kept = await office.receive()
    consult_id = await consult(office, kept)
    body = {"referral_id": kept.referral_id, "person": "conflicted", "ground": "personal"}
    await office.post("liaison", "/v1/recusals", body)
    path = f"/v1/consults/{consult_id}"
    given = await office.post("lead", f"{path}/liaisons", {"liaison": "conflicted"})
    assert given.status_code == 409
    assert "conflicted" not in given.text
    done = await office.post("liaison", f"{path}/completion", completion())
    assert done.status_code == 201


async def test_c17_the_glass_is_broken_with_a_reason_that_is_recorded_and_sealed(
    office: Office, intake_db: Database
) -> None:
    consult_id = await consult(office, await office.receive())
    path = f"/v1/consults/{consult_id}"
    stranger = await office.post("stranger", f"{path}/content", {"purpose": "consult"})
    assert stranger.status_code == 404
    silent = await office.post("stranger", f"{path}/break-glass", {"reason": " "})
    assert silent.status_code == 422
    broken = await office.post("stranger", f"{path}/break-glass", {"reason": "Danger to Testname"})
    assert broken.status_code == 200
    (viewed,) = await emitted(intake_db, ReferralViewed)
    assert (viewed.actor, viewed.purpose) == ("stranger", "break_glass")
    async with intake_db.transaction() as session:
        rows = await session.execute(text("SELECT * FROM intake.glass_breaks"))
        (row,) = rows.all()
    assert (row.disclosure_id, row.person) == (viewed.disclosure_id, "stranger")
    assert b"Testname" not in row.sealed


async def test_c18_staff_who_are_implicated_are_kept_out_with_the_request_itself(
    office: Office, intake_db: Database
) -> None:
    kept = await office.receive()
    body = wanted_consult(kept, implicated_staff=["liaison", "supervisor"])
    answer = await office.post("investigator", "/v1/consults", body)
    consult_id = answer.json()["consult_id"]
    path = f"/v1/consults/{consult_id}"
    for person in ("liaison", "supervisor"):
        given = await office.post("lead", f"{path}/liaisons", {"liaison": person})
        assert given.status_code == 409
        broken = await office.post(person, f"{path}/break-glass", {"reason": "I must know."})
        assert broken.status_code == 404
    async with intake_db.transaction() as session:
        rows = (await session.execute(text("SELECT CAST(r AS text) FROM intake.recusals r"))).all()
    assert len(rows) == 2
    assert not [row for row in rows if "liaison" in row[0] or "implicated" in row[0]]


async def test_p5_nothing_that_was_typed_lies_in_clear(office: Office, intake_db: Database) -> None:
    kept = await office.receive()
    consult_id = await consult(office, kept)
    text_of = "Canary-narrative"
    await office.post(
        "liaison", f"/v1/consults/{consult_id}/completion", completion("at_risk", narrative=text_of)
    )
    async with intake_db.transaction() as session:
        for table in ("consults", "consult_entries", "outbox", "idempotency_keys"):
            for row in await session.execute(text(f"SELECT t.* FROM intake.{table} AS t")):
                written = b"|".join(
                    each if isinstance(each, bytes) else str(each).encode() for each in row
                )
                assert text_of.encode() not in written
                assert b"at_risk" not in written


async def test_a_history_can_only_grow(office: Office, intake_db: Database) -> None:
    await consult(office, await office.receive())
    for table in (
        "consults",
        "consult_entries",
        "recusals",
        "recusal_lifts",
        "triage_reviews",
        "record_views",
    ):
        for change in (f"DELETE FROM intake.{table}", f"TRUNCATE intake.{table} CASCADE"):
            with pytest.raises(Exception, match=r"permission denied|append-only"):
                async with intake_db.transaction() as session:
                    await session.execute(text(change))


async def test_the_scale_is_served_with_whose_it_is(office: Office) -> None:
    answer = await office.get("liaison", "/v1/decision-map")
    assert answer.json()["origin"] == "Hartline's own default, not DCF's"
    assert answer.json()["version"] == "ours-1"
