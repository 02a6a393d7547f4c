"""Destroying content by two people, legal holds, and what is due (C29): audit's part."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.audit.retention.ordering import order_once
from services.audit.sealer import Sealer
from services.audit.wiring import area_routes
from shared.contracts.base import Source
from shared.contracts.shredding import ContentShredded
from shared.runtime.auth import TokenVerifier
from shared.runtime.db import Database
from shared.runtime.http import create_app
from shared.runtime.ids import new_id
from tests.integration.audit.conftest import ISSUER, Tokens
from tests.support.accounting import FakeNames, FakePeople, Log, attempted

SCOPES = ("retention:read", "retention:ask", "retention:approve", "retention:hold")
WHY = {"ground": "erased", "citation": "CGS 46b-146"}


@dataclass
class Desk:
    """Two officers, and the log."""

    log: Log
    client: httpx.AsyncClient
    tokens: Tokens
    people: FakePeople = field(default_factory=FakePeople)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    child: str = field(default_factory=lambda: new_id("chd"))
    ref: str = field(default_factory=lambda: new_id("ref"))

    def by(self, subject: str, **claims: Any) -> Mapping[str, str]:
        return self.tokens.bearer(SCOPES, subject, **claims)

    async def post(self, path: str, by: str = "officer-1", **body: Any) -> httpx.Response:
        return await self.client.post(f"/v1/{path}", json=body or None, headers=self.by(by))

    async def get(self, path: str) -> Any:
        answer = await self.client.get(f"/v1/{path}", headers=self.by("officer-1"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def asked(self, **why: str) -> str:
        answer = await self.post(f"children/{self.child}/shreddings", **(WHY | why))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["shredding_id"])

    async def confirmed(self, shredding_id: str, *holders: Source) -> None:
        for holder in holders:
            data = ContentShredded(
                referral_id=self.ref,
                shredding_id=shredding_id,
                child_id=self.child,
                shredded_at=datetime.now(UTC),
            )
            await self.log.happened(data, source=holder)


@pytest.fixture
async def desk(db: Database, sealer: Sealer, tokens: Tokens) -> AsyncIterator[Desk]:
    app = create_app("audit under test", TokenVerifier(tokens.jwks, ISSUER))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://audit.test") as client:
        desk = Desk(Log(db, sealer), client, tokens)
        desk.people.person(desk.child, referral_id=desk.ref)
        for router in area_routes(db, desk.people, FakeNames(), 5, lambda: desk.now):
            app.include_router(router)
        await desk.log.happened(attempted(desk.ref, desk.child))
        yield desk


async def test_c29_one_person_asks_another_approves_and_it_completes_when_every_holder_confirms(
    desk: Desk,
) -> None:
    order = await desk.asked()
    assert await order_once(desk.log.db, desk.people) == 0, "nothing happens on one person's word"
    assert (await desk.post(f"shreddings/{order}/approval")).status_code == 409
    assert (await desk.post(f"shreddings/{order}/approval", "officer-2")).status_code == 200
    assert await order_once(desk.log.db, desk.people) == 1
    assert await order_once(desk.log.db, desk.people) == 0
    assert desk.people.ordered == [(desk.child, order)]
    await desk.confirmed(order, Source.INTAKE, Source.INTAKE)
    now = await desk.get(f"shreddings/{order}")
    assert (set(now["confirmed"]), now["completed_at"]) == ({"/hartline/intake"}, None)
    await desk.confirmed(order, Source.NOTIFY)
    done = await desk.get(f"shreddings/{order}")
    assert done["completed_at"] is not None
    assert (done["asked_by"], done["decided_by"]) == ("officer-1", "officer-2")
    assert [each["shredding_id"] for each in (await desk.get("shreddings"))["shreddings"]] == [
        order
    ]


async def test_c29_an_order_waits_for_intake_and_is_then_taken(desk: Desk) -> None:
    order = await desk.asked()
    await desk.post(f"shreddings/{order}/approval", "officer-2")
    desk.people.away = True
    assert await order_once(desk.log.db, desk.people) == 0
    desk.people.away = False
    assert await order_once(desk.log.db, desk.people) == 1


async def test_c29_what_is_decided_is_in_the_log_and_why_is_not(desk: Desk) -> None:
    """P5: an adoption or an erased record betrays somebody."""
    order = await desk.asked()
    await desk.post(f"shreddings/{order}/approval", "officer-2")
    async with desk.log.db.transaction() as session:
        leaves = await session.scalars(
            text("SELECT leaf FROM audit.submissions WHERE kind = 'decided' ORDER BY id")
        )
    assert [b"shredding_asked" in leaves[0], b"shredding_approved" in leaves[1]] == [True, True]
    assert not any(word in leaf for leaf in leaves for word in (b"erased", b"46b-146"))


async def test_c29_a_legal_hold_refuses_asking_and_approving_until_two_people_release_it(
    desk: Desk,
) -> None:
    order = await desk.asked()
    held = await desk.post(f"children/{desk.child}/holds", citation="Court order 123")
    hold = held.json()["hold_id"]
    assert (await desk.post(f"shreddings/{order}/approval", "officer-2")).status_code == 409
    assert (await desk.post(f"shreddings/{order}/refusal", "officer-2")).status_code == 200
    again = await desk.post(f"children/{desk.child}/shreddings", **WHY)
    assert (again.status_code, "legal hold" in again.text) == (409, True)
    assert len((await desk.get("holds"))["holds"]) == 1
    assert (await desk.post(f"holds/{hold}/release")).json()["released_at"] is None
    assert (await desk.post(f"holds/{hold}/release")).status_code == 409
    assert (await desk.post(f"holds/{hold}/release", "officer-2")).json()["released_at"]
    assert (await desk.get("holds"))["holds"] == []
    await desk.asked()


async def test_c29_a_hold_on_one_of_a_persons_children_binds_all_of_them(desk: Desk) -> None:
    other = new_id("chd")
    desk.people.person(desk.child, other, referral_id=desk.ref)
    await desk.post(f"children/{other}/holds", citation="Court order 123")
    answer = await desk.post(f"children/{desk.child}/shreddings", **WHY)
    assert answer.status_code == 409


async def test_c29_a_hold_that_comes_after_the_approval_is_told_so(desk: Desk) -> None:
    order = await desk.asked()
    await desk.post(f"shreddings/{order}/approval", "officer-2")
    late = await desk.post(f"children/{desk.child}/holds", citation="Court order 123")
    assert (late.status_code, "too late" in late.text) == (409, True)
    assert (await desk.post(f"children/{desk.child}/shreddings", **WHY)).status_code == 409
    assert (await desk.post(f"shreddings/{order}/refusal", "officer-2")).status_code == 409


async def test_ordinary_retention_waits_five_years_after_the_last_entry(desk: Desk) -> None:
    why = {"ground": "retention"}
    early = await desk.post(f"children/{desk.child}/shreddings", **(WHY | why))
    assert (early.status_code, "5 years" in early.text) == (409, True)
    assert (await desk.get("retention/due"))["due"] == []
    await desk.log.sealer.drain()
    desk.now += timedelta(days=5 * 366)
    await desk.post(f"children/{desk.child}/holds", citation="Court order 123")
    (due,) = (await desk.get("retention/due"))["due"]
    assert (due["child_id"], due["referral_id"], due["held"]) == (desk.child, desk.ref, True)


async def test_p2_a_child_on_the_list_of_what_is_due_has_the_reading_in_its_accounting(
    desk: Desk,
) -> None:
    """The list names the child, its referral and when something was last seen of it."""
    await desk.log.sealer.drain()
    desk.now += timedelta(days=5 * 366)
    for _ in range(2):
        (due,) = (await desk.get("retention/due"))["due"]
        await desk.log.sealer.drain()
        assert due["child_id"] == desk.child, "to be listed keeps nothing alive"
    path = f"/v1/accounting/{desk.child}?purpose=retention"
    reader = desk.tokens.bearer(["accounting:read"], "officer-2")
    made = (await desk.client.get(path, headers=reader)).json()
    assert [row["how"] for row in made["rows"]].count("record_read") == 2


async def test_ordinary_retention_may_be_asked_for_when_it_is_due(desk: Desk) -> None:
    desk.now += timedelta(days=5 * 366)
    order = await desk.asked(ground="retention", citation="CGS 4-193")
    assert (await desk.post(f"shreddings/{order}/approval", "officer-2")).status_code == 200
    assert (await desk.get("retention/due"))["due"] == [], "it is ordered"


async def test_p10_only_people_with_the_scope_decide(desk: Desk) -> None:
    order = await desk.asked()
    paths = (
        f"children/{desk.child}/shreddings",
        f"children/{desk.child}/holds",
        f"shreddings/{order}/approval",
        f"shreddings/{order}/refusal",
    )
    for path in paths:
        body = {"citation": "CGS 1-1", "ground": "erased"} if "children" in path else None
        body = {"citation": "CGS 1-1"} if "holds" in path else body
        for headers in (desk.by("svc", person=False), desk.tokens.bearer(["audit:read"])):
            answer = await desk.client.post(f"/v1/{path}", json=body, headers=headers)
            assert answer.status_code == 403, path
    assert (await desk.post(f"children/chd_{0:032x}/shreddings", **WHY)).status_code == 404
    assert (await desk.post("shreddings/Example/approval")).status_code == 404


async def test_c29_a_hold_on_another_id_of_the_person_finds_the_destruction_under_way(
    desk: Desk,
) -> None:
    other = new_id("chd")
    desk.people.known.clear()
    desk.people.person(desk.child, other, referral_id=desk.ref)
    approved = await desk.post(f"shreddings/{await desk.asked()}/approval", by="officer-2")
    assert approved.status_code == 200
    held = await desk.post(f"children/{other}/holds", citation="Court order 9")
    assert held.status_code == 409, "it would promise what is no longer so"


async def test_c29_a_disclosure_since_the_request_keeps_the_content(desk: Desk) -> None:
    await desk.log.happened(attempted(desk.ref, desk.child))
    long_ago, desk.now = desk.now, desk.now + timedelta(days=366 * 6)
    shredding = await desk.asked(ground="retention", citation="CGS 4-193")
    desk.now = long_ago + timedelta(days=1)
    await desk.log.happened(attempted(desk.ref, desk.child))
    approved = await desk.post(f"shreddings/{shredding}/approval", by="officer-2")
    assert approved.status_code == 409


@pytest.mark.parametrize(
    "citation", ["Court order Jane Canary", "CGS Jane Canary", "Court order ABC", "PA of Ansonia"]
)
async def test_p5_a_citation_has_no_room_for_anybodys_name(desk: Desk, citation: str) -> None:
    answer = await desk.post(f"children/{desk.child}/holds", citation=citation)
    assert answer.status_code == 422
    assert "Canary" not in answer.text


async def test_c29_what_is_due_says_held_when_the_hold_is_on_another_id_of_the_person(
    desk: Desk,
) -> None:
    other = new_id("chd")
    desk.people.person(desk.child, other, referral_id=desk.ref)
    await desk.post(f"children/{other}/holds", citation="Court order 9")
    await desk.log.sealer.drain()
    desk.now += timedelta(days=5 * 366)
    due = (await desk.get("retention/due"))["due"]
    assert {(each["child_id"], each["held"]) for each in due} == {(desk.child, True), (other, True)}


async def test_c29_a_read_of_the_accounting_since_the_request_keeps_the_content(
    desk: Desk,
) -> None:
    asked = desk.now
    desk.now += timedelta(days=5 * 366)
    order = await desk.asked(ground="retention", citation="CGS 4-193")
    desk.now = asked + timedelta(days=1)
    path = f"/v1/accounting/{desk.child}?purpose=investigation"
    reader = desk.tokens.bearer(["accounting:read"], "officer-3")
    assert (await desk.client.get(path, headers=reader)).status_code == 200
    assert (await desk.post(f"shreddings/{order}/approval", "officer-2")).status_code == 409


async def test_c29_looking_in_order_to_decide_keeps_nothing_alive_and_is_in_the_accounting(
    desk: Desk,
) -> None:
    """The approver must be able to look at what is approved (CGS 4-193: and that is on record)."""
    now = desk.now
    desk.now += timedelta(days=5 * 366)
    order = await desk.asked(ground="retention", citation="CGS 4-193")
    desk.now = now + timedelta(seconds=30)
    for path in ("shreddings", f"shreddings/{order}", "holds", "retention/due"):
        await desk.get(path)
    reader = desk.tokens.bearer(["accounting:read"], "officer-2")
    path = f"/v1/accounting/{desk.child}?purpose=retention"
    await desk.log.sealer.drain()
    made = (await desk.client.get(path, headers=reader)).json()
    reads = [row["purpose"] for row in made["rows"] if row["how"] == "record_read"]
    assert reads == ["retention", "retention"], "a list of holds without this child is no read"
    desk.now = now + timedelta(days=5 * 366)
    assert (await desk.post(f"shreddings/{order}/approval", "officer-2")).status_code == 200


async def test_c29_a_hold_that_is_listed_is_a_row_of_the_accounting_of_whom_it_names(
    desk: Desk,
) -> None:
    await desk.post(f"children/{desk.child}/holds", citation="Court order 9")
    await desk.get("holds")
    await desk.log.sealer.drain()
    reader = desk.tokens.bearer(["accounting:read"], "officer-2")
    path = f"/v1/accounting/{desk.child}?purpose=retention"
    made = (await desk.client.get(path, headers=reader)).json()
    assert [r["actor"] for r in made["rows"] if r["how"] == "record_read"] == ["officer-1"]
