"""Two people change the directory, and nobody alone: over HTTP and from a file."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.notify.directory.api import directory_router
from services.notify.directory.commands import run_directory
from services.notify.proposals.api import proposal_router
from services.notify.wiring import PROPOSABLES
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.errors import Misconfigured
from shared.runtime.http import create_app
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import FBI, POLICE, Planning

ISSUER = "https://issuer.test"
SCOPES = "directory:read directory:propose proposals:read proposals:decide"
NEW = "https://new.example.test/hook"
MOVE = {"agency_id": FBI, "endpoint": NEW}


@dataclass
class Desk:
    """The API over a real database, asked as whoever the test wants to be."""

    planning: Planning
    client: httpx.AsyncClient
    token: Callable[..., str]

    async def get(self, path: str, scopes: str = SCOPES, **claims: Any) -> httpx.Response:
        return await self.client.get(path, headers=self._as("maker", scopes, claims))

    async def post(
        self, path: str, body: Any, by: str = "maker", scopes: str = SCOPES, **claims: Any
    ) -> httpx.Response:
        headers = self._as(by, scopes, {"person": True} | claims)
        return await self.client.post(path, json=body, headers=headers)

    async def propose(self, *changes: dict[str, Any], **fields: Any) -> httpx.Response:
        by = fields.pop("by", "maker")
        body = {"reason": "They moved.", "changes": list(changes)} | fields
        return await self.post("/v1/directory/proposals", body, by)

    async def decide(self, proposal_id: str, what: str, by: str, **more: Any) -> httpx.Response:
        path = f"/v1/proposals/{proposal_id}/{what}"
        return await self.post(path, {"decision": "Confirmed by telephone."}, by, **more)

    def _as(self, subject: str, scopes: str, claims: dict[str, Any]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(subject, scopes.split(), **claims)}"}

    async def endpoint(self, agency_id: str = FBI) -> Any:
        async with self.planning.db.transaction() as session:
            return await session.scalar(
                text("SELECT endpoint FROM notify.agencies WHERE agency_id = :id"),
                {"id": agency_id},
            )

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.planning.db.transaction() as session:
            return list((await session.execute(text(query))).mappings())


@pytest.fixture
async def desk(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    db = database.open("notify")
    await support.seed(db, support.agencies(fbi={"contact": "Old desk 555-0100"}), tmp_path)
    key, jwks = tmp_path / "issuer.jwk", tmp_path / "jwks.json"
    keys.make("issuer", key)
    jwks.write_text(json.dumps(keys.jwks(key)))
    app = create_app("notify under test", TokenVerifier(jwks, ISSUER))
    app.include_router(directory_router(db, samples=True))
    app.include_router(proposal_router(db, PROPOSABLES))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notify.test") as client:
        yield Desk(Planning(db), client, LocalIssuer(key, ISSUER).token)


async def test_a_change_is_in_effect_when_another_person_has_approved_it(desk: Desk) -> None:
    made = await desk.propose(MOVE)
    assert made.status_code == 201
    proposal = made.json()
    assert (proposal["state"], proposal["proposed_by"]) == ("open", "maker")
    assert any(NEW in line and "!" in line for line in proposal["difference"])
    assert await desk.endpoint() != NEW
    approved = await desk.decide(proposal["proposal_id"], "approve", "checker")
    assert approved.status_code == 200
    assert (approved.json()["state"], approved.json()["decided_by"]) == ("approved", "checker")
    assert await desk.endpoint() == NEW
    (latest,) = await desk.rows("SELECT * FROM notify.directory_versions WHERE version = 2")
    assert latest["proposal_id"] == proposal["proposal_id"]


async def test_a_limit_is_in_force_when_another_person_has_approved_it_and_can_be_lifted(
    desk: Desk,
) -> None:
    async def on_file() -> tuple[Any, Any]:
        (row,) = await desk.rows(
            f"SELECT max_in_flight, max_per_minute FROM notify.agencies WHERE agency_id = '{FBI}'"
        )
        return row["max_in_flight"], row["max_per_minute"]

    for limits in ((4, 30), (None, 30)):
        change = dict(zip(("max_in_flight", "max_per_minute"), limits, strict=True))
        made = (await desk.propose({"agency_id": FBI, **change})).json()
        assert any("! max_in_flight" in line for line in made["difference"])
        assert (await desk.decide(made["proposal_id"], "approve", "maker")).status_code == 403
        assert await on_file() != limits
        assert (await desk.decide(made["proposal_id"], "approve", "checker")).status_code == 200
        assert await on_file() == limits
    found = (await desk.get("/v1/directory/agencies?kind=fbi")).json()["agencies"]
    assert [(each["max_in_flight"], each["max_per_minute"]) for each in found] == [(None, 30)]


async def test_whoever_proposed_it_cannot_approve_it(desk: Desk) -> None:
    made = (await desk.propose(MOVE)).json()
    refused = await desk.decide(made["proposal_id"], "approve", "maker")
    assert refused.status_code == 403
    assert await desk.endpoint() != NEW
    withdrawn = await desk.decide(made["proposal_id"], "reject", "maker")
    assert withdrawn.json()["state"] == "withdrawn"


async def test_the_database_too_knows_that_two_people_are_needed(desk: Desk) -> None:
    await desk.propose(MOVE)
    with pytest.raises(Exception, match="ck_proposals_two_people"):
        await desk.rows(
            "UPDATE notify.proposals SET state = 'approved', decided_by = proposed_by, "
            "decided_at = now() RETURNING 1"
        )


async def test_what_is_rejected_changes_nothing_and_is_decided_once(desk: Desk) -> None:
    made = (await desk.propose(MOVE)).json()
    rejected = await desk.decide(made["proposal_id"], "reject", "checker")
    assert rejected.json()["state"] == "rejected"
    assert (await desk.decide(made["proposal_id"], "approve", "other")).status_code == 409
    assert await desk.endpoint() != NEW
    assert await desk.rows("SELECT version FROM notify.directory") == [{"version": 1}]


async def test_two_who_approve_at_once_apply_it_once(desk: Desk) -> None:
    made = (await desk.propose(MOVE)).json()
    answers = await asyncio.gather(
        *(desk.decide(made["proposal_id"], "approve", by) for by in ("one", "two", "three"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert await desk.rows("SELECT version FROM notify.directory") == [{"version": 2}]


async def test_a_proposal_made_against_what_has_changed_since_is_refused(desk: Desk) -> None:
    first = (await desk.propose(MOVE)).json()
    second = (await desk.propose({"agency_id": FBI, "name": "Renamed"})).json()
    assert (await desk.decide(first["proposal_id"], "approve", "checker")).status_code == 200
    late = await desk.decide(second["proposal_id"], "approve", "checker")
    assert late.status_code == 409
    found = (await desk.get(f"/v1/proposals/{second['proposal_id']}")).json()
    assert found["state"] == "open"


async def test_the_old_contact_is_told_through_a_task(desk: Desk) -> None:
    made = (await desk.propose(MOVE | {"contact": "New desk 555-0199"})).json()
    assert await desk.rows("SELECT * FROM notify.tasks") == []
    await desk.decide(made["proposal_id"], "approve", "checker")
    (task,) = await desk.rows("SELECT kind, referral_id, detail FROM notify.tasks")
    assert (task["kind"], task["referral_id"]) == ("directory_changed", None)
    assert "Old desk 555-0100" in task["detail"]
    assert "endpoint, contact" in task["detail"]
    assert "555-0199" not in task["detail"]


async def test_a_change_that_puts_back_what_stood_says_so_and_not_to_undo_it(desk: Desk) -> None:
    old = await desk.endpoint()
    first = (await desk.propose(MOVE)).json()["proposal_id"]
    await desk.decide(first, "approve", "checker")
    back = (await desk.propose(MOVE | {"endpoint": old})).json()["proposal_id"]
    await desk.decide(back, "approve", "checker")
    assert await desk.endpoint() == old
    away, again = await desk.rows("SELECT detail FROM notify.tasks ORDER BY created_at")
    assert "propose the old record again at once" in away["detail"]
    assert f"puts back what stood before proposal {first}: endpoint." in again["detail"]
    assert "Do not propose the old record again" in again["detail"]


async def test_a_change_to_something_else_again_puts_nothing_back(desk: Desk) -> None:
    for change in (MOVE, MOVE | {"endpoint": f"{NEW}/other"}):
        made = (await desk.propose(change)).json()
        await desk.decide(made["proposal_id"], "approve", "checker")
    tasks = await desk.rows("SELECT detail FROM notify.tasks")
    assert len(tasks) == 2
    assert all("propose the old record again at once" in each["detail"] for each in tasks)


async def test_one_agency_is_shown_with_whom_to_call(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_directory(["show", FBI], desk.planning.db, samples=True) == 0
    said = capsys.readouterr().out
    assert f"agency_id: {FBI}\n" in said
    assert "contact: Old desk 555-0100\n" in said
    with pytest.raises(Misconfigured, match="No agency on file"):
        await run_directory(["show", "agy_nobody"], desk.planning.db, samples=True)


async def test_a_new_name_or_town_bothers_nobody(desk: Desk) -> None:
    made = (await desk.propose({"agency_id": FBI, "name": "Renamed"})).json()
    await desk.decide(made["proposal_id"], "approve", "checker")
    assert await desk.rows("SELECT * FROM notify.tasks") == []


async def test_a_change_for_later_is_recorded_and_not_yet_in_force(desk: Desk) -> None:
    made = (await desk.propose(MOVE, effective="2999-01-01")).json()
    await desk.decide(made["proposal_id"], "approve", "checker")
    assert await desk.endpoint() != NEW
    then = (await desk.get("/v1/directory/agencies?as_of=2999-01-01&kind=fbi")).json()
    assert [agency["endpoint"] for agency in then["agencies"]] == [NEW]


async def test_as_of_answers_by_day_version_town_and_kind(desk: Desk) -> None:
    rename = {"agency_id": FBI, "name": "Renamed"}
    made = (await desk.propose(rename, effective="2026-03-03")).json()
    await desk.decide(made["proposal_id"], "approve", "checker")
    path = "/v1/directory/agencies?kind=fbi&as_of="
    found = [(await desk.get(f"{path}2026-03-0{day}")).json() for day in "23"]
    names = [each["agencies"][0]["name"] for each in found]
    assert names == ["Example Agency 2", "Renamed"]
    first = (await desk.get("/v1/directory/agencies?version=1&kind=fbi")).json()
    assert (first["version"], first["agencies"][0]["name"]) == (1, "Example Agency 2")
    town = (await desk.get("/v1/directory/agencies?town=Ansonia")).json()
    assert {agency["kind"] for agency in town["agencies"]} == {"municipal_police", "mdt_member"}
    assert (await desk.get("/v1/directory/agencies?version=9")).status_code == 404
    history = (await desk.get(f"/v1/directory/agencies/{FBI}/history")).json()
    assert [term["version"] for term in history["terms"]] == [1, 2]
    assert history["terms"][1]["fields"] == {"name": "Renamed"}


async def test_a_page_ends_where_the_next_begins(desk: Desk) -> None:
    seen, after = [], ""
    while True:
        page = (await desk.get(f"/v1/directory/agencies?limit=3{after}")).json()
        seen += [agency["agency_id"] for agency in page["agencies"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == [f"agy_{number:032x}" for number in range(8)]


async def test_a_key_is_shown_by_its_fingerprint_alone(desk: Desk) -> None:
    answer = await desk.get("/v1/directory/agencies?kind=fbi")
    (agency,) = answer.json()["agencies"]
    assert agency["key_thumbprint"] == "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"
    assert agency["refused"] is None
    assert support.JWK["x"] not in answer.text


async def test_a_dry_run_says_the_difference_and_stores_nothing(desk: Desk) -> None:
    body = {"reason": "Looking.", "changes": [MOVE]}
    answer = await desk.post("/v1/directory/proposals?dry_run=true", body)
    assert (answer.status_code, answer.json()["proposal_id"]) == (200, None)
    assert any(NEW in line for line in answer.json()["difference"])
    assert await desk.rows("SELECT * FROM notify.proposals") == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"agency_id": FBI, "endpoint": "ftp://secret.example"}, "#/changes/0/endpoint"),
        ({"agency_id": FBI, "towns": ["Secret"]}, "#/changes/0/towns/0"),
        ({"agency_id": FBI, "max_per_minute": "secret"}, "#/changes/0/max_per_minute"),
        ({"agency_id": FBI, "max_in_flight": 0}, "#/changes/0/max_in_flight"),
        ({"code": "secret_new"}, "#/changes/0/kind"),
        ({"agency_id": FBI, "secret": 1}, "#/changes/0/secret"),
    ],
)
async def test_what_is_wrong_is_pointed_at_and_never_repeated(
    desk: Desk, change: dict[str, Any], pointer: str
) -> None:
    answer = await desk.propose(change)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert "secret.example" not in answer.text
    assert "Secret" not in answer.text


async def test_what_would_change_nothing_is_no_proposal(desk: Desk) -> None:
    assert (await desk.propose({"agency_id": FBI, "name": "Example Agency 2"})).status_code == 409


async def test_coverage_says_what_is_missing(desk: Desk) -> None:
    body = (await desk.get("/v1/directory/coverage")).json()
    assert body["towns"] == 169
    missing = {(gap["place"], gap["role"]) for gap in body["gaps"]}
    assert ("Ansonia", "police") not in missing
    assert ("Derby", "police") not in missing
    assert {("Kent", "police"), ("Kent", "MDT member")} <= missing


PATHS = [
    ("GET", "/v1/directory/agencies", "directory:read"),
    ("GET", f"/v1/directory/agencies/{FBI}/history", "directory:read"),
    ("GET", "/v1/directory/coverage", "directory:read"),
    ("POST", "/v1/directory/proposals", "directory:propose"),
    ("GET", "/v1/proposals", "proposals:read"),
    ("GET", f"/v1/proposals/prp_{0:032x}", "proposals:read"),
    ("POST", f"/v1/proposals/prp_{0:032x}/approve", "proposals:decide"),
    ("POST", f"/v1/proposals/prp_{0:032x}/reject", "proposals:decide"),
]
BODY = {"reason": "Because.", "decision": "Because.", "changes": [MOVE]}


@pytest.mark.parametrize(("method", "path", "scope"), PATHS)
async def test_p10_every_route_needs_its_scope_and_is_for_our_own_people(
    desk: Desk, method: str, path: str, scope: str
) -> None:
    def ask(scopes: str, **claims: Any) -> Any:
        name = path.rpartition("/")[2]
        body = {key: BODY[key] for key in _keys(name)}
        return desk.get(path, scopes, **claims) if method == "GET" else desk.post(
            path, body, scopes=scopes, **claims
        )  # fmt: skip

    others = " ".join(each for each in SCOPES.split() if each != scope)
    assert (await desk.client.request(method, path)).status_code == 401
    assert (await ask(others)).status_code == 403
    assert (await ask(scope, agency=POLICE)).status_code == 403
    assert (await ask(scope)).status_code in (200, 201, 404)
    if method == "POST":
        assert (await ask(scope, person=False)).status_code == 403


def _keys(name: str) -> tuple[str, ...]:
    return ("decision",) if name in ("approve", "reject") else ("reason", "changes")


async def test_open_proposals_are_listed_until_they_are_decided(desk: Desk) -> None:
    made = [(await desk.propose({"agency_id": FBI, "name": f"Name {n}"})).json() for n in range(3)]
    await desk.decide(made[0]["proposal_id"], "reject", "checker")
    listed = (await desk.get("/v1/proposals?open=true&limit=1")).json()
    assert [each["proposal_id"] for each in listed["proposals"]] == [made[1]["proposal_id"]]
    rest = (await desk.get(f"/v1/proposals?open=true&after={listed['next']}")).json()
    assert [each["proposal_id"] for each in rest["proposals"]] == [made[2]["proposal_id"]]


async def test_a_file_is_shown_then_proposed_then_approved_by_another(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db, file = desk.planning.db, tmp_path / "directory.csv"
    file.write_text(
        f"agency_id,code,kind,name,towns,endpoint\n{FBI},example_fbi,fbi,Renamed,,{NEW}\n"
        ",kent_police,municipal_police,Kent Constables,Kent,\n"
    )
    assert await run_directory(["import", str(file), "--dry-run"], db, samples=True) == 0
    shown = capsys.readouterr().out
    assert "2 agencies change" in shown
    assert "+ kent_police Kent Constables (municipal_police)" in shown
    assert "7 agencies stay as they are." in shown
    assert await desk.rows("SELECT * FROM notify.proposals") == []

    say = ["--by", "maker", "--reason", "The new list"]
    assert await run_directory(["import", str(file), *say], db, samples=True) == 0
    assert shown.splitlines()[:3] == capsys.readouterr().out.splitlines()[:3]
    (made,) = await desk.rows("SELECT proposal_id FROM notify.proposals")
    assert (await desk.decide(made["proposal_id"], "approve", "maker")).status_code == 403
    assert (await desk.decide(made["proposal_id"], "approve", "checker")).status_code == 200
    assert await desk.endpoint() == NEW

    assert await run_directory(["import", str(file), "--dry-run"], db, samples=True) == 0
    assert "Nothing would change" in capsys.readouterr().out


async def test_a_file_with_an_error_proposes_nothing_and_says_which_row(
    desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "directory.csv"
    file.write_text("code,kind,name,towns\nkent_police,municipal_police,Kent,Atlantis\n")
    with pytest.raises(Misconfigured, match=r"row 2: towns\.0"):
        await run_directory(["import", str(file), "--dry-run"], desk.planning.db, samples=True)
    with pytest.raises(Misconfigured, match="--by"):
        await run_directory(["import", str(file)], desk.planning.db, samples=True)


async def test_the_coverage_command_ends_with_1_while_a_town_has_nobody(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_directory(["coverage"], desk.planning.db, samples=True) == 1
    said = capsys.readouterr().out
    assert "of 169 towns have lawful police" in said
    assert "Kent: no lawful police: nobody on file" in said
    assert await run_directory(["coverage"], desk.planning.db, samples=False) == 1
    assert "0 of 169 towns" in capsys.readouterr().out


async def test_an_exported_directory_imports_as_no_change(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_directory(["export"], desk.planning.db, samples=True) == 0
    file = tmp_path / "directory.csv"
    file.write_text(capsys.readouterr().out)
    again = ["import", str(file), "--dry-run"]
    assert await run_directory(again, desk.planning.db, samples=True) == 0
    assert "Nothing would change; 8 agencies" in capsys.readouterr().out


async def test_p3_nobody_takes_a_statewide_recipient_away_without_saying_so(desk: Desk) -> None:
    """The FBI's authority ends: said in the dry run, refused as a proposal, taken when named."""
    change = {"agency_id": FBI, "authority_to": "2020-12-31"}
    body = {"reason": "It ended.", "changes": [change]}
    dry = await desk.post("/v1/directory/proposals?dry_run=true", body)
    assert dry.status_code == 200
    assert dry.json()["difference"][1].startswith("! Statewide: no lawful fbi is left")

    refused = await desk.propose(change)
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["#/leaves_without"]
    assert await desk.rows("SELECT 1 FROM notify.proposals") == []

    made = await desk.propose(change, leaves_without=["fbi"])
    assert made.status_code == 201
    assert made.json()["difference"] == dry.json()["difference"]
    decided = await desk.decide(made.json()["proposal_id"], "approve", "checker")
    assert decided.status_code == 200


async def test_p3_two_harmless_changes_do_not_together_leave_nobody(desk: Desk) -> None:
    second = {
        "code": "fbi_second", "kind": "fbi", "name": "Example FBI", "authority": "CGS 17a-28",
        "authority_from": "2020-01-01", "endpoint": NEW, "encryption_key": support.JWK,
        "sample": True,
    }  # fmt: skip
    made = (await desk.propose(second)).json()
    assert (await desk.decide(made["proposal_id"], "approve", "checker")).status_code == 200
    ended = {"authority_to": "2020-12-31"}
    one = (await desk.propose({"agency_id": FBI, **ended})).json()
    other = (await desk.propose({"code": "fbi_second", **ended})).json()
    assert (await desk.decide(one["proposal_id"], "approve", "checker")).status_code == 200
    assert (await desk.decide(other["proposal_id"], "approve", "checker")).status_code == 409
