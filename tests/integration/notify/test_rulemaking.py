"""Rules change by two people, and by what they would have changed in the last referrals."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.notify import models
from services.notify.areas import PROPOSABLES
from services.notify.proposal_api import proposal_router
from services.notify.routing_api import routing_router
from services.notify.rulebook import DCF_737, load_rulebook
from services.notify.rulemaking.api import rules_router
from services.notify.rulemaking.rulebooks import LOOK_AGAIN, Rulebooks
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.http import create_app
from shared.runtime.ids import utc_now
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import CLERK, Child, Planning

ISSUER = "https://issuer.test"
SCOPES = "routing:explain rules:propose proposals:read proposals:decide"
SHIPPED = DCF_737.read_text()
VERSION = load_rulebook().version
BOTH_LEADS = SHIPPED.replace(f'version: "{VERSION}"', 'version: "test-1"').replace(
    "  - id: careline.fbi\n",
    """  - id: careline.hart_director
    trigger: careline
    role: hart_director
    select: statewide
    kind: hart_director
    profile: hart
    citation: DCF Policy 21-14
    purpose: Human Anti-trafficking Response Team oversight
    because: "{agency}: a rule of the test, {citation}"

  - id: careline.fbi
""",
)
"""The Careline's referrals go to the HART Director as well."""


@dataclass
class Desk:
    planning: Planning
    client: httpx.AsyncClient
    token: Callable[..., str]

    async def ask(
        self, method: str, path: str, body: Any = None, by: str = "maker", **claims: Any
    ) -> httpx.Response:
        token = self.token(by, SCOPES.split(), **({"person": True} | claims))
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.request(method, path, json=body, headers=headers)

    async def propose(self, rules: str, query: str = "", **fields: Any) -> httpx.Response:
        body = {"rules": rules, "reason": "A test."} | fields
        return await self.ask("POST", f"/v1/routing/rules/proposals{query}", body)

    async def approve(self, proposal_id: str, by: str = "checker") -> httpx.Response:
        body = {"decision": "Agreed."}
        return await self.ask("POST", f"/v1/proposals/{proposal_id}/approve", body, by)

    async def in_force(self) -> str:
        return str((await self.ask("GET", "/v1/routing/rules")).json()["in_force"])

    async def planned(self) -> set[tuple[str, str]]:
        """Of a new referral: by which rules, and who was told."""
        data = self.planning.announce(Child())
        await self.planning.plan(data)
        rows = await self.planning.rows(models.notices)
        mine = [row for row in rows if row["referral_id"] == data.referral_id]
        return {(row["rules_version"], row["role"]) for row in mine}


@pytest.fixture
async def desk(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    db = database.open("notify")
    await support.seed(db, support.agencies(), tmp_path)
    key, jwks = tmp_path / "issuer.jwk", tmp_path / "jwks.json"
    keys.make("issuer", key)
    jwks.write_text(json.dumps(keys.jwks(key)))
    planning = Planning(db)
    planning.now = utc_now()
    planning.rulebooks = Rulebooks(load_rulebook(), lambda: planning.now)
    app = create_app("notify under test", TokenVerifier(jwks, ISSUER))
    books = Rulebooks(load_rulebook())
    app.include_router(rules_router(db, CLERK, planning.directories, books))
    app.include_router(routing_router(db, planning.directories, books))
    app.include_router(proposal_router(db, PROPOSABLES))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notify.test") as client:
        yield Desk(planning, client, LocalIssuer(key, ISSUER).token)


async def test_rules_are_in_force_once_a_second_person_has_seen_what_they_change(
    desk: Desk,
) -> None:
    before = await desk.planned()
    assert {version for version, _ in before} == {VERSION}
    made = (await desk.propose(BOTH_LEADS)).json()
    assert (made["version"], made["follows"]) == ("test-1", VERSION)
    assert (made["replayed"], made["changed"]) == (1, 1)
    told = "+ received: told Example Agency 6 (profile hart, form dcf_737): 1"
    assert told in made["difference"]
    assert await desk.in_force() == VERSION
    assert (await desk.approve(made["proposal_id"], by="maker")).status_code == 403
    assert await desk.in_force() == VERSION
    assert (await desk.approve(made["proposal_id"])).status_code == 200
    assert await desk.in_force() == "test-1"
    listed = (await desk.ask("GET", "/v1/routing/rules")).json()["history"]
    assert [each["version"] for each in listed] == [VERSION, "test-1"]
    assert (await desk.ask("GET", "/v1/routing/rules/test-1")).text == BOTH_LEADS
    desk.planning.now += LOOK_AGAIN
    after = await desk.planned()
    assert {version for version, _ in after} == {"test-1"}
    assert {role for _, role in after} - {role for _, role in before} == {"hart_director"}


async def test_what_was_planned_keeps_the_rules_that_chose_it(desk: Desk) -> None:
    await desk.planned()
    frozen = await desk.planning.rows(models.notices)
    made = (await desk.propose(BOTH_LEADS)).json()
    await desk.approve(made["proposal_id"])
    assert await desk.planning.rows(models.notices) == frozen


async def test_rules_of_a_later_day_wait_for_it_and_what_if_asks_by_the_day(desk: Desk) -> None:
    later = utc_now().date() + timedelta(days=30)
    made = (await desk.propose(BOTH_LEADS, effective=later.isoformat())).json()
    await desk.approve(made["proposal_id"])
    assert await desk.in_force() == VERSION
    child = {"ht_type": "sex", "residence_town": "Ansonia"}
    for day, version in ((None, VERSION), (later, "test-1")):
        asked = {"children": [child]} | ({} if day is None else {"as_of": day.isoformat()})
        found = await desk.ask("POST", "/v1/routing/what-if", asked)
        assert found.json()["rules_version"] == version
        roles = {leg["role"] for leg in found.json()["received"] if leg["fate"] == "told"}
        assert ("hart_director" in roles) == (day is not None)


async def test_a_proposal_made_against_other_rules_is_out_of_date(desk: Desk) -> None:
    first = (await desk.propose(BOTH_LEADS)).json()
    second = (await desk.propose(BOTH_LEADS.replace("test-1", "test-2"))).json()
    assert (await desk.approve(first["proposal_id"])).status_code == 200
    assert (await desk.approve(second["proposal_id"])).status_code == 409
    assert await desk.in_force() == "test-1"


async def test_a_changed_rule_of_a_later_stage_is_shown_to_whoever_approves_it(desk: Desk) -> None:
    await desk.planned()
    rules = SHIPPED.replace(VERSION, "test-1").replace(
        "CGS 17a-175\n    purpose: Return or", "CGS 17a-175; 17a-176\n    purpose: Return or"
    )
    made = (await desk.propose(rules, "?dry_run=true")).json()
    assert made["difference"][0] == (
        "1 referral versions replayed, 0 differ; 1 changed rule is called for by none of them."
    )
    assert made["difference"][-1].startswith("Rule ~ accepted.interstate_compact.lives_elsewhere:")


async def test_before_the_first_referral_the_sample_year_is_replayed_and_called_so(
    desk: Desk,
) -> None:
    made = (await desk.propose(BOTH_LEADS, "?dry_run=true")).json()
    assert (made["replayed"], made["changed"]) == (212, 170)
    assert made["difference"][0].startswith("212 made-up referrals of the sample year replayed")


async def test_a_dry_run_says_what_would_differ_and_keeps_nothing(desk: Desk) -> None:
    await desk.planned()
    answer = await desk.propose(BOTH_LEADS, "?dry_run=true")
    assert (answer.status_code, answer.json()["proposal_id"]) == (200, None)
    assert answer.json()["changed"] == 1
    assert await desk.planning.rows(models.proposals) == []


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("version: [", "line 1"),
        (SHIPPED.replace("role: fbi\n", "role: fib\n", 1), "rules.3.role"),
        (SHIPPED.replace("careline.fbi", "careline.mdt", 1), "two rules have the same id"),
    ],
)
async def test_a_file_that_is_no_rulebook_is_refused_with_the_place_and_the_mend(
    desk: Desk, rules: str, says: str
) -> None:
    answer = await desk.propose(rules)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (422, "#/rules")
    assert says in error["detail"]
    assert await desk.planning.rows(models.proposals) == []


async def test_p10_neither_agencies_nor_machines_propose_rules(desk: Desk) -> None:
    body = {"rules": BOTH_LEADS, "reason": "A test."}
    for claims in ({"agency": support.POLICE}, {"person": False}):
        answer = await desk.ask("POST", "/v1/routing/rules/proposals", body, **claims)
        assert answer.status_code == 403


async def test_a_day_that_is_over_is_refused(desk: Desk) -> None:
    answer = await desk.propose(BOTH_LEADS, effective=date(2026, 1, 1).isoformat())
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#/effective"]
