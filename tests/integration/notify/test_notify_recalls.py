"""C15 over HTTP: a misdirected disclosure is recalled, and a person closes what cannot arrive."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text, update

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.models import OUTBOX
from services.notify.recalls import tables as recall_tables
from services.notify.recalls.api import recall_router
from services.notify.recalls.recalling import Recalling
from services.notify.routing.rulebook import load_rulebook
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.tasks import tables as task_tables
from shared.contracts.base import Source
from shared.contracts.codes import WithdrawalCause
from shared.contracts.disclosures import DisclosuresRefused
from shared.contracts.notices import NoticesClosed, NoticesRerouted
from shared.messaging.outbox import Outbox
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.http import create_app
from shared.runtime.ids import utc_now
from tests.support.databases import FreshDatabase
from tests.support.planning import FBI, POLICE, Child
from tests.support.stages import Staging

ISSUER = "https://issuer.test"
SCOPES = ["notices:recall", "notices:close"]


@dataclass
class Desk:
    staging: Staging
    client: httpx.AsyncClient
    token: Callable[..., str]

    async def post(
        self, notice_id: str, act: str, reason: str = "wrong_town", **claims: object
    ) -> httpx.Response:
        token = self.token("supervisor", SCOPES, **{"person": True, **claims})
        return await self.client.post(
            f"/v1/notices/{notice_id}/{act}",
            json={"reason": reason},
            headers={"Authorization": f"Bearer {token}"},
        )

    async def notice_of(self, agency_id: str, series: str = "received") -> str:
        (found,) = [
            n["notice_id"]
            for n in await self.staging.rows(models.notices)
            if (n["agency_id"], n["series"]) == (agency_id, series)
        ]
        return str(found)

    async def state_of(self, notice_id: str) -> str:
        (row,) = [
            d for d in await self.staging.rows(models.deliveries) if d["notice_id"] == notice_id
        ]
        return str(row["state"])


@pytest.fixture
async def desk(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    staging = await Staging.of(database.open("notify"), tmp_path)
    issuer, jwks = tmp_path / "issuer.jwk", tmp_path / "jwks.json"
    keys.make("issuer", issuer)
    jwks.write_text(json.dumps(keys.jwks(issuer)))
    app = create_app("notify under test", TokenVerifier(jwks, ISSUER))
    outbox = Outbox(OUTBOX, Source.NOTIFY)
    recalling = Recalling(staging.directories, Rulebooks(load_rulebook()), staging.clerk, outbox)
    app.include_router(recall_router(staging.db, recalling))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notify.test") as client:
        yield Desk(staging, client, LocalIssuer(issuer, ISSUER).token)


async def misdirected(desk: Desk) -> str:
    """The notice that Ansonia's police hold by mistake."""
    await desk.staging.receive(Child())
    await desk.staging.set_state(POLICE, "delivered", "completed")
    return await desk.notice_of(POLICE)


async def test_c15_a_recall_is_an_incident_asks_it_back_and_leaves_the_accounting(
    desk: Desk,
) -> None:
    wrong = await misdirected(desk)
    before = await desk.staging.rows(models.disclosures)
    answer = await desk.post(wrong, "recall")
    assert answer.status_code == 200, answer.text
    (incident,) = await desk.staging.rows(recall_tables.recalls)
    assert (incident["notice_id"], incident["reason"]) == (wrong, "wrong_town")
    assert incident["recalled_by"] == "supervisor"
    asked = answer.json()["recall_notice_id"]
    (recall,) = [n for n in await desk.staging.rows(models.notices) if n["notice_id"] == asked]
    assert (recall["agency_id"], recall["kind"], recall["recalls"]) == (POLICE, "recall", wrong)
    assert (recall["profile"], recall["fields"]) == (None, ["recall.notice_id"])
    assert await desk.state_of(asked) == "pending"
    assert await desk.state_of(wrong) == "closed"
    assert await desk.staging.rows(models.disclosures) == before
    (task,) = await desk.staging.rows(task_tables.tasks)
    assert (task["kind"], task["about"]) == ("misdirected", wrong)


async def test_c15_the_duty_is_open_again_for_the_clocks(desk: Desk) -> None:
    wrong = await misdirected(desk)
    answer = await desk.post(wrong, "recall")
    (said,) = [e for e in await desk.staging.emitted() if isinstance(e, NoticesRerouted)]
    assert [each.notice_id for each in said.left] == [wrong]
    assert [each.notice_id for each in said.notices] == [answer.json()["recall_notice_id"]]


async def test_c15_the_same_recall_again_is_the_same_answer_and_one_notice(desk: Desk) -> None:
    wrong = await misdirected(desk)
    first, again = await desk.post(wrong, "recall"), await desk.post(wrong, "recall")
    assert first.json() == again.json()
    assert len(await desk.staging.rows(models.notices)) == 5 + 1


async def test_c15_who_was_recalled_gets_no_supersession_when_the_town_is_put_right(
    desk: Desk,
) -> None:
    child = Child()
    referral_id = await desk.staging.receive(child)
    await desk.staging.set_state(POLICE, "delivered", "completed")
    await desk.post(await desk.notice_of(POLICE), "recall")
    derby = Child(child_id=child.child_id, towns=("Derby",))
    await desk.staging.handle(desk.staging.amended(referral_id, 2, derby))
    told = {(agency, version) for agency, _, version, _ in await desk.staging.told("received")}
    assert (POLICE, 2) not in told


async def test_c15_a_person_is_told_when_a_later_route_names_whom_it_was_taken_back_from(
    desk: Desk,
) -> None:
    async def said() -> list[str]:
        tasks = await desk.staging.rows(task_tables.tasks)
        return [str(task["detail"]) for task in tasks if task["kind"] == "conflict"]

    child = Child()
    referral_id = await desk.staging.receive(child)
    await desk.staging.set_state(POLICE, "delivered", "completed")
    await desk.post(await desk.notice_of(POLICE), "recall")
    recall = await desk.notice_of(POLICE, f"recall/{await desk.notice_of(POLICE)}")
    derby = Child(child_id=child.child_id, towns=("Derby",))
    await desk.staging.handle(desk.staging.amended(referral_id, 2, derby))
    assert await said() == []
    assert await desk.state_of(recall) == "pending", "what it holds is still asked back"
    await desk.staging.handle(desk.staging.amended(referral_id, 3, child))
    (detail,) = await said()
    assert detail.startswith(f"Version 3 of the referral names agency {POLICE}")
    assert "two people lift" in detail
    assert "conflict of interest" not in detail
    told = {(agency, version) for agency, _, version, _ in await desk.staging.told("received")}
    assert (POLICE, 3) not in told, "it stays held until two people lift it"
    await desk.staging.handle(desk.staging.amended(referral_id, 4, child))
    assert await said() == [detail], "one that is open is enough"
    async with desk.staging.db.transaction() as session:
        await session.execute(
            update(task_tables.tasks)
            .where(task_tables.tasks.c.kind == "conflict")
            .values(acknowledged_at=utc_now(), acknowledged_by="worker")
        )
    await desk.staging.handle(desk.staging.amended(referral_id, 5, child))
    assert [each.startswith("Version 5") for each in await said() if each != detail] == [True]


@pytest.mark.parametrize("act", ["recall", "close"])
@pytest.mark.parametrize("cause", list(WithdrawalCause))
async def test_c15_no_withdrawal_goes_where_a_pointer_was_taken_back_unread(
    desk: Desk, act: str, cause: WithdrawalCause
) -> None:
    referral_id = await desk.staging.receive(Child())
    await desk.staging.set_state(POLICE, "delivered")
    answer = await desk.post(await desk.notice_of(POLICE), act, "other")
    assert answer.status_code == 200, answer.text
    await desk.staging.handle(desk.staging.withdrawn(referral_id, cause))
    told = {agency for agency, _, _, _ in await desk.staging.told("withdrawal")}
    assert POLICE not in told


async def test_c15_a_withdrawal_that_waits_for_it_is_stopped_with_it(desk: Desk) -> None:
    referral_id = await desk.staging.receive(Child())
    await desk.staging.set_state(POLICE, "delivered")
    cause = WithdrawalCause.FALSE_REPORT
    await desk.staging.handle(desk.staging.withdrawn(referral_id, cause))
    off = await desk.notice_of(POLICE, "withdrawal")
    answer = await desk.post(await desk.notice_of(POLICE), "recall")
    assert answer.status_code == 200, answer.text
    assert await desk.state_of(off) == "closed"


async def test_p3_who_may_not_be_told_anything_is_not_even_asked_for_it_back(desk: Desk) -> None:
    wrong = await misdirected(desk)
    async with desk.staging.db.transaction() as session:
        await session.execute(
            text("UPDATE notify.agencies SET authority = NULL WHERE agency_id = :police"),
            {"police": POLICE},
        )
        await session.execute(text("UPDATE notify.directory SET version = version + 1"))
    answer = await desk.post(wrong, "recall", "conflict_overlooked")
    assert answer.json()["recall_notice_id"] is None
    assert len(await desk.staging.rows(models.notices)) == 5
    (refused,) = [e for e in await desk.staging.emitted() if isinstance(e, DisclosuresRefused)]
    assert refused.refused[0].agency_id == POLICE
    (row,) = await desk.staging.rows(models.refusals)
    assert row["kind"] == "recall"
    (task,) = await desk.staging.rows(task_tables.tasks)
    assert "may not lawfully" in task["detail"]


async def test_p8_no_recall_while_an_attempt_is_under_way_and_none_of_what_reached_nobody(
    desk: Desk,
) -> None:
    await desk.staging.receive(Child())
    notice = await desk.notice_of(FBI)
    assert (await desk.post(notice, "recall")).status_code == 409
    await desk.staging.set_state(FBI, "attempting", None)
    assert (await desk.post(notice, "recall")).status_code == 409
    assert (await desk.post(notice, "close", "other")).status_code == 409
    assert await desk.staging.rows(recall_tables.recalls) == []


async def test_a_named_person_closes_a_notice_with_a_reason_and_it_is_said(desk: Desk) -> None:
    await desk.staging.receive(Child())
    notice = await desk.notice_of(FBI)
    first = await desk.post(notice, "close", "told_by_other_means")
    assert first.status_code == 200, first.text
    assert (await desk.post(notice, "close", "other")).json() == first.json()
    assert await desk.state_of(notice) == "closed"
    (said,) = [e for e in await desk.staging.emitted() if isinstance(e, NoticesClosed)]
    assert [each.notice_id for each in said.notices] == [notice]
    (row,) = await desk.staging.rows(recall_tables.closings)
    assert (row["closed_by"], row["reason"]) == ("supervisor", "told_by_other_means")


async def test_what_was_delivered_is_not_closed(desk: Desk) -> None:
    notice = await misdirected(desk)
    assert (await desk.post(notice, "close", "other")).status_code == 409


@pytest.mark.parametrize("act", ["recall", "close"])
async def test_p10_no_machine_and_no_agency_may_and_unknown_ids_are_alike(
    desk: Desk, act: str
) -> None:
    notice = await misdirected(desk)
    reason = "other"
    assert (await desk.post(notice, act, reason, person=False)).status_code == 403
    assert (await desk.post(notice, act, reason, agency=POLICE)).status_code == 403
    unknown = await desk.post(f"ntc_{'0' * 32}", act, reason)
    assert unknown.status_code == 404
    assert unknown.content == (await desk.post("nothing", act, reason)).content
    assert (await desk.post(notice, act, "a story about somebody")).status_code == 422


async def test_c15_an_unread_version_is_recalled_by_asking_back_the_one_that_was_read(
    desk: Desk,
) -> None:
    child = Child()
    referral_id = await desk.staging.receive(child)
    await desk.staging.set_state(POLICE, "delivered", "completed")
    read = await desk.notice_of(POLICE)
    again = Child(child_id=child.child_id, name="Test Child Two")
    await desk.staging.handle(desk.staging.amended(referral_id, 2, again))
    await desk.staging.set_state(POLICE, "delivered")
    (unread,) = [
        n["notice_id"]
        for n in await desk.staging.rows(models.notices)
        if (n["agency_id"], n["version"]) == (POLICE, 2)
    ]
    answer = await desk.post(unread, "recall")
    assert answer.status_code == 200, answer.text
    assert answer.json()["disclosed"] is True
    asked = answer.json()["recall_notice_id"]
    (recall,) = [n for n in await desk.staging.rows(models.notices) if n["notice_id"] == asked]
    assert (recall["agency_id"], recall["recalls"]) == (POLICE, read)
    assert await desk.state_of(unread) == "closed"


async def test_c15_p3_no_later_version_goes_to_whom_a_notice_was_taken_back_from(
    desk: Desk,
) -> None:
    child = Child()
    referral_id = await desk.staging.receive(child)
    await desk.staging.set_state(POLICE, "delivered", "completed")
    assert (await desk.post(await desk.notice_of(POLICE), "recall")).status_code == 200
    renamed = Child(child_id=child.child_id, name="Test Child Two")
    await desk.staging.handle(desk.staging.amended(referral_id, 2, renamed))
    again = [
        (n["agency_id"], n["kind"])
        for n in await desk.staging.rows(models.notices)
        if n["version"] == 2
    ]
    assert POLICE not in {agency for agency, _ in again}
    assert (FBI, "correction") in again or (FBI, "original") in again
    (held,) = await desk.staging.rows(conflict_tables.conflicts)
    assert (held["agency_id"], held["ground"], held["lifted_at"]) == (POLICE, "misdirected", None)
