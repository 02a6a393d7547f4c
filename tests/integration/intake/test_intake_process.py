"""The process as deployed: killed between steps, stopped in order, refusing to start."""

import asyncio
import signal
import socket
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from shared.runtime.db import Database
from tests.support.intake import patch, post, project, referral
from tests.support.intake_process import IntakeProcess

pytestmark = pytest.mark.slow

PENDING = "SELECT count(*) FROM intake.outbox WHERE sent_at IS NULL"


async def counts(db: Database) -> tuple[Any, ...]:
    """Referrals, versions, views, and events of the two topics."""
    async with db.transaction() as session:
        rows = await session.execute(
            text(
                "SELECT (SELECT count(*) FROM intake.referrals), "
                "(SELECT count(*) FROM intake.referral_versions), "
                "(SELECT count(*) FROM intake.views), "
                "(SELECT count(*) FROM intake.outbox WHERE topic = 'referrals'), "
                "(SELECT count(*) FROM intake.outbox WHERE topic = 'disclosures')"
            )
        )
        return tuple(rows.one())


@pytest.mark.parametrize(
    ("failpoint", "kept"), [("intake.before_commit", 0), ("intake.after_commit", 1)]
)
async def test_p1_killed_around_the_commit_the_same_key_yields_the_same_referral(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database, failpoint: str, kept: int
) -> None:
    body = referral()
    await process.start()
    process.arm(failpoint)
    with pytest.raises(httpx.TransportError):
        await post(phone, body)
    assert await process.died() == -signal.SIGKILL
    assert await counts(intake_db) == (kept, kept, 0, kept, 0)
    await process.start()
    answers = [await post(phone, body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert await counts(intake_db) == (1, 1, 0, 1, 0)
    assert await process.stop() == 0


async def test_p2_killed_after_the_view_is_committed_the_read_stays_on_record(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database
) -> None:
    await process.start()
    kept = (await post(phone, referral())).json()
    process.arm("intake.after_view_commit")
    with pytest.raises(httpx.TransportError):
        await project(phone, kept["referral_id"])
    await process.died()
    assert await counts(intake_db) == (1, 1, 1, 1, 1)


async def test_p1_killed_after_an_amendment_is_committed_sending_it_again_is_412(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database
) -> None:
    """The caller then reads the status and finds its version 2; nothing is amended twice."""
    await process.start()
    kept = (await post(phone, referral())).json()
    process.arm("intake.after_commit")
    with pytest.raises(httpx.TransportError):
        await patch(phone, kept["referral_id"], {"source_type": "ems"})
    await process.died()
    await process.start()
    assert (await patch(phone, kept["referral_id"], {"source_type": "ems"})).status_code == 412
    assert (await phone.get(kept["links"]["self"])).json()["version"] == 2
    assert await counts(intake_db) == (1, 2, 0, 2, 0)


async def test_the_relay_sends_what_was_kept_and_the_ages_come_back_to_zero(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database
) -> None:
    await process.start()
    await post(phone, referral())
    async with intake_db.transaction() as session:
        for _ in range(200):
            if await session.scalar(text(PENDING)) == 0:
                break
            await asyncio.sleep(0.02)
    scraped = (await phone.get(f"{process.ops_url}/metrics")).text
    assert 'hartline_oldest_age_seconds{service="intake",what="outbox"} 0.0' in scraped
    assert 'hartline_intake_referrals_total{trigger="careline"} 1.0' in scraped


async def test_one_role_alone_serves_and_another_relays(
    process: IntakeProcess, phone: httpx.AsyncClient, intake_db: Database
) -> None:
    await process.start("api")
    assert (await post(phone, referral())).status_code == 201
    assert await process.stop() == 0
    async with intake_db.transaction() as session:
        pending = await session.scalar(text(PENDING))
    assert pending == 1


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("HARTLINE_INTAKE_DSN", None, "HARTLINE_INTAKE_DSN is not set: set it."),
        ("HARTLINE_INTAKE_KEYS", "/nowhere", "/nowhere cannot be read"),
        ("HARTLINE_JWKS", "/nowhere", "/nowhere cannot be read"),
        ("HARTLINE_BUS_DSN", None, "HARTLINE_BUS_DSN"),
        ("HARTLINE_PROFILE", "production", "HARTLINE_FAILPOINT_DIR is for tests"),
    ],
)
async def test_it_refuses_to_start_with_a_sentence_that_says_what_to_do(
    process: IntakeProcess, name: str, value: str | None, sentence: str
) -> None:
    without = {each: given for each, given in process.environment.items() if each != name}
    process.environment = without if value is None else without | {name: value}
    with pytest.raises(AssertionError):
        await process.start()
    assert await process.died() == 2
    assert sentence in process.stderr.read_text()
    assert "Traceback" not in process.stderr.read_text()


async def test_a_process_whose_port_another_has_ends_with_code_2_and_says_which(
    process: IntakeProcess,
) -> None:
    with socket.create_server(("127.0.0.1", process.port)):
        with pytest.raises(AssertionError, match="did not start"):
            await process.start()
        assert await process.died() == 2
    last = process.stderr.read_text().splitlines()[-1]
    assert f"Z Port {process.port} of 127.0.0.1 cannot be listened on: another" in last
