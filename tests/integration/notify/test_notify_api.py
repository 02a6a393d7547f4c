"""Notify's HTTP API: a referral's notices, tasks and the watermark."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.notify.api import router
from services.notify.consumer import FileBreach
from services.notify.tasks.store import file_parked, file_tasks
from services.notify.tasks.task import NewTask, TaskKind
from shared.contracts.codes import Role
from shared.contracts.deadlines import ClockBreached
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.http import create_app
from shared.runtime.ids import new_id
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import FBI, MDT, POLICE, Child, Planning

ISSUER = "https://issuer.test"
STAFF = "notices:read notices:read-all tasks:read tasks:acknowledge internal:watermark"


@dataclass
class Desk:
    """Notify's API over a real database, asked as whoever the test wants to be."""

    planning: Planning
    client: httpx.AsyncClient
    token: Callable[..., str]

    async def get(self, path: str, scopes: str = STAFF, **claims: Any) -> httpx.Response:
        return await self.client.get(path, headers=self._as("worker", scopes, claims))

    async def acknowledge(
        self, task_id: str, subject: str = "person-a", scopes: str = STAFF, **claims: Any
    ) -> httpx.Response:
        claims = {"person": True} | claims
        headers = self._as(subject, scopes, claims)
        return await self.client.post(f"/v1/tasks/{task_id}/acknowledge", headers=headers)

    def _as(self, subject: str, scopes: str, claims: dict[str, Any]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(subject, scopes.split(), **claims)}"}

    async def file(self, about: str = "something", at: datetime = support.NOW) -> str:
        task = NewTask(TaskKind.REFUSED, about, new_id("ref"), "Look at it.")
        async with self.planning.db.transaction() as session:
            await file_tasks(session, [task], at)
            found = await session.scalar(
                text("SELECT task_id FROM notify.tasks WHERE about = :about"), {"about": about}
            )
        return str(found)


@pytest.fixture
async def desk(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    db = database.open("notify")
    await support.seed(db, support.agencies(), tmp_path)
    async with _client(db, tmp_path) as (client, token):
        yield Desk(Planning(db), client, token)


@asynccontextmanager
async def _client(
    db: Any, folder: Path
) -> AsyncIterator[tuple[httpx.AsyncClient, Callable[..., str]]]:
    key, jwks = folder / "issuer.jwk", folder / "jwks.json"
    keys.make("issuer", key)
    jwks.write_text(json.dumps(keys.jwks(key)))
    app = create_app("notify under test", TokenVerifier(jwks, ISSUER))
    app.include_router(router(db))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notify.test") as client:
        yield client, LocalIssuer(key, ISSUER).token


async def test_a_referrals_notices_say_who_why_and_how_far(desk: Desk) -> None:
    data = desk.planning.announce()
    await desk.planning.plan(data)
    answer = await desk.get(f"/v1/referrals/{data.referral_id}/notices")
    assert answer.status_code == 200
    body = answer.json()
    assert body["referral_id"] == data.referral_id
    assert len(body["notices"]) == 5
    police = next(n for n in body["notices"] if n["role"] == "local_law_enforcement")
    assert police == {
        "notice_id": police["notice_id"],
        "child_id": data.children[0].child_id,
        "role": "local_law_enforcement",
        "recipient": "Example Agency 0",
        "because": "Example Agency 0: incident town, CGS 17a-101b(c)",
        "version": 1,
        "kind": "original",
        "state": "pending",
        "reason": None,
        "attempts": 0,
        "planned_at": "2026-03-03T14:00:05Z",
        "delivered_at": None,
        "next_attempt_at": "2026-03-03T14:00:05Z",
        "held_by": [],
        "last_answer": None,
    }


async def test_when_a_stuck_notice_is_tried_next_is_shown_and_to_no_agency(desk: Desk) -> None:
    data = desk.planning.announce()
    await desk.planning.plan(data)
    path = f"/v1/referrals/{data.referral_id}/notices"

    async def next_of_the_fbi(**claims: Any) -> str | None:
        [found] = [
            n for n in (await desk.get(path, **claims)).json()["notices"] if n["role"] == "fbi"
        ]
        return str(found["next_attempt_at"]) if found["next_attempt_at"] else None

    async def change(**values: Any) -> None:
        async with desk.planning.db.transaction() as session:
            statement = "UPDATE notify.agencies SET halted = :halted, hold_until = :until "
            await session.execute(
                text(f"{statement} WHERE agency_id = :agency"), values | {"agency": FBI}
            )

    assert await next_of_the_fbi(agency=FBI) is None
    assert await next_of_the_fbi() == "2026-03-03T14:00:05Z"
    await change(halted=False, until=datetime(2026, 3, 3, 14, 30, tzinfo=UTC))
    assert await next_of_the_fbi() == "2026-03-03T14:30:00Z", (
        "its agency is left in peace until then"
    )
    await change(halted=True, until=None)
    assert await next_of_the_fbi() is None, "paused: resuming it is what it waits for"


async def test_a_breach_says_by_now_who_has_been_told_and_when_the_referral_came(
    desk: Desk,
) -> None:
    data = desk.planning.announce()
    await desk.planning.plan(data)
    due = support.NOW - timedelta(hours=1)
    breach = ClockBreached(
        referral_id=data.referral_id,
        clock_id=new_id("clk"),
        policy="FBI12",
        policy_version="2026-1",
        child_id=data.children[0].child_id,
        role=Role.FBI,
        due_at=due,
        discovered_at=support.NOW,
        tell=("compliance",),
    )
    async with desk.planning.db.transaction() as session:
        await FileBreach().apply(session, support.envelope(breach), breach, None)

    async def said() -> str:
        [task] = (await desk.get("/v1/tasks?open&desk=compliance")).json()["tasks"]
        return str(task["detail"])

    assert "NOT TOLD YET: fbi of child" in await said()
    assert "find out why it came so late" in await said()
    async with desk.planning.db.transaction() as session:
        await session.execute(
            text(
                "UPDATE notify.deliveries SET state = 'delivered', delivered_at = :at, "
                "opened_at = :at, next_attempt_at = NULL WHERE agency_id = :fbi"
            ),
            {"at": due + timedelta(hours=1), "fbi": FBI},
        )
    assert "has been told, the last at" in await said()
    assert "1 h 0 min late: nobody needs to be telephoned" in await said()
    assert (await desk.get("/v1/tasks?open&desk=hart_director")).json()["tasks"] == []


async def test_another_desks_task_may_be_taken_and_says_whose_it_was(desk: Desk) -> None:
    """A roster says who stands for a desk; without one nobody is known to."""
    task = NewTask(TaskKind.BREACHED, "a clock", None, "Look at it.", "compliance")
    async with desk.planning.db.transaction() as session:
        await file_tasks(session, [task], support.NOW)
    [filed] = (await desk.get("/v1/tasks?open")).json()["tasks"]
    answer = (await desk.acknowledge(filed["task_id"], "night-desk")).json()
    assert answer["acknowledged_for"] == "compliance"
    assert "Taken by night-desk, who does not stand for compliance" in answer["detail"]
    [kept] = (await desk.get("/v1/tasks?desk=compliance")).json()["tasks"]
    assert kept["acknowledged_for"] == "compliance", "its own desk finds it afterwards"


async def test_a_refused_leg_is_among_the_notices_with_its_reason(desk: Desk) -> None:
    data = desk.planning.announce(Child(towns=()))
    await desk.planning.plan(data)
    body = (await desk.get(f"/v1/referrals/{data.referral_id}/notices")).json()
    mdt = next(n for n in body["notices"] if n["role"] == "mdt")
    assert (mdt["state"], mdt["reason"]) == ("refused", "no_agency_for_role")
    assert mdt["recipient"] is None


async def test_p10_an_agency_sees_its_own_notices_and_of_others_not_even_that_they_are(
    desk: Desk,
) -> None:
    data = desk.planning.announce(Child(towns=()))
    await desk.planning.plan(data)
    path = f"/v1/referrals/{data.referral_id}/notices"
    own = (await desk.get(path, agency=FBI)).json()
    assert [n["role"] for n in own["notices"]] == ["fbi"]
    foreign = await desk.get(path, agency=POLICE)
    unknown = await desk.get(f"/v1/referrals/{new_id('ref')}/notices", agency=POLICE)
    refused = await desk.get(path, agency=MDT)
    malformed = await desk.get("/v1/referrals/ref_%00/notices", agency=POLICE)
    assert [r.status_code for r in (foreign, unknown, refused, malformed)] == [404] * 4
    assert foreign.content == unknown.content == refused.content == malformed.content


@pytest.mark.parametrize(
    "path", ["/v1/referrals/ref_0/notices", "/v1/tasks?open", "/internal/v1/watermark"]
)
async def test_p10_every_route_needs_a_token_with_its_scope(desk: Desk, path: str) -> None:
    assert (await desk.client.get(path)).status_code == 401
    answer = await desk.get(path, scopes="audit:read")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


async def test_open_tasks_are_listed_oldest_first_without_those_acknowledged(desk: Desk) -> None:
    first = await desk.file("first")
    taken = await desk.file("taken")
    second = await desk.file("second", support.NOW.replace(minute=1))
    assert (await desk.acknowledge(taken)).status_code == 200
    body = (await desk.get("/v1/tasks?open")).json()
    assert [task["task_id"] for task in body["tasks"]] == [first, second]
    assert body["next"] is None
    everything = (await desk.get("/v1/tasks")).json()["tasks"]
    assert {task["task_id"] for task in everything} == {first, taken, second}


async def test_tasks_come_in_pages_that_leave_nothing_out(desk: Desk) -> None:
    filed = {await desk.file(f"matter {n}") for n in range(5)}
    seen: list[str] = []
    after = ""
    while True:
        body = (await desk.get(f"/v1/tasks?open&limit=2{after}")).json()
        seen += [task["task_id"] for task in body["tasks"]]
        if body["next"] is None:
            break
        after = f"&after={body['next']}"
    assert len(seen) == 5
    assert set(seen) == filed


@pytest.mark.parametrize("query", ["after=ref_0", "after=%00", "limit=0", "limit=x", "open=xxxxxx"])
async def test_a_bad_query_is_refused_without_an_echo(desk: Desk, query: str) -> None:
    answer = await desk.get(f"/v1/tasks?{query}")
    assert answer.status_code == 422
    assert "xxxxxx" not in answer.text


async def test_a_person_acknowledges_once_and_the_same_person_again_changes_nothing(
    desk: Desk,
) -> None:
    task_id = await desk.file()
    answer = await desk.acknowledge(task_id)
    again = await desk.acknowledge(task_id)
    assert answer.status_code == again.status_code == 200
    assert answer.content == again.content
    assert answer.json()["acknowledged_by"] == "person-a"


async def test_what_somebody_else_has_acknowledged_is_a_conflict_that_changes_nothing(
    desk: Desk,
) -> None:
    task_id = await desk.file()
    await desk.acknowledge(task_id)
    assert (await desk.acknowledge(task_id, "person-b")).status_code == 409
    (task,) = (await desk.get("/v1/tasks")).json()["tasks"]
    assert task["acknowledged_by"] == "person-a"


async def test_only_a_person_acknowledges(desk: Desk) -> None:
    task_id = await desk.file()
    assert (await desk.acknowledge(task_id, person=False)).status_code == 403
    assert (await desk.acknowledge(task_id, scopes="tasks:read")).status_code == 403
    assert len((await desk.get("/v1/tasks?open")).json()["tasks"]) == 1


async def test_p10_an_agency_sees_and_takes_no_tasks(desk: Desk) -> None:
    task_id = await desk.file()
    assert (await desk.get("/v1/tasks?open", agency=FBI)).status_code == 403
    assert (await desk.acknowledge(task_id, agency=FBI)).status_code == 403


async def test_p10_the_link_of_a_page_leads_to_its_task_and_no_agency_follows_it(
    desk: Desk,
) -> None:
    await desk.file("another")
    task_id = await desk.file()
    found = await desk.get(f"/v1/tasks/{task_id}")
    assert (found.status_code, found.json()["task_id"]) == (200, task_id)
    assert (await desk.get(f"/v1/tasks/{task_id}", agency=FBI)).status_code == 403


async def test_an_unknown_task_is_not_found(desk: Desk) -> None:
    assert (await desk.get(f"/v1/tasks/{new_id('tsk')}")).status_code == 404
    assert (await desk.acknowledge(new_id("tsk"))).status_code == 404
    assert (await desk.acknowledge("tsk_%00")).status_code == 404


async def test_the_watermark_is_the_oldest_unrelayed_fact_or_none(desk: Desk) -> None:
    before = (await desk.get("/internal/v1/watermark")).json()
    assert before["oldest_unrelayed_at"] is None
    await desk.planning.plan(desk.planning.announce())
    after = (await desk.get("/internal/v1/watermark")).json()
    oldest = datetime.fromisoformat(after["oldest_unrelayed_at"])
    assert oldest.utcoffset() == UTC.utcoffset(None)
    assert oldest <= datetime.fromisoformat(after["now"])
    async with desk.planning.db.transaction() as session:
        await session.execute(text("UPDATE notify.outbox SET sent_at = now()"))
    assert (await desk.get("/internal/v1/watermark")).json()["oldest_unrelayed_at"] is None


async def test_a_parked_subject_is_a_task_once_and_again_when_parked_again(desk: Desk) -> None:
    park = text(
        "INSERT INTO notify.inbox_streams (topic, source, subject, cursor, highest, parked_at, "
        "parked_reason) VALUES ('referrals', '/hartline/intake', :subject, 3, 4, now(), "
        "'Permanent') ON CONFLICT (topic, source, subject) DO UPDATE SET parked_at = now()"
    )
    subject = {"subject": new_id("ref")}
    for expected in (1, 1, 2):
        if expected == 2 or not (await desk.get("/v1/tasks")).json()["tasks"]:
            async with desk.planning.db.transaction() as session:
                await session.execute(park, subject)
        async with desk.planning.db.transaction() as session:
            await file_parked(session)
        tasks = (await desk.get("/v1/tasks?open")).json()["tasks"]
        assert len(tasks) == expected
    assert tasks[0]["kind"] == "parked"
    assert tasks[0]["detail"].startswith("referrals #4 of this subject cannot be handled (Perm")
    assert f"./hartline run notify parked show {subject['subject']}" in tasks[0]["detail"]


async def test_a_token_that_names_no_agency_sees_nobodys_notices_without_the_scope_for_all(
    desk: Desk,
) -> None:
    """P10: an issuer's slip must not show one agency what the others got."""
    path = f"/v1/referrals/{new_id('ref')}/notices"
    assert (await desk.get(path, scopes="notices:read")).status_code == 403
    assert (await desk.get(path)).status_code == 404
