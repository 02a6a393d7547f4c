"""Rules change by two people, and by what they would have changed in the last referrals."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.notify import models
from services.notify.areas import PROPOSABLES
from services.notify.directory.authority import today
from services.notify.proposals import store as proposal_store
from services.notify.proposals import tables as proposal_tables
from services.notify.proposals.api import proposal_router
from services.notify.proposals.proposal import ProposalKind
from services.notify.routing.api import routing_router
from services.notify.routing.rulebook import DCF_737, load_rulebook, read_rulebook
from services.notify.rulemaking import store
from services.notify.rulemaking.api import rules_router
from services.notify.rulemaking.names import open_rulebooks
from services.notify.rulemaking.rulebooks import LOOK_AGAIN, Rulebooks
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured, Retryable
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


def named(version: str, rules: str = BOTH_LEADS) -> str:
    """The same rules under another name."""
    return rules.replace('version: "test-1"', f'version: "{version}"')


def days_on(days: int) -> str:
    return (today(utc_now()) + timedelta(days=days)).isoformat()


@dataclass
class Desk:
    db: Database
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

    async def put_in_force(self, rules: str, **fields: Any) -> None:
        made = (await self.propose(rules, **fields)).json()
        assert (await self.approve(made["proposal_id"])).status_code == 200

    async def in_force_on(self, day: str) -> str:
        asked = {"children": [{"ht_type": "sex"}], "as_of": day}
        return str((await self.ask("POST", "/v1/routing/what-if", asked)).json()["rules_version"])

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
        yield Desk(db, planning, client, LocalIssuer(key, ISSUER).token)


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


async def test_c29_a_destroyed_child_among_the_last_referrals_does_not_lock_the_rules(
    desk: Desk,
) -> None:
    await desk.planned()
    await desk.planned()
    async with desk.db.transaction() as session:
        await session.execute(
            text(
                "UPDATE notify.child_keys SET wrapped = '', kek_version = 0, shredded_at = now() "
                "WHERE child_id = (SELECT min(child_id) FROM notify.child_keys)"
            )
        )
    made = await desk.propose(BOTH_LEADS)
    assert made.status_code == 201, made.text
    assert made.json()["replayed"] == 1
    assert any("1 more cannot be replayed" in line for line in made.json()["difference"])


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
    assert await desk.planning.rows(proposal_tables.proposals) == []


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
    assert await desk.planning.rows(proposal_tables.proposals) == []


async def test_p10_neither_agencies_nor_machines_propose_rules(desk: Desk) -> None:
    body = {"rules": BOTH_LEADS, "reason": "A test."}
    for claims in ({"agency": support.POLICE}, {"person": False}):
        answer = await desk.ask("POST", "/v1/routing/rules/proposals", body, **claims)
        assert answer.status_code == 403


async def test_a_day_that_is_over_is_refused(desk: Desk) -> None:
    answer = await desk.propose(BOTH_LEADS, effective=date(2026, 1, 1).isoformat())
    assert [each["pointer"] for each in answer.json()["errors"]] == ["#/effective"]


@pytest.mark.parametrize("rules", [named(VERSION), named("kept-1")])
async def test_a_name_that_stands_for_other_rules_is_refused_with_what_to_do(
    desk: Desk, tmp_path: Path, rules: str
) -> None:
    file = tmp_path / "kept.yaml"
    file.write_text(SHIPPED.replace(f'version: "{VERSION}"', 'version: "kept-1"'))
    await open_rulebooks(desk.db, file)
    answer = await desk.propose(rules)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"]) == (422, "#/rules")
    assert "line 13: version: Hartline came with other rules under this version" in error["detail"]
    assert await desk.planning.rows(proposal_tables.proposals) == []


async def test_a_name_that_was_adopted_is_refused_even_with_the_same_rules(desk: Desk) -> None:
    await desk.put_in_force(BOTH_LEADS)
    answer = await desk.propose(BOTH_LEADS)
    assert answer.status_code == 422
    assert "give these a new `version`" in answer.json()["errors"][0]["detail"]


async def test_a_name_taken_since_it_was_proposed_is_refused_when_it_is_approved(
    desk: Desk, tmp_path: Path
) -> None:
    made = (await desk.propose(named("test-2"))).json()
    file = tmp_path / "shipped.yaml"
    file.write_text(SHIPPED.replace(f'version: "{VERSION}"', 'version: "test-2"'))
    await open_rulebooks(desk.db, file)
    assert (await desk.approve(made["proposal_id"])).status_code == 409
    assert await desk.in_force() == VERSION


async def test_the_shipped_rules_can_be_put_in_force_again(desk: Desk) -> None:
    await desk.put_in_force(BOTH_LEADS)
    await desk.put_in_force(SHIPPED)
    assert await desk.in_force() == VERSION


async def test_rules_of_a_day_to_come_do_not_lock_out_an_urgent_change(desk: Desk) -> None:
    await desk.put_in_force(BOTH_LEADS, effective=days_on(30))
    made = (await desk.propose(named("urgent"))).json()
    assert made["follows"] == VERSION
    assert f"Only until {days_on(30)}: from then on rules test-1" in made["difference"][-1]
    assert (await desk.approve(made["proposal_id"])).status_code == 200
    assert await desk.in_force() == "urgent"
    assert await desk.in_force_on(days_on(29)) == "urgent"
    assert await desk.in_force_on(days_on(30)) == "test-1"


async def test_of_two_rulebooks_of_one_day_the_one_adopted_last_is_in_force(desk: Desk) -> None:
    await desk.put_in_force(BOTH_LEADS, effective=days_on(9))
    await desk.put_in_force(named("test-2"), effective=days_on(9))
    await desk.put_in_force(named("test-3"), effective=days_on(5))
    found = [await desk.in_force_on(days_on(day)) for day in (4, 5, 8, 9, 30)]
    assert found == [VERSION, "test-3", "test-3", "test-2", "test-2"]


async def test_what_will_be_in_force_on_its_day_has_changed_so_it_must_be_replayed(
    desk: Desk,
) -> None:
    made = (await desk.propose(BOTH_LEADS, effective=days_on(9))).json()
    other = (await desk.propose(named("other"), effective=days_on(3))).json()
    await desk.put_in_force(named("urgent"), effective=days_on(5))
    assert (await desk.approve(made["proposal_id"])).status_code == 409
    assert (await desk.approve(other["proposal_id"])).status_code == 200
    again = (await desk.propose(BOTH_LEADS, effective=days_on(9))).json()
    assert again["follows"] == "urgent"
    assert (await desk.approve(again["proposal_id"])).status_code == 200


async def test_a_shipped_file_that_changed_puts_what_was_compared_with_it_out_of_date(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = (await desk.propose(BOTH_LEADS)).json()
    changed = read_rulebook(SHIPPED.replace("[C26]", "[C26, C9]"), "changed")
    assert changed.version == VERSION
    monkeypatch.setattr("services.notify.rulemaking.proposing.load_rulebook", lambda: changed)
    assert (await desk.approve(made["proposal_id"])).status_code == 409


async def test_notify_does_not_start_with_other_rules_under_a_name_it_has_started_with(
    desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(SHIPPED)
    await open_rulebooks(desk.db, file)
    file.write_text(f"# Another comment.\n{SHIPPED}")
    await open_rulebooks(desk.db, file)
    file.write_text(SHIPPED.replace("[C26]", "[C26, C9]"))
    with pytest.raises(Misconfigured, match=f"version {VERSION}, and other rules are on record"):
        await open_rulebooks(desk.db, file)
    file.write_text(named("test-3", BOTH_LEADS))
    assert (await open_rulebooks(desk.db, file)).latest.version == "test-3"


async def test_notify_does_not_start_with_other_rules_under_a_name_that_was_adopted(
    desk: Desk, tmp_path: Path
) -> None:
    await desk.put_in_force(BOTH_LEADS)
    file = tmp_path / "rules.yaml"
    file.write_text(SHIPPED.replace(f'version: "{VERSION}"', 'version: "test-1"'))
    with pytest.raises(Misconfigured, match="a new `version`"):
        await open_rulebooks(desk.db, file)


async def test_notify_does_not_start_under_adopted_rules_that_lack_a_duty(desk: Desk) -> None:
    lacking = SHIPPED.replace("form: dcf_823", "form: dcf_737", 1)
    async with desk.db.transaction() as session:
        await store.adopt(session, "old", lacking, today(utc_now()), "prp_x", utc_now())
    with pytest.raises(Misconfigured, match="regional_office: `form` must be dcf_823"):
        await open_rulebooks(desk.db)


async def test_what_this_software_no_longer_reads_as_rules_is_not_put_in_force(desk: Desk) -> None:
    book = load_rulebook()
    body = {
        "version": "test-1",
        "text": BOTH_LEADS.replace("form: dcf_823", "form: dcf_737"),
        "effective": days_on(0),
        "follows": book.version,
        "follows_digest": book.digest,
        "difference": [],
    }
    async with desk.db.transaction() as session:
        made = await proposal_store.propose(
            session, ProposalKind.RULES, body, summary="", reason="", by="maker", now=utc_now()
        )
    assert (await desk.approve(made.proposal_id)).status_code == 409
    assert await desk.in_force() == VERSION


async def test_rules_that_ask_for_newer_software_are_waited_for_and_nothing_else_is_gone_by(
    desk: Desk,
) -> None:
    async with desk.db.transaction() as session:
        newer = BOTH_LEADS.replace("missing_from_care", "something_new")
        await store.adopt(session, "new", newer, today(utc_now()), "prp_x", utc_now())
        books = Rulebooks(load_rulebook())
        with pytest.raises(Retryable):
            await books.current(session)


async def test_a_leg_is_explained_by_the_rules_that_it_was_planned_by(desk: Desk) -> None:
    cited = "DCF Policy 21-14; CGS 17a-28(b)"
    data = desk.planning.announce(Child())
    await desk.planning.plan(data)
    fbi = "    kind: fbi\n    profile: law_enforcement\n    citation: DCF Policy 21-14\n"
    assert fbi in SHIPPED
    await desk.put_in_force(BOTH_LEADS.replace(fbi, fbi.replace("DCF Policy 21-14", cited)))
    desk.planning.now += LOOK_AGAIN
    later = desk.planning.announce(Child())
    await desk.planning.plan(later)
    for referral_id, version, law in (
        (data.referral_id, VERSION, "DCF Policy 21-14"),
        (later.referral_id, "test-1", cited),
    ):
        legs = (await desk.ask("GET", f"/v1/referrals/{referral_id}/routing")).json()["legs"]
        (leg,) = [each for each in legs if each["role"] == "fbi"]
        assert (leg["rules_version"], leg["citation"]) == (version, law)


async def test_a_leg_of_an_earlier_shipped_file_is_explained_by_that_file(
    desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "before.yaml"
    before = SHIPPED.replace(f'version: "{VERSION}"', 'version: "2025-9"')
    file.write_text(before.replace("citation: CGS 17a-101b(c)", "citation: CGS 17a-1"))
    desk.planning.rulebooks = await open_rulebooks(desk.db, file)
    data = desk.planning.announce(Child())
    await desk.planning.plan(data)
    legs = (await desk.ask("GET", f"/v1/referrals/{data.referral_id}/routing")).json()["legs"]
    (leg,) = [each for each in legs if each["role"] == "local_law_enforcement"]
    assert (leg["rules_version"], leg["citation"]) == ("2025-9", "CGS 17a-1")
    history = (await desk.ask("GET", "/v1/routing/rules")).json()["history"]
    assert [each["version"] for each in history] == ["2025-9", VERSION]
    kept = (await desk.ask("GET", "/v1/routing/rules/2025-9")).text
    assert kept == file.read_text()
