"""Receiving referrals over a real PostgreSQL (P1)."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from services.intake.api import Desk
from services.intake.receiving import Receiving, _Draft
from shared.contracts.referrals import ReferralReceived
from shared.runtime import keys
from shared.runtime.db import Database
from tests.support.intake import Keys, app_on, child, client_of, desk_on, events_of, post, referral
from tests.support.statements import recorded


async def rows(db: Database, query: str) -> list[dict[str, object]]:
    async with db.transaction() as session:
        return [dict(row) for row in (await session.execute(text(query))).mappings()]


async def test_p1_a_referral_is_answered_with_its_ids_and_stored_with_its_event(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    body = referral(children=[child(), child(name="Test Child Two", ht_type="labor")])
    answer = await post(client, body)
    assert answer.status_code == 201, answer.text
    kept = answer.json()
    assert re.fullmatch(r"HL-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", kept["number"])
    assert kept["version"] == 1
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["location"] == f"/v1/referrals/{kept['referral_id']}"
    stored = await rows(intake_db, "SELECT topic, subject, sequence, body FROM intake.outbox")
    (event,) = events_of(stored)
    assert isinstance(event, ReferralReceived)
    assert event.referral_id == kept["referral_id"] == stored[0]["subject"]
    assert [c.child_id for c in event.children] == [c["child_id"] for c in kept["children"]]
    assert [c.ht_type.value for c in event.children] == ["sex", "labor"]
    status = await client.get(answer.headers["location"])
    assert status.json() == kept
    assert status.headers["etag"] == '"1"'


async def test_p1_the_same_key_and_body_gives_the_first_answer_again(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    body = referral()
    first = await post(client, body)
    again = await post(client, dict(reversed(body.items())))
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert await rows(intake_db, "SELECT count(*) AS n FROM intake.outbox") == [{"n": 1}]


async def test_the_same_key_with_another_body_is_a_conflict(client: httpx.AsyncClient) -> None:
    await post(client, referral())
    answer = await post(client, referral(children=[child(name="Test Child Two")]))
    assert answer.status_code == 409
    assert "Test Child" not in answer.text
    assert "retry-after" not in answer.headers


async def test_the_same_key_of_another_caller_is_another_referral(
    client: httpx.AsyncClient, intake_keys: Keys
) -> None:
    body = referral()
    first = await post(client, body)
    other = await post(client, body, **intake_keys.bearer("another-system"))
    assert other.status_code == 201
    assert other.json()["referral_id"] != first.json()["referral_id"]


async def test_p1_simultaneous_requests_with_one_key_make_one_referral_and_agree(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    body = referral()
    answers = await asyncio.gather(*(post(client, body) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await rows(
        intake_db,
        "SELECT (SELECT count(*) FROM intake.referrals) AS referrals, "
        "(SELECT count(*) FROM intake.outbox) AS events",
    ) == [{"referrals": 1, "events": 1}]


async def test_simultaneous_requests_with_one_key_and_two_bodies_make_one_and_refuse_one(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    bodies = (referral(), referral(children=[child(name="Test Child Two")]))
    answers = await asyncio.gather(*(post(client, body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert await rows(intake_db, "SELECT count(*) AS n FROM intake.referrals") == [{"n": 1}]


async def test_a_request_that_waits_too_long_for_the_first_is_told_to_come_back(
    client: httpx.AsyncClient,
    desk: Desk,
    intake_db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.intake.receiving._PATIENCE_MS", 30)
    body = referral()
    keep = Receiving._keep
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(self: Receiving, draft: _Draft) -> bool:
        async with self._db.transaction() as session:
            kept = await self._create(session.execute, draft)
            entered.set()
            await leave.wait()
        return kept

    monkeypatch.setattr(Receiving, "_keep", slow)
    first = asyncio.create_task(post(client, body))
    await entered.wait()
    monkeypatch.setattr(Receiving, "_keep", keep)
    second = await post(client, body)
    assert second.status_code == 409
    assert second.headers["retry-after"] == "1"
    leave.set()
    assert (await first).status_code == 201
    assert (await post(client, body)).content == (await first).content


async def test_a_number_that_is_taken_is_drawn_again(
    client: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(["HL-AAAA-AAAA", "HL-AAAA-AAAA", "HL-BBBB-BBBB"])
    monkeypatch.setattr(desk.receiving, "_new_number", lambda: next(numbers))
    given = [(await post(client, referral(), key)).json()["number"] for key in ("one", "two")]
    assert given == ["HL-AAAA-AAAA", "HL-BBBB-BBBB"]


async def test_p1_a_request_sent_again_after_a_rotation_of_keys_is_recognised(
    client: httpx.AsyncClient, intake_db: Database, tmp_path: Path
) -> None:
    made = Keys.make(tmp_path)
    body = referral()
    async with client_of(app_on(desk_on(intake_db, made), made), made) as before:
        first = await post(before, body)
    keys.make("hmac", made.directory / "idempotency-2.key")
    async with client_of(app_on(desk_on(intake_db, made), made), made) as after:
        assert (await post(after, body)).content == first.content
        assert (await post(after, referral(source_type="ems"))).status_code == 409
        assert (await post(after, body, "key-2")).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 129, "with space", "n\u00e9"])
async def test_a_key_that_is_not_one_is_refused(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post(
        "/v1/referrals", json=referral(), headers={b"Idempotency-Key": key.encode("latin-1")}
    )
    assert answer.status_code == 400


async def test_a_missing_key_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/referrals", json=referral())).status_code == 400


async def test_creating_takes_few_statements(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller is on the line: one statement for the referral and its event."""
    statements = recorded(monkeypatch)
    await post(client, referral(children=[child() for _ in range(20)]))
    assert len(statements) == 1
