"""Who has a conflict is kept out of everything of a referral, until two people lift it (C17)."""

import httpx

from tests.support.hart import Kept, Office


async def bar(office: Office, kept: Kept, person: str = "worker") -> str:
    body = {"referral_id": kept.referral_id, "person": person, "ground": "relative"}
    answer = await office.post("lead", "/v1/recusals", body)
    assert answer.status_code == 201, answer.text
    return f"/v1/recusals/{answer.json()['recusal_id']}/lifting"


async def place(office: Office, kept: Kept, person: str = "worker") -> httpx.Response:
    return await office.post(person, "/v1/placements", kept.named(facility="Example House"))


async def test_c17_the_recused_neither_place_nor_determine_nor_read_the_cases_flag(
    office: Office,
) -> None:
    kept = await office.receive()
    placement = (await place(office, kept, "liaison")).json()["placement_id"]
    flagged = {"case_number": "C-1", "reasons": "A sign.", "referral_id": kept.referral_id}
    flag_id = (await office.post("liaison", "/v1/case-flags", flagged)).json()["flag_id"]
    await bar(office, kept)
    here = f"/v1/placements/{placement}"
    told = {"told": "Example Director", "fields": ["victim_status"], "warning_read": True}
    found = kept.named(finding="best_interest", holds=True, reasons="An example reason.")
    content = f"/v1/case-flags/{flag_id}/content"
    asked = [
        ("/v1/placements", kept.named(facility="Example House")),
        (f"{here}/tellings", told),
        (f"{here}/confirmation", {}),
        ("/v1/repatriations/determinations", found),
        ("/v1/repatriations", kept.named()),
        ("/v1/case-flags", flagged | {"case_number": "C-2"}),
        (content, {"purpose": "case_work"}),
    ]
    refused = [await office.post("worker", path, body) for path, body in asked]
    assert {(answer.status_code, answer.content) for answer in refused} == {
        (404, (await office.get("worker", "/v1/nothing")).content)
    }
    assert (await office.post("liaison", content, {"purpose": "case_work"})).status_code == 200


async def test_c17_a_recusal_is_lifted_by_two_people_and_by_neither_alone(office: Office) -> None:
    kept = await office.receive()
    path = await bar(office, kept)
    assert (await office.post("lead", f"{path}/confirmation")).status_code == 409
    assert (await office.post("lead", path)).status_code == 201
    assert (await office.post("director", path)).status_code == 409
    assert (await office.post("lead", f"{path}/confirmation")).status_code == 409
    assert (await place(office, kept)).status_code == 404
    assert (await office.post("director", f"{path}/confirmation")).status_code == 201
    assert (await office.post("director", f"{path}/confirmation")).status_code == 409
    assert (await place(office, kept)).status_code == 201


async def test_c17_the_recused_cannot_lift_what_keeps_them_out(office: Office) -> None:
    kept = await office.receive()
    path = await bar(office, kept)
    assert (await office.post("lead", path)).status_code == 201
    for each in (path, f"{path}/confirmation"):
        assert (await office.post("worker", each)).status_code == 404
        assert (await office.post("director", each, machine=True)).status_code == 403


async def test_c17_lifting_one_recusal_leaves_another_in_force(office: Office) -> None:
    kept = await office.receive()
    path = await bar(office, kept)
    await bar(office, kept)
    await office.post("lead", path)
    assert (await office.post("director", f"{path}/confirmation")).status_code == 201
    assert (await place(office, kept)).status_code == 404


async def test_the_queue_of_triage_says_what_the_careline_decided(office: Office) -> None:
    kept = await office.receive()
    path = f"/v1/referrals/{kept.referral_id}/decisions"
    body = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}

    async def decision() -> str | None:
        (item,) = (await office.get("director", "/v1/triage")).json()["waiting"]
        found: str | None = item["decision"]
        return found

    assert await decision() is None
    made = await office.post("careline", path, body, scopes=["decisions:write"])
    assert made.status_code == 201, made.text
    assert await decision() == "accepted"
