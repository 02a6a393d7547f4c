"""An asserted conflict holds at once, plans who stands in, and takes two people to lift."""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from sqlalchemy import text

from services import notify
from services.notify import areas, models
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.store import Conflict
from services.notify.conflicts.substitution import Substitutes
from services.notify.conflicts.substitution_loop import fill_once
from services.notify.delivery.signing import Signer
from services.notify.directory.in_force import Directories
from services.notify.routers import Routed, all_routers
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.tasks import tables as task_tables
from shared.contracts.base import Source
from shared.contracts.notices import NoticesPlanned, NoticesRerouted
from shared.messaging.outbox import Outbox
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.closed_windows import SCOPE
from shared.runtime.http import create_app
from shared.runtime.ids import new_id, utc_now
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import (
    CLERK,
    CSA,
    FBI,
    LEAD,
    MDT,
    POLICE,
    SEALER,
    STATE,
    Child,
    Planning,
)
from tests.support.routing import RULES

ISSUER = "https://issuer.test"
STAFF = (
    "notices:read notices:read-all tasks:read tasks:acknowledge conflicts:assert conflicts:lift "
    "conflicts:read routing:explain internal:watermark directory:read directory:propose "
    "proposals:read proposals:decide controls:halt controls:lift controls:read controls:redrive "
    "enrolment:confirm enrolment:manage enrolment:read enrolment:submit internal:agency-names "
    "mailbox:acknowledge mailbox:list mailbox:open mailbox:secret notices:close notices:recall "
    f"notices:tell oncall:propose oncall:read rules:propose {SCOPE}"
)
GROUND = {"ground": "officer_implicated"}


@dataclass
class Desk:
    """Notify's whole API over a real database."""

    planning: Planning
    app: FastAPI
    client: httpx.AsyncClient
    token: Callable[..., str]
    substitutes: Substitutes

    async def ask(
        self, method: str, path: str, subject: str = "person-a", body: Any = None, **claims: Any
    ) -> httpx.Response:
        token = self.token(subject, STAFF.split(), **({"person": True} | claims))
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.request(method, path, headers=headers, json=body)

    async def assert_conflict(
        self, referral_id: str, agency_id: str = POLICE, **more: Any
    ) -> httpx.Response:
        body = GROUND | {"agency_id": agency_id}
        return await self.ask("POST", f"/v1/referrals/{referral_id}/conflicts", body=body, **more)

    async def planned(self, *children: Child) -> str:
        data = self.planning.announce(*children)
        await self.planning.plan(data)
        return data.referral_id

    async def states(self) -> dict[str, str]:
        """Of each agency's latest version."""
        rows = await self.planning.rows(models.deliveries)
        ordered = sorted(rows, key=lambda row: row["version"])
        return {row["agency_id"]: row["state"] for row in ordered}


def make_app(database: Any, verifier: TokenVerifier, substitutes: Substitutes) -> FastAPI:
    """Every router that the service has, as its wiring puts them together."""
    app = create_app("notify under test", verifier)
    outbox = Outbox(models.OUTBOX, Source.NOTIFY)
    signer = Signer([Ed25519PrivateKey.generate()])
    rulebooks = Rulebooks(RULES)
    parts = Routed(SEALER, CLERK, signer, Directories(samples=True), rulebooks, substitutes)
    for each in all_routers(database, outbox, parts, development=True):
        app.include_router(each)
    return app


@pytest.fixture
async def desk(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    db = database.open("notify")
    extra = support.agency(20, "mdt_member", judicial_districts=["Ansonia-Milford"])
    await support.seed(db, [*support.agencies(), extra], tmp_path)
    key, jwks = tmp_path / "issuer.jwk", tmp_path / "jwks.json"
    keys.make("issuer", key)
    jwks.write_text(json.dumps(keys.jwks(key)))
    outbox = Outbox(models.OUTBOX, Source.NOTIFY)
    substitutes = Substitutes(Directories(samples=True), Rulebooks(RULES), CLERK, outbox)
    app = make_app(db, TokenVerifier(jwks, ISSUER), substitutes)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notify.test") as client:
        yield Desk(Planning(db), app, client, LocalIssuer(key, ISSUER).token, substitutes)


async def test_p3_a_conflict_stops_what_waits_and_plans_the_state_police_as_a_plan_of_its_own(
    desk: Desk,
) -> None:
    referral_id = await desk.planned()
    answer = await desk.assert_conflict(referral_id)
    assert answer.status_code == 200
    assert answer.json()["agency_ids"] == [POLICE]
    states = await desk.states()
    assert states[POLICE] == "refused"
    assert states[STATE] == "pending"
    notice = next(n for n in await desk.planning.rows(models.notices) if n["agency_id"] == STATE)
    assert (notice["role"], notice["version"]) == ("local_law_enforcement", 1)
    assert notice["because"] == ("Example Agency 1: in place of another agency, CGS 17a-101b(c)")
    assert len(await desk.planning.rows(models.plans)) == 1, "the frozen plan stays as it was"
    assert len(await desk.planning.rows(conflict_tables.substitutions)) == 1


async def test_the_substitution_is_said_without_its_reason_and_counts_fbi_and_prosecutor(
    desk: Desk,
) -> None:
    referral_id = await desk.planned()
    await desk.assert_conflict(referral_id)
    (said,) = [e for e in await desk.planning.emitted() if isinstance(e, NoticesRerouted)]
    assert [leg.agency_id for leg in said.left] == [POLICE]
    assert {leg.agency_id for leg in said.notices} == {STATE, FBI, CSA}
    assert {leg.role.value for leg in said.notices} == {"local_law_enforcement"}
    assert "conflict" not in said.model_dump_json()
    assert "officer" not in said.model_dump_json()


async def test_a_person_gets_a_task_and_no_event_of_any_kind_names_the_conflict(
    desk: Desk,
) -> None:
    referral_id = await desk.planned()
    await desk.assert_conflict(referral_id)
    tasks = [row["kind"] for row in await desk.planning.rows(task_tables.tasks)]
    assert tasks == ["conflict"]
    async with desk.planning.db.transaction() as session:
        bodies = await session.scalars(text("SELECT body FROM notify.outbox"))
    assert bodies
    assert not any(b"conflict" in body or b"implicated" in body for body in bodies)


async def test_the_same_conflict_again_is_the_same_answer_and_plans_nothing_twice(
    desk: Desk,
) -> None:
    referral_id = await desk.planned()
    first = await desk.assert_conflict(referral_id)
    again = await desk.assert_conflict(referral_id, subject="person-b")
    assert first.content == again.content
    assert len(await desk.planning.rows(conflict_tables.conflicts)) == 1
    rerouted = [e for e in await desk.planning.emitted() if isinstance(e, NoticesRerouted)]
    assert len(rerouted) == 1


async def test_c16_a_trooper_asserted_leaves_out_the_state_police_and_adds_nobody(
    desk: Desk,
) -> None:
    referral_id = await desk.planned(Child(towns=()))
    await desk.assert_conflict(referral_id, STATE)
    states = await desk.states()
    assert states[STATE] == "refused"
    assert set(states) == {STATE, FBI, CSA, LEAD}
    (said,) = [e for e in await desk.planning.emitted() if isinstance(e, NoticesRerouted)]
    assert {leg.agency_id for leg in said.notices} == {FBI, CSA}


async def test_c16_p3_who_is_implicated_beside_a_sibling_stands_in_for_neither(desk: Desk) -> None:
    trooper: dict[str, object] = {"implicated": [{"kind": "state_trooper"}]}
    mine, other = Child(), Child(name="Test Child Two", towns=("Derby",), facts=trooper)
    referral_id = await desk.planned(mine, other)
    path, body = f"/v1/referrals/{referral_id}/conflicts", GROUND | {"agency_id": POLICE}
    answer = await desk.ask("POST", path, body=body | {"child_id": mine.child_id})
    assert answer.status_code == 200, answer.text
    (said,) = [e for e in await desk.planning.emitted() if isinstance(e, NoticesRerouted)]
    assert {leg.agency_id for leg in said.notices} == {FBI, CSA}
    assert {leg.child_id for leg in said.notices} == {mine.child_id}


async def test_c17_an_mdt_member_is_left_out_alone(desk: Desk) -> None:
    referral_id = await desk.planned()
    await desk.assert_conflict(referral_id, MDT)
    states = await desk.states()
    assert [agency for agency, state in states.items() if state == "refused"] == [MDT]
    assert len(states) == 6


async def test_a_conflict_before_the_plan_binds_the_plan(desk: Desk) -> None:
    data = desk.planning.announce()
    assert (await desk.assert_conflict(data.referral_id)).status_code == 200
    await desk.planning.plan(data)
    states = await desk.states()
    assert POLICE not in states
    assert states[STATE] == "pending"
    (planned,) = [e for e in await desk.planning.emitted() if isinstance(e, NoticesPlanned)]
    local = {n.agency_id for n in planned.notices if n.role.value == "local_law_enforcement"}
    assert local == {STATE, FBI, CSA}
    assert {row["reason"] for row in await desk.planning.rows(models.refusals)} == {
        "conflict_of_interest"
    }


async def test_an_implicated_agency_is_never_planned_and_its_name_is_in_no_event(
    desk: Desk,
) -> None:
    officer = {"kind": "municipal_officer", "agency": "Example Agency 0"}
    await desk.planned(Child(facts={"implicated": [officer]}))
    assert POLICE not in await desk.states()
    async with desk.planning.db.transaction() as session:
        bodies = await session.scalars(text("SELECT body FROM notify.outbox"))
    assert not any(POLICE.encode() in body for body in bodies)


async def test_a_plan_that_met_the_assertion_gets_its_substitutes_a_moment_later(
    desk: Desk,
) -> None:
    """As if the plan had been under way: the conflict is on record, the plan did not see it."""
    referral_id = await desk.planned()
    async with desk.planning.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO notify.conflicts (conflict_id, assertion_id, referral_id, agency_id, "
                "ground, asserted_by, asserted_at) VALUES ('cfl_1', 'ast_1', :referral_id, "
                ":agency_id, 'other', 'person-a', :now)"
            ),
            {"referral_id": referral_id, "agency_id": POLICE, "now": utc_now()},
        )
    async with desk.planning.db.transaction() as session:
        assert (await areas.ages(session))["substitution"] > 0
    assert await fill_once(desk.planning.db, desk.substitutes) == 1
    assert (await desk.states())[STATE] == "pending"
    assert await fill_once(desk.planning.db, desk.substitutes) == 0
    async with desk.planning.db.transaction() as session:
        assert (await areas.ages(session))["substitution"] == 0


async def test_lifting_takes_two_people_and_a_person_sees_to_what_was_missed(desk: Desk) -> None:
    referral_id = await desk.planned()
    assertion = (await desk.assert_conflict(referral_id)).json()["assertion_id"]
    path = f"/v1/conflicts/{assertion}/lift"
    for written in ("person-a", "person-a", "Person-\u0430", " person-a"):
        answer = await desk.ask("POST", path, written)
        assert answer.json()["lifted_at"] is None
        assert answer.json()["lift_asked_by"] == "person-a"
    answer = await desk.ask("POST", path, "person-b")
    assert answer.json()["lifted_by"] == "person-b"
    again = await desk.ask("POST", path, "person-c")
    assert again.content == answer.content
    details = [row["detail"] for row in await desk.planning.rows(task_tables.tasks)]
    assert any("was lifted" in detail for detail in details)
    await desk.planning.plan(desk.planning.announce(referral_id=referral_id, version=2))
    assert (await desk.planning.rows(conflict_tables.conflicts))[0]["lifted_at"] is not None


async def test_a_machine_and_an_agency_neither_assert_nor_lift(desk: Desk) -> None:
    referral_id = await desk.planned()
    assert (await desk.assert_conflict(referral_id, person=False)).status_code == 403
    assert (await desk.assert_conflict(referral_id, agency=FBI)).status_code == 403
    assertion = (await desk.assert_conflict(referral_id)).json()["assertion_id"]
    for claims in ({"person": False}, {"agency": FBI}):
        answer = await desk.ask("POST", f"/v1/conflicts/{assertion}/lift", **claims)
        assert answer.status_code == 403
    assert (await desk.ask("POST", f"/v1/conflicts/{new_id('ast')}/lift")).status_code == 404


async def test_an_unknown_agency_is_refused_by_its_pointer(desk: Desk) -> None:
    answer = await desk.assert_conflict(new_id("ref"), new_id("agy"))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/agency_id"


async def test_explain_says_told_refused_and_suppressed_in_words(desk: Desk) -> None:
    referral_id = await desk.planned()
    await desk.assert_conflict(referral_id)
    answer = await desk.ask("GET", f"/v1/referrals/{referral_id}/routing")
    legs = {leg["recipient"]: leg for leg in answer.json()["legs"]}
    assert legs["Example Agency 0"]["fate"] == "suppressed"
    assert legs["Example Agency 0"]["sentence"].startswith("Stopped: a conflict of interest")
    assert legs["Example Agency 1"]["fate"] == "pending", "planned, and nothing has left"
    assert "in place of another agency" in legs["Example Agency 1"]["sentence"]
    assert "counts for local law enforcement too" in legs["Example Agency 2"]["sentence"]
    assert legs["Example Agency 2"]["citation"] == "DCF Policy 21-14"
    assert "Ansonia" not in answer.text


async def test_explain_keeps_what_was_put_up_for_review_and_what_a_person_was_asked(
    desk: Desk,
) -> None:
    referral_id = await desk.planned(Child(towns=(), home="Ansonia"))
    found = (await desk.ask("GET", f"/v1/referrals/{referral_id}/routing")).json()
    (item,) = found["matters"]
    assert (item["fate"], item["role"], item["version"]) == ("review", "hart_director", 1)
    assert item["citation"] == "DCF Policy 21-14"
    assert item["rules_version"] == found["legs"][0]["rules_version"]
    (question,) = found["questions"]
    assert "where it happened, or where else, is not known" in question
    assert "Ansonia" not in str(found)


async def test_what_if_says_who_would_be_told_at_once_and_later_and_keeps_nothing(
    desk: Desk,
) -> None:
    body = {
        "children": [
            {
                "ht_type": "sex",
                "incident_towns": ["Ansonia"],
                "implicated": [{"kind": "municipal_officer", "agency": "Example Agency 0"}],
            }
        ]
    }
    answer = await desk.ask("POST", "/v1/routing/what-if", body=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    fates = {(leg["fate"], leg["recipient"]) for leg in found["received"]}
    assert ("suppressed", "Example Agency 0") in fates
    assert ("told", "Example Agency 1") in fates
    assert ("review", None) in fates
    assert found["questions"] == []
    assert [leg["role"] for leg in found["if_accepted"]] == ["regional_office"]
    for table in (models.plans, models.notices, task_tables.tasks, models.copies):
        assert await desk.planning.rows(table) == []


@pytest.mark.parametrize(
    ("child", "pointer"),
    [
        ({"ht_type": "sex", "residence_town": "Nowhere"}, "#/children/0/residence_town"),
        ({"ht_type": "sex", "name": "Somebody"}, "#/children/0/name"),
        (
            {"ht_type": "sex", "incident_places": [{"kind": "moon"}]},
            "#/children/0/incident_places/0/kind",
        ),
    ],
)
async def test_what_if_refuses_what_is_wrong_by_its_pointer_and_echoes_nothing(
    desk: Desk, child: dict[str, Any], pointer: str
) -> None:
    answer = await desk.ask("POST", "/v1/routing/what-if", body={"children": [child]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert "Nowhere" not in answer.text
    assert "moon" not in answer.text


# The suppressed agency cannot tell


class _Ids(dict[str, str]):
    """What no test knows the id of: some id."""

    def __missing__(self, name: str) -> str:
        return f"ntc_{'0' * 32}" if name == "notice_id" else "0" * 36


def _requests(app: FastAPI, referral_id: str, assertion_id: str, task_id: str) -> list[Any]:
    """Every route that the application has, with the ids that matter filled in."""
    ids = {"referral_id": referral_id, "assertion_id": assertion_id, "task_id": task_id}
    ids |= {"agency_id": POLICE, "proposal_id": f"prp_{'0' * 32}", "town": "Ansonia"}
    found: list[Any] = []
    for route, methods in app.openapi()["paths"].items():
        path = route.format_map(_Ids(ids))
        for method in sorted(methods):
            found.append((method, route, path, None))
            if method == "post":
                body = GROUND | {"agency_id": POLICE}
                found.append((method, route, path, body))
            else:
                query = f"?open&limit=1&subject={referral_id}"
                found.append((method, route, path + query, None))
    return found


async def _views(desk: Desk, referral_id: str, assertion_id: str, task_id: str) -> list[Any]:
    views = []
    for method, route, path, body in _requests(desk.app, referral_id, assertion_id, task_id):
        for person in (True, False):
            answer = await desk.ask(method, path, "clerk", body, agency=POLICE, person=person)
            headers = {k: v for k, v in answer.headers.items() if k != "date"}
            views.append((method, route, person, answer.status_code, _plain(answer), headers))
    return views


def _plain(answer: httpx.Response) -> bytes:
    """Its bytes; of an agency's own new secret, all but the dice and the clock."""
    return re.sub(rb'"(whsec_[^"]+|before_ends_at":"[^"]+)"', b"", answer.content)


async def test_the_generated_views_ask_every_route_there_is(desk: Desk) -> None:
    asked = {route for _, route, _, _ in _requests(desk.app, "ref_a", "ast_a", "tsk_a")}
    assert asked == set(desk.app.openapi()["paths"])
    assert "/v1/referrals/{referral_id}/routing" in asked
    scopes = set(re.findall(r'require\("([a-z:-]+)"\)', _sources()))
    assert scopes <= set(STAFF.split()), "the token must open every route, or nothing is compared"


def _sources() -> str:
    folder = Path(notify.__file__).parent
    return "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.py"))


@pytest.mark.parametrize("how", ["asserted after", "asserted before", "implicated", "met the plan"])
async def test_p10_every_view_of_the_suppressed_agency_equals_a_run_without_the_referral(
    desk: Desk, how: str
) -> None:
    """Byte for byte, over every route that the application has, whatever the token's scopes."""
    referral_id, assertion_id, task_id = new_id("ref"), new_id("ast"), new_id("tsk")
    other = desk.planning.announce(Child(towns=("Ansonia",)))
    await desk.planning.plan(other)
    own = (await _own(desk, other.referral_id)).content
    control = await _views(desk, referral_id, assertion_id, task_id)
    children = [Child()]
    if how == "implicated":
        officer = {"kind": "municipal_officer", "agency": "Example Agency 0"}
        children = [Child(facts={"implicated": [officer]})]
    if how == "asserted before":
        await desk.assert_conflict(referral_id)
    await desk.planning.plan(desk.planning.announce(*children, referral_id=referral_id))
    if how == "asserted after":
        assertion_id = (await desk.assert_conflict(referral_id)).json()["assertion_id"]
    if how == "met the plan":
        await _meet(desk, referral_id)
    views = await _views(desk, referral_id, assertion_id, task_id)
    assert views == control
    assert (await _own(desk, other.referral_id)).content == own


async def _own(desk: Desk, referral_id: str) -> httpx.Response:
    return await desk.ask("GET", f"/v1/referrals/{referral_id}/notices", "clerk", agency=POLICE)


async def _meet(desk: Desk, referral_id: str) -> None:
    """The conflict is on record; the plan did not see it, and no claim has looked yet."""
    async with desk.planning.db.transaction() as session:
        await conflict_store.insert(
            session,
            Conflict(new_id("ast"), referral_id, None, (POLICE,), "other", "person-a", utc_now()),
        )


async def test_p8_what_a_conflicted_agency_holds_stays_readable_and_unchanged(desk: Desk) -> None:
    referral_id = await desk.planned()
    await desk.planning.set_state(POLICE, "delivered", "completed")
    before = await _own(desk, referral_id)
    assert before.status_code == 200
    await desk.assert_conflict(referral_id)
    assert (await _own(desk, referral_id)).content == before.content
    await desk.planning.plan(desk.planning.announce(referral_id=referral_id, version=2))
    assert (await _own(desk, referral_id)).content == before.content
    assert (await desk.states())[STATE] == "pending"


async def test_p8_an_attempt_of_unknown_outcome_looks_as_it_did_when_the_agency_last_saw_it(
    desk: Desk,
) -> None:
    referral_id = await desk.planned()
    await desk.planning.set_state(POLICE, "pending", None)
    before = await _own(desk, referral_id)
    await desk.assert_conflict(referral_id)
    assert (await _own(desk, referral_id)).content == before.content
