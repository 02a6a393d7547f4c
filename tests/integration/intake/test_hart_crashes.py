"""HART when the process or the database goes away at a bad moment (P1, P2), and its canaries."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from shared.runtime.db import Database
from shared.runtime.wakes import Wakes
from tests.support.cutting import Cut, CuttingProxy, cutting_proxy
from tests.support.databases import FreshDatabase
from tests.support.hart import (
    Office,
    completion,
    consult,
    office_of,
    operation,
    wanted_consult,
)
from tests.support.intake import Keys, app_on, desk_on
from tests.support.intake_process import IntakeProcess


@pytest.fixture
async def proxy(database: FreshDatabase) -> AsyncIterator[CuttingProxy]:
    async with cutting_proxy(database.dsns["intake"].app) as proxy:
        yield proxy


@pytest.fixture
async def far(proxy: CuttingProxy, intake_keys: Keys) -> AsyncIterator[Office]:
    """Intake behind the proxy."""
    db = Database.open(proxy.dsn, Wakes(), name="far")
    desk = desk_on(db, intake_keys)
    async with office_of(app_on(desk, intake_keys), intake_keys) as office:
        yield office
    await db.close()


async def count(db: Database, table: str) -> int:
    async with db.transaction() as session:
        found = await session.scalar(text(f"SELECT count(*) FROM intake.{table}"))
    assert isinstance(found, int)
    return found


@pytest.mark.parametrize("cut", list(Cut))
async def test_p1_a_step_whose_commit_was_ambiguous_is_taken_once(
    far: Office, proxy: CuttingProxy, intake_db: Database, cut: Cut
) -> None:
    kept = await far.receive()
    proxy.arm(cut)
    answer = await far.post("investigator", "/v1/consults", wanted_consult(kept), key="same")
    assert proxy.cuts == 1
    assert answer.status_code == 201
    again = await far.post("investigator", "/v1/consults", wanted_consult(kept), key="same")
    assert again.content == answer.content
    assert await count(intake_db, "consults") == await count(intake_db, "consult_entries") == 1
    assert await count(intake_db, "outbox") == 2


@pytest.mark.parametrize("cut", list(Cut))
async def test_p2_a_read_of_a_consult_whose_commit_was_ambiguous_is_on_record_once(
    far: Office, proxy: CuttingProxy, intake_db: Database, cut: Cut
) -> None:
    consult_id = await consult(far, await far.receive())
    before = await count(intake_db, "outbox")
    proxy.arm(cut)
    path = f"/v1/consults/{consult_id}/break-glass"
    answer = await far.post("stranger", path, {"reason": "An example emergency."})
    assert proxy.cuts == 1
    assert answer.status_code == 200
    assert await count(intake_db, "views") == await count(intake_db, "glass_breaks") == 1
    assert await count(intake_db, "outbox") == before + 1


async def test_p2_no_operation_is_shown_when_the_record_cannot_be_committed(
    far: Office, proxy: CuttingProxy, intake_db: Database
) -> None:
    kept = await far.post("admin", "/v1/operations", operation("hart-admin"))
    path = f"/v1/operations/{kept.json()['operation_id']}/content"
    proxy.arm(Cut.BEFORE, Cut.BEFORE, Cut.BEFORE)
    answer = await far.post("hart-admin", path)
    assert answer.status_code == 503
    assert "recovery" not in answer.text
    assert await count(intake_db, "record_views") == 0


@pytest.fixture
async def remote(process: IntakeProcess, intake_keys: Keys) -> AsyncIterator[Office]:
    """The people, over the network, with a process of its own."""
    async with httpx.AsyncClient(base_url=process.url) as client:
        yield Office(None, intake_keys, client)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["intake.once.before_commit", "intake.once.after_commit"])
async def test_p1_killed_around_the_commit_the_same_key_yields_the_same_consult(
    process: IntakeProcess, remote: Office, intake_db: Database, point: str
) -> None:
    await process.start()
    kept = await remote.receive()
    process.arm(point)
    body = wanted_consult(kept)
    with pytest.raises(httpx.TransportError):
        await remote.post("investigator", "/v1/consults", body, key="same")
    assert await process.died() == -9
    await process.start()
    answer = await remote.post("investigator", "/v1/consults", body, key="same")
    assert answer.status_code == 201, answer.text
    assert await count(intake_db, "consults") == await count(intake_db, "consult_entries") == 1


@pytest.mark.slow
async def test_p2_killed_after_the_view_it_is_on_record_though_nothing_was_shown(
    process: IntakeProcess, remote: Office, intake_db: Database
) -> None:
    await process.start()
    consult_id = await consult(remote, await remote.receive())
    process.arm("intake.after_view_commit")
    path = f"/v1/consults/{consult_id}/content"
    with pytest.raises(httpx.TransportError):
        await remote.post("investigator", path, {"purpose": "consult"})
    assert await process.died() == -9
    assert await count(intake_db, "views") == 1


SECRET = "Canary-Example"


def hidden(written: bytes) -> bool:
    """Whether the secret is in it: as it is, in hexadecimal or in base64."""
    secret = SECRET.encode()
    forms = [secret, secret.hex().encode()]
    forms += [base64.b64encode(b"\0" * shift + secret)[2 * shift : -4] for shift in range(3)]
    lower = written.lower()
    return any(form in written or form.lower() in lower for form in forms)


async def at_rest(dsn: str) -> bytes:
    """Every row of every table of intake and of the bus."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname IN ('intake', 'bus')"
        )
        found = []
        for (table,) in tables:
            for row in await connection.fetch(f"SELECT * FROM {table}"):
                found += [v if isinstance(v, bytes) else str(v).encode() for v in row.values()]
        return b"\n".join(found)
    finally:
        await connection.close()


async def use_everything(office: Office) -> list[httpx.Response]:
    """Every route with a canary in all that a person types; the answers that must not show it."""
    kept = await office.receive()
    consult_id = await consult(office, kept)
    path = f"/v1/consults/{consult_id}"
    one = f"/v1/consults/con_{'0' * 32}"
    flagged = {"case_number": "Canary Example", "reasons": SECRET}
    planned = operation("admin", plan=SECRET, agency=SECRET, contact=SECRET, place=SECRET)
    placed = kept.named(facility=SECRET)
    placement = await office.post("worker", "/v1/placements", placed)
    telling = {
        "told": SECRET,
        "position": SECRET,
        "fields": ["victim_status"],
        "warning_read": True,
    }
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("investigator", "/v1/consults", wanted_consult(kept) | {"reasons": SECRET}),
        ("liaison", f"{path}/completion", completion(narrative=SECRET)),
        ("liaison", f"{path}/completion", completion(SECRET)),
        ("liaison", f"{one}/completion", completion(narrative=SECRET)),
        ("stranger", f"{one}/break-glass", {"reason": SECRET}),
        ("liaison", f"{path}/content", {"purpose": SECRET}),
        ("worker", "/v1/case-flags", flagged),
        ("worker", "/v1/case-flags", flagged | {"case_number": f"{SECRET}\u00e9"}),
        ("admin", "/v1/operations", planned),
        ("admin", "/v1/operations", planned | {"expires_at": SECRET}),
        ("admin", "/v1/operations", planned | {"named": [f"{SECRET} two words"]}),
        ("worker", f"/v1/placements/{placement.json()['placement_id']}/tellings", telling),
        (
            "coordinator",
            "/v1/repatriations/determinations",
            kept.named(finding="best_interest", holds=True, reasons=SECRET),
        ),
        ("coordinator", "/v1/repatriations", kept.named(reasons=SECRET)),
    ]
    return [placement, *[await office.post(who, where, body) for who, where, body in bodies]]


@pytest.mark.slow
async def test_p5_what_hart_is_told_is_seen_by_its_readers_alone(
    process: IntakeProcess, remote: Office, database: FreshDatabase
) -> None:
    await process.start()
    answers = await use_everything(remote)
    broken = await remote.post(
        "stranger",
        f"/v1/consults/{answers[1].json()['consult_id']}/break-glass",
        {"reason": SECRET},
    )
    assert broken.status_code == 200
    assert hidden(broken.content)
    await asyncio.sleep(0.3)  # The relay writes to the bus.
    written = {
        "at rest": await at_rest(database.superuser_dsn),
        "metrics": (await remote.client.get(f"{process.ops_url}/metrics")).content,
        "answers": b"\n".join(b"%r %s" % (a.headers.raw, a.content) for a in answers),
    }
    assert await process.stop() == 0
    written["logs"] = process.stderr.read_bytes()
    assert b"glass_broken" in written["logs"]
    assert sorted({answer.status_code for answer in answers}) == [201, 404, 422]
    assert [place for place, what in written.items() if hidden(what)] == []
