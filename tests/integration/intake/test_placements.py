"""The placement gate and repatriation: on record first (A1.36, A1.38)."""

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from shared.contracts.disclosures import ToldOrally
from shared.runtime.db import Database
from tests.support.hart import Kept, Office, in_future
from tests.support.intake import events_of


async def tellings(db: Database) -> list[ToldOrally]:
    async with db.transaction() as session:
        rows = await session.execute(text("SELECT body FROM intake.outbox ORDER BY id"))
        events = events_of([{"body": row.body} for row in rows])
    return [each for each in events if isinstance(each, ToldOrally)]


def telling(**fields: Any) -> dict[str, Any]:
    return {
        "told": "Example Director",
        "position": "director",
        "fields": ["victim_status"],
        "warning_read": True,
        **fields,
    }


async def propose(office: Office, **fields: Any) -> tuple[Kept, str]:
    kept = await office.receive()
    body = kept.named(facility="Example House", **fields)
    answer = await office.post("worker", "/v1/placements", body)
    assert answer.status_code == 201, answer.text
    return kept, f"/v1/placements/{answer.json()['placement_id']}"


async def test_a_placement_is_confirmed_only_after_its_facility_was_told(office: Office) -> None:
    _, path = await propose(office)
    refused = await office.post("worker", f"{path}/confirmation")
    assert refused.status_code == 409
    assert "has not been told" in refused.json()["detail"]
    partly = telling(fields=["safety_needs"])
    assert (await office.post("worker", f"{path}/tellings", partly)).status_code == 201
    assert (await office.post("worker", f"{path}/confirmation")).status_code == 409
    assert (await office.post("worker", f"{path}/tellings", telling())).status_code == 201
    assert (await office.post("worker", f"{path}/confirmation")).status_code == 201
    assert (await office.post("worker", f"{path}/confirmation")).status_code == 409


async def test_p2_telling_a_facility_is_a_disclosure_that_names_nobody_in_clear(
    office: Office, intake_db: Database
) -> None:
    kept, path = await propose(office)
    told = await office.post("worker", f"{path}/tellings", telling())
    (event,) = await tellings(intake_db)
    assert event.disclosure_id == told.json()["disclosure_id"]
    assert event.child_ids == (kept.child_ids[0],)
    assert event.recipient_id == path.rpartition("/")[2]
    assert (event.actor, event.fields, event.version) == ("worker", ("victim_status",), 1)
    assert len(event.commitment) == 64
    async with intake_db.transaction() as session:
        for table in ("placements", "tellings", "outbox", "idempotency_keys"):
            for row in await session.execute(text(f"SELECT t.* FROM intake.{table} AS t")):
                written = b"|".join(
                    each if isinstance(each, bytes) else str(each).encode() for each in row
                )
                assert b"Example House" not in written
                assert b"Example Director" not in written


async def test_a_telling_sent_again_is_one_disclosure(office: Office, intake_db: Database) -> None:
    _, path = await propose(office)
    for _ in range(2):
        answer = await office.post("worker", f"{path}/tellings", telling(), key="same")
        assert answer.status_code == 201
    assert len(await tellings(intake_db)) == 1


async def test_c18_no_child_is_placed_where_somebody_is_implicated(office: Office) -> None:
    _, path = await propose(office, facility_implicated=True)
    assert (await office.post("worker", f"{path}/tellings", telling())).status_code == 201
    refused = await office.post("worker", f"{path}/confirmation")
    assert refused.status_code == 409
    assert "implicated" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"warning_read": False}, "#/warning_read"),
        ({"told_at": in_future(hours=2)}, "#/told_at"),
        ({"fields": ["Test Field"]}, "#/fields/0"),
        ({"told": ""}, "#/told"),
    ],
)
async def test_a_wrong_telling_is_422_with_a_pointer(
    office: Office, fields: dict[str, Any], pointer: str
) -> None:
    _, path = await propose(office)
    answer = await office.post("worker", f"{path}/tellings", telling(**fields))
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert "Test Field" not in answer.text


async def determine(office: Office, kept: Kept, finding: str, holds: bool) -> None:
    body = kept.named(finding=finding, holds=holds, reasons="An example reason.")
    answer = await office.post("coordinator", "/v1/repatriations/determinations", body)
    assert answer.status_code == 201, answer.text


async def repatriate(office: Office, kept: Kept) -> httpx.Response:
    return await office.post("coordinator", "/v1/repatriations", kept.named())


async def test_c27_repatriation_needs_two_determinations_by_two_entries(office: Office) -> None:
    kept = await office.receive()
    refused = await repatriate(office, kept)
    assert refused.status_code == 409
    assert "best_interest" in refused.json()["detail"]
    assert "no_retrafficking_risk" in refused.json()["detail"]
    await determine(office, kept, "best_interest", True)
    await determine(office, kept, "best_interest", True)
    refused = await repatriate(office, kept)
    assert "not determined yet" in refused.json()["detail"]
    assert "(best_interest)" not in refused.json()["detail"]
    await determine(office, kept, "no_retrafficking_risk", False)
    assert "determined against" in (await repatriate(office, kept)).json()["detail"]
    await determine(office, kept, "no_retrafficking_risk", True)
    assert (await repatriate(office, kept)).status_code == 201


async def test_c27_one_childs_determinations_permit_no_other_childs_repatriation(
    office: Office,
) -> None:
    one, two = await office.receive(), await office.receive()
    await determine(office, one, "best_interest", True)
    await determine(office, one, "no_retrafficking_risk", True)
    assert (await repatriate(office, two)).status_code == 409
    assert (await repatriate(office, one)).status_code == 201


async def test_p5_what_is_determined_and_why_lies_sealed(
    office: Office, intake_db: Database
) -> None:
    kept = await office.receive()
    await determine(office, kept, "best_interest", True)
    async with intake_db.transaction() as session:
        (row,) = (await session.execute(text("SELECT * FROM intake.determinations"))).all()
    assert b"example reason" not in row.sealed
    assert "holds" not in dict(row)
