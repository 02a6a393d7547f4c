"""The recused find nothing of a referral that a body, a list or another id names (C17, P10).

What names it in the path by its own id or its DCF-823's is in test_hart_recusals.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from services import intake
from services.intake.access import NotTheirs
from services.intake.api import Desk
from services.intake.decisions.schemas import NewDecision
from services.intake.once import Asked
from shared.contracts.codes import Acceptance
from shared.runtime.ids import utc_now
from tests.support.calls import opened
from tests.support.hart import HART_SCOPES, Kept, Office, completion, consult, wanted_consult
from tests.support.intake import SCOPES

EVERY = (*SCOPES, *HART_SCOPES)
BY_PATH = re.compile(r"\{(referral_id|incident_id)\}")
NAMES = re.compile(
    r"(related_)?referral_id|child_ids?|incident_id|consult_id|flag_id|placement_id|recusal_id"
)
DOCUMENT = Path(intake.__file__).parents[2] / "docs/openapi/intake.json"
FLAGGED = {"case_number": "C-2", "reasons": "An example sign."}
FOUND = {"finding": "best_interest", "holds": True, "reasons": "An example reason."}
ASKED: dict[str, Any] = {
    "POST /v1/calls/{call_id}/closing": {"why": "finished_elsewhere", "referral_id": "$referral"},
    "POST /v1/referrals/{referral_id}/links": {
        "related_referral_id": "$referral",
        "relation": "same_child",
    },
    "POST /v1/candidates/answers": {"child_ids": ["$child", "$elsewhere"], "same": True},
    "POST /v1/consults": wanted_consult(Kept("$referral", ["$child"])),
    "POST /v1/consults/{consult_id}/liaisons": {"liaison": "another"},
    "POST /v1/consults/{consult_id}/completion": completion(),
    "POST /v1/consults/{consult_id}/entry": {},
    "POST /v1/consults/{consult_id}/shares": {},
    "GET /v1/consults/{consult_id}": None,
    "POST /v1/consults/{consult_id}/content": {"purpose": "consult"},
    "POST /v1/consults/{consult_id}/break-glass": {"reason": "An example reason."},
    "POST /v1/case-flags": FLAGGED | {"referral_id": "$referral"},
    "POST /v1/case-flags/{flag_id}/content": {"purpose": "case_work"},
    "POST /v1/case-flags/{flag_id}/referral": {"referral_id": "$referral"},
    "POST /v1/recusals": {"referral_id": "$referral", "person": "liaison", "ground": "other"},
    "POST /v1/recusals/{recusal_id}/lifting": {},
    "POST /v1/recusals/{recusal_id}/lifting/confirmation": {},
    "POST /v1/placements": {"referral_id": "$referral", "child_id": "$child", "facility": "Home"},
    "POST /v1/placements/{placement_id}/tellings": {
        "told": "Example Director",
        "fields": ["victim_status"],
        "warning_read": True,
    },
    "POST /v1/placements/{placement_id}/confirmation": {},
    "POST /v1/repatriations/determinations": FOUND
    | {"referral_id": "$referral", "child_id": "$child"},
    "POST /v1/repatriations": {"referral_id": "$referral", "child_id": "$child"},
}
"""Every operation that names a referral otherwise than in its path, as it is asked."""


def _naming() -> Iterator[str]:
    told = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            body = json.dumps(operation.get("requestBody", {}).get("content", {}))
            found = re.search(r'"schema": \{"\$ref": "#/components/schemas/(\w+)"', body)
            fields = told["components"]["schemas"][found[1]].get("properties", {}) if found else {}
            inside = [*fields, *re.findall(r"\{(\w+)\}", BY_PATH.sub("", path))]
            if not path.startswith("/internal/") and any(map(NAMES.fullmatch, inside)):
                yield f"{method.upper()} {path}"


def test_c17_every_operation_that_names_a_referral_beside_its_path_is_asked_here() -> None:
    assert sorted(_naming()) == sorted(ASKED)


async def _story(office: Office) -> dict[str, str]:
    """A referral with whatever may hang on it, and another one; the names of all."""
    kept, other = await office.receive(), await office.receive()
    asked = {
        "placement": ("/v1/placements", kept.named(facility="Example House")),
        "flag": ("/v1/case-flags", FLAGGED | {"case_number": "C-1"}),
    }
    told = {name: (await office.post("liaison", *each)).json() for name, each in asked.items()}
    call = await opened(office.client)
    return {
        "referral": kept.referral_id,
        "other_referral": other.referral_id,
        "child": kept.child_ids[0],
        "elsewhere": other.child_ids[0],
        "consult": await consult(office, kept),
        "placement": told["placement"]["placement_id"],
        "flag": told["flag"]["flag_id"],
        "call": call["call_id"],
    }


async def _recuse(office: Office, names: dict[str, str]) -> None:
    body = {"referral_id": names["referral"], "person": "worker", "ground": "implicated"}
    answer = await office.post("lead", "/v1/recusals", body)
    assert answer.status_code == 201, answer.text
    names["recusal"] = answer.json()["recusal_id"]


async def _ask(office: Office, person: str, operation: str, names: dict[str, str]) -> Any:
    method, route = operation.split(" ")
    flag = names["flag"]
    if route.endswith("/content") and "flag_id" in route:  # Only a linked flag is of a referral.
        link = {"referral_id": names["referral"]}
        await office.post("liaison", f"/v1/case-flags/{flag}/referral", link)
    path = route.format(
        referral_id=names["other_referral"],
        **{f"{each}_id": names[each] for each in names if each != "referral"},
    )
    headers = office.made.bearer(person, EVERY, person=True)
    headers["Idempotency-Key"] = f"{person}-{len(names['referral'])}-{names['consult']}"
    body = json.dumps(ASKED[operation])
    for name, value in names.items():
        body = body.replace(f'"${name}"', f'"{value}"')
    content = None if method == "GET" else body
    headers["Content-Type"] = "application/json"
    return await office.client.request(method, path, content=content, headers=headers)


@pytest.mark.parametrize("operation", ASKED)
async def test_c17_p10_whatever_names_it_the_recused_get_what_an_unknown_id_gets(
    office: Office, operation: str
) -> None:
    names = await _story(office)
    await _recuse(office, names)
    unknown = names | {
        each: f"{names[each][:4]}{0:032x}"
        for each in ("referral", "child", "consult", "placement", "recusal")
    }
    if "flag_id" in operation:
        unknown["flag"] = f"rec_{0:032x}"
    barred = await _ask(office, "worker", operation, names)
    nothing = await _ask(office, "worker", operation, unknown)
    assert (barred.status_code, nothing.status_code) == (404, 404), barred.text
    assert barred.content == nothing.content
    somebody = await _ask(office, "liaison", operation, names)
    assert somebody.status_code not in (404, 422), somebody.text


async def test_c17_what_the_recused_are_listed_names_nothing_of_the_referral(
    office: Office,
) -> None:
    """Candidates and links, from the side of the other referral too."""
    names = await _story(office)
    link = {"related_referral_id": names["referral"], "relation": "same_child"}
    here = f"/v1/referrals/{names['other_referral']}"
    assert (await office.post("liaison", f"{here}/links", link, scopes=EVERY)).status_code == 201
    await _recuse(office, names)
    for path in ("/v1/candidates", f"{here}/candidates", f"{here}/links"):
        listed = {person: await _listed(office, person, path) for person in ("worker", "liaison")}
        assert names["referral"] in listed["liaison"].text, path
        assert listed["worker"].status_code == 200
        for each in (names["referral"], names["child"]):
            assert each not in listed["worker"].text, path


async def _listed(office: Office, person: str, path: str) -> httpx.Response:
    headers = office.made.bearer(person, EVERY, person=True)
    return await office.client.get(path, headers=headers)


async def test_c17_a_recusal_that_came_after_the_door_is_seen_in_the_transaction(
    office: Office, desk: Desk
) -> None:
    """The unit of work itself asks: nothing that was let in a moment before writes after it."""
    names = await _story(office)
    await _recuse(office, names)
    wanted = NewDecision.model_validate_json(
        json.dumps({"outcome": Acceptance.ACCEPTED, "reasons": ["meets_definition"], "follows": 0})
    )
    deciding = desk.life.decisions.deciding

    async def decide(person: str) -> object:
        asked = Asked("POST /example", person, f"key-{person}", {}, utc_now())
        return cast(object, await deciding.decide(asked, names["referral"], wanted))

    assert await decide("worker") == NotTheirs()
    assert not isinstance(await decide("liaison"), NotTheirs)
