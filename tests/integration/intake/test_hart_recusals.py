"""Who has a conflict is kept out of everything of a referral, until two people lift it (C17)."""

import re
from collections.abc import Iterable
from pathlib import Path

import httpx

from services import intake
from tests.support.hart import HART_SCOPES, Kept, Office
from tests.support.intake import SCOPES


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


async def test_c17_p10_on_every_route_that_names_it_the_recused_find_what_is_not_there(
    office: Office,
) -> None:
    """Decisions, links, the views and form DCF-823 included; without the scope as ever."""
    assert office.app is not None
    kept = await office.receive()
    every = {*SCOPES, *HART_SCOPES, *_scopes()}
    accepted = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}
    path = f"/v1/referrals/{kept.referral_id}/decisions"
    decided = await office.post("liaison", path, accepted, scopes=every)
    (incident,) = decided.json()["critical_incidents"]
    await bar(office, kept)
    asked = [
        (method, route)
        for route, methods in office.app.openapi()["paths"].items()
        for method in methods
        if not {"{referral_id}", "{incident_id}"}.isdisjoint(re.findall(r"\{\w+\}", route))
    ]
    assert len(asked) > 12
    nothing = (await office.get("worker", "/v1/nothing")).content
    for method, route in asked:
        here = {"referral_id": kept.referral_id, "incident_id": incident["incident_id"]}
        found = await _ask(office, "worker", method, route, here, every)
        assert (found.status_code, found.content) == (404, nothing), (method, route)
        lacking = await _ask(office, "worker", method, route, here, ["nothing:at-all"])
        assert lacking.status_code == 403, (method, route)
        if route != "/v1/referrals/{referral_id}":  # Its maker's alone, and that is a machine.
            liaison = await _ask(office, "liaison", method, route, here, every)
            assert liaison.status_code != 404, (method, route)


_JSON = {"Content-Type": "application/json"}


async def _ask(
    office: Office,
    person: str,
    method: str,
    route: str,
    here: dict[str, str],
    scopes: Iterable[str],
) -> httpx.Response:
    path = route.format(**here, version=1, number=1)
    headers = office.made.bearer(person, scopes, person=True)
    headers |= {"Idempotency-Key": f"asked-{person}-{method}-{route}", "If-Match": '"1"'}
    if method == "patch":
        headers["Content-Type"] = "application/merge-patch+json"
    return await office.client.request(method, path, content=b"{}", headers=_JSON | headers)


def _scopes() -> set[str]:
    folder = Path(intake.__file__).parent
    sources = "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))
    return set(re.findall(r'require\("([a-z:_-]+)"', sources))
