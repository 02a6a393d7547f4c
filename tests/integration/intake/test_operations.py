"""Law-enforcement operations (C28): for the named, until they end, and on no topic."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.intake.operations import store
from shared.contracts.disclosures import RecordViewed
from shared.runtime.db import Database
from tests.support.hart import Office, in_future, operation
from tests.support.intake import events_of

UNKNOWN = f"rec_{'0' * 32}"


async def keep(office: Office, *named: str, **fields: Any) -> str:
    answer = await office.post("careline-admin", "/v1/operations", operation(*named, **fields))
    assert answer.status_code == 201, answer.text
    operation_id: str = answer.json()["operation_id"]
    return operation_id


async def shown(office: Office, person: str, operation_id: str, **how: Any) -> httpx.Response:
    return await office.post(person, f"/v1/operations/{operation_id}/content", **how)


async def outbox(db: Database) -> list[Any]:
    async with db.transaction() as session:
        rows = await session.execute(text("SELECT body FROM intake.outbox ORDER BY id"))
        return events_of([{"body": row.body} for row in rows])


async def over_now(db: Database, **later: float) -> int:
    now = datetime.now(UTC) + timedelta(**later)
    async with db.transaction() as session:
        return await store.count_over(session, now - timedelta(days=30), now)


async def expire(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(
            text("UPDATE intake.operations SET expires_at = now() - interval '1 second'")
        )


async def test_c28_a_named_person_reads_and_everybody_else_gets_the_identical_404(
    office: Office, intake_db: Database
) -> None:
    kept = await keep(office, "hart-admin")
    assert (await shown(office, "hart-admin", kept)).json()["plan"] == "An example recovery."
    refused = [
        await shown(office, "careline-admin", kept),
        await shown(office, "stranger", kept),
        await shown(office, "hart-admin", kept, machine=True),
        await shown(office, "hart-admin", UNKNOWN),
        await shown(office, "hart-admin", "nonsense"),
        await office.post("stranger", f"/v1/operations/{kept}/ends"),
        await office.post("stranger", f"/v1/operations/{UNKNOWN}/ends"),
    ]
    await expire(intake_db)
    refused.append(await shown(office, "hart-admin", kept))
    refused.append(await office.post("hart-admin", f"/v1/operations/{kept}/ends"))
    assert {answer.status_code for answer in refused} == {404}
    assert len({answer.content for answer in refused}) == 1
    heads = [{k: v for k, v in answer.headers.items() if k != "date"} for answer in refused]
    assert all(head == heads[0] for head in heads)


async def test_c28_an_operation_fans_out_to_nobody(office: Office, intake_db: Database) -> None:
    await keep(office, "hart-admin")
    assert await outbox(intake_db) == []


async def test_p2_a_read_is_on_record_and_does_not_say_that_it_was_an_operation(
    office: Office, intake_db: Database
) -> None:
    kept = await keep(office, "hart-admin")
    await shown(office, "hart-admin", kept)
    await shown(office, "stranger", kept)
    (viewed,) = await outbox(intake_db)
    assert isinstance(viewed, RecordViewed)
    assert (viewed.record_id, viewed.actor) == (kept, "hart-admin")
    assert "operation" not in viewed.model_dump_json()


async def test_c28_an_operation_is_counted_when_it_is_over_and_not_before(
    office: Office, intake_db: Database
) -> None:
    await keep(office, "hart-admin")
    assert await over_now(intake_db) == 0
    assert await over_now(intake_db, hours=7) == 1


async def test_c28_a_named_person_sees_which_operations_are_under_way(
    office: Office, intake_db: Database
) -> None:
    mine = await keep(office, "hart-admin", "careline-lead")
    await keep(office, "another")
    listed = (await office.get("hart-admin", "/v1/operations")).json()["operations"]
    assert [each["operation_id"] for each in listed] == [mine]
    assert (await office.get("stranger", "/v1/operations")).json() == {"operations": []}
    await expire(intake_db)
    assert (await office.get("hart-admin", "/v1/operations")).json() == {"operations": []}


async def test_c28_a_named_person_ends_an_operation_or_moves_its_end(
    office: Office, intake_db: Database
) -> None:
    kept = await keep(office, "hart-admin")
    path = f"/v1/operations/{kept}/ends"
    later = await office.post("hart-admin", path, {"expires_at": in_future(days=3)})
    assert later.status_code == 201
    too_far = await office.post("hart-admin", path, {"expires_at": in_future(days=90)})
    assert too_far.json()["errors"][0]["pointer"] == "#/expires_at"
    assert await over_now(intake_db, days=2) == 0
    assert (await office.post("hart-admin", path)).status_code == 201
    assert (await shown(office, "hart-admin", kept)).status_code == 404
    assert await over_now(intake_db) == 1


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "#/expires_at"),
        ({"named": []}, "#/named"),
        ({"named": ["Example Person"]}, "#/named/0"),
        ({"plan": ""}, "#/plan"),
    ],
)
async def test_a_wrong_notice_is_422_with_a_pointer(
    office: Office, fields: dict[str, Any], pointer: str
) -> None:
    body = operation("hart-admin") | fields
    answer = await office.post("careline-admin", "/v1/operations", body)
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert "Example Person" not in answer.text


async def test_p1_a_notice_sent_again_is_kept_once(office: Office, intake_db: Database) -> None:
    body = operation("hart-admin")
    one = await office.post("careline-admin", "/v1/operations", body, key="same")
    two = await office.post("careline-admin", "/v1/operations", body, key="same")
    assert one.content == two.content
    async with intake_db.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM intake.operations")) == 1


async def test_p5_a_notice_lies_sealed(office: Office, intake_db: Database) -> None:
    await keep(office, "hart-admin", plan="Canary-plan", agency="Canary-agency")
    async with intake_db.transaction() as session:
        (row,) = (await session.execute(text("SELECT * FROM intake.operations"))).all()
    written = b"|".join(each if isinstance(each, bytes) else str(each).encode() for each in row)
    assert b"Canary" not in written
