"""Delivery: what is on record before, during and after an attempt (P1, P2, P5)."""

import asyncio
import base64
import json
import time
from collections import Counter
from typing import Any

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.notify.delivery import postroom
from services.notify.delivery.deliver import Limits
from shared.contracts.disclosures import (
    DisclosuresAttempted,
    DisclosuresCompleted,
    DisclosuresFailed,
    DisclosuresUnknown,
)
from shared.contracts.notices import NoticesDelivered
from shared.runtime.pgnotify import LOST
from tests.support.deliveries import COPY, World, decrypt, eventually
from tests.support.receiver import Receiver, answer, garbage, receiving, reset

SHORT = Limits(deadline=0.3)


async def test_a_notice_arrives_signed_encrypted_and_complete(
    world: World, receiver: Receiver
) -> None:
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "delivered"))
    (request,) = receiver.requests
    assert request.path == "/hook"
    assert request.headers["content-type"] == "application/jose"
    _verify(world, request.headers, request.body)
    form = json.loads(decrypt(request.body))
    assert form["notice_id"] == request.notice_id == notice
    assert form["child"] == {**COPY, "child_id": await world.child_of(notice)}
    assert await world.facts(notice) == ["completed:200"]


async def test_p2_the_record_is_committed_before_the_receiver_sees_a_byte(
    world: World, receiver: Receiver
) -> None:
    """Seen from another session at the moment the first byte arrives: the disclosure, the event
    that says so, and a delivery in state attempting."""
    seen: list[tuple[int, int, str]] = []

    async def look() -> None:
        connection = await asyncpg.connect(world.database.superuser_dsn)
        try:
            row = await connection.fetchrow(
                "SELECT (SELECT count(*) FROM notify.disclosures), (SELECT count(*) FROM "
                "notify.outbox WHERE topic = 'disclosures'), (SELECT state FROM notify.deliveries)"
            )
            seen.append(tuple(row))
        finally:
            await connection.close()

    receiver.first_byte = look
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "delivered"))
    assert seen == [(1, 1, "attempting")]


async def test_events_tell_attempt_completion_and_delivery_once(
    world: World, receiver: Receiver
) -> None:
    agency = await world.agency(receiver.url)
    notices = await world.notices(agency, 3)
    async with world.delivering():
        await eventually(lambda: _states(world, {"delivered": 3}))
    (attempted,) = await world.events(DisclosuresAttempted)
    assert {each.notice_id for each in attempted.attempts} == set(notices)
    assert {each.agency_id for each in attempted.attempts} == {agency}
    completed = await world.events(DisclosuresCompleted)
    told = [each for event in completed for each in event.outcomes]
    assert {each.disclosure_id for each in told} == {
        each.disclosure_id for each in attempted.attempts
    }
    delivered = [each for event in await world.events(NoticesDelivered) for each in event.notices]
    assert sorted(each.notice_id for each in delivered) == sorted(notices)


async def test_every_failure_is_retried_under_the_same_webhook_id(
    world: World, receiver: Receiver
) -> None:
    receiver.script = [answer(500), reset, answer(404), garbage]
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering():
        for attempts in range(1, 5):
            await eventually(lambda n=attempts: _retrying(world, notice, n))  # type: ignore[misc]
            await world.make_due(notice)
        await eventually(lambda: _is(world, notice, "delivered"))
    assert receiver.notice_ids == [notice] * 5
    assert await world.facts(notice) == [
        "completed:500",
        "unknown",
        "completed:404",
        "unknown",
        "completed:200",
    ]


async def test_the_first_retry_comes_by_itself_within_a_second(
    world: World, receiver: Receiver
) -> None:
    receiver.script = [answer(503)]
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering():
        await eventually(lambda: _is(world, notice, "delivered"), within=2)


async def test_retry_after_is_kept_as_a_floor(world: World, receiver: Receiver) -> None:
    receiver.behaviour = answer(429, "Retry-After: 120")
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering():
        await eventually(lambda: _retrying(world, notice, 1))
    rows = await world.rows(
        "SELECT extract(epoch FROM next_attempt_at - clock_timestamp()) AS wait "
        "FROM notify.deliveries"
    )
    assert 110 < float(rows[0].wait) <= 144


async def test_p2_nothing_sent_is_told_apart_from_unknown(world: World) -> None:
    async with receiving() as gone:
        url = gone.url
    notice = await world.notice(await world.agency(url))
    async with world.delivering():
        await eventually(lambda: _retrying(world, notice, 1))
    assert await world.facts(notice) == ["failed"]
    (failed,) = await world.events(DisclosuresFailed)
    assert failed.outcomes[0].notice_id == notice
    assert await world.events(DisclosuresCompleted, DisclosuresUnknown) == []


async def test_p2_a_crash_between_claim_and_outcome_is_unknown_and_retried(
    world: World, receiver: Receiver
) -> None:
    """The record says attempted; once the attempt's deadline is past it says unknown, and the
    notice goes out again under the same webhook-id."""
    receiver.script = [receiver.hang]
    notice = await world.notice(await world.agency(receiver.url))
    first = world.start(SHORT)
    await eventually(lambda: _received(receiver, 1))
    await first.kill()
    assert (await world.state(notice), await world.facts(notice)) == ("attempting", [""])
    async with world.delivering(SHORT):
        await eventually(lambda: _is(world, notice, "delivered"))
    assert receiver.notice_ids == [notice, notice]
    assert await world.facts(notice) == ["unknown", "completed:200"]
    (unknown,) = await world.events(DisclosuresUnknown)
    assert unknown.outcomes[0].notice_id == notice


async def test_an_open_attempt_of_a_dead_owner_is_left_alone_until_its_deadline(
    world: World, receiver: Receiver
) -> None:
    receiver.script = [receiver.hang]
    notice = await world.notice(await world.agency(receiver.url))
    first = world.start(Limits(deadline=60))
    await eventually(lambda: _received(receiver, 1))
    await first.kill()
    async with world.delivering():
        await asyncio.sleep(0.05)
        assert await world.state(notice) == "attempting"
    assert len(receiver.requests) == 1


async def test_an_open_attempt_of_a_living_owner_is_never_reclaimed_early(
    world: World, receiver: Receiver
) -> None:
    receiver.script = [receiver.hang]
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering(Limits(drain=0.05)), world.delivering():
        await eventually(lambda: _received(receiver, 1))
        await world.rows(
            "UPDATE notify.deliveries SET attempt_deadline = clock_timestamp() - "
            "CAST('5 s' AS interval) RETURNING 1"
        )
        await asyncio.sleep(0.05)
        assert await world.facts(notice) == [""]
        receiver.released.set()
        await eventually(lambda: _is(world, notice, "delivered"))


async def test_p2_what_is_late_by_the_time_its_letter_is_written_is_not_sent(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process is frozen meanwhile: by then the attempt may have been declared over."""
    sign = world.signer.headers

    def frozen(*given: Any, **options: Any) -> dict[str, str]:
        time.sleep(0.4)
        return sign(*given, **options)

    monkeypatch.setattr(world.signer, "headers", frozen)
    notice = await world.notice(await world.agency(receiver.url))
    async with world.delivering(SHORT):
        await eventually(lambda: _retrying(world, notice, 1))
    assert receiver.connections == 0
    rows = await world.rows("SELECT outcome, obstacle FROM notify.disclosure_outcomes")
    assert [tuple(row) for row in rows] == [("failed", "interrupted")]


async def test_stopping_lets_what_is_in_flight_end(world: World, receiver: Receiver) -> None:
    receiver.behaviour = receiver.hang
    notice = await world.notice(await world.agency(receiver.url))
    running = world.start()
    await eventually(lambda: _received(receiver, 1))
    stopping = asyncio.create_task(running.stop())
    await asyncio.sleep(0.02)
    receiver.released.set()
    await stopping
    assert await world.state(notice) == "delivered"


async def test_stopping_breaks_off_what_hangs_and_records_it(
    world: World, receiver: Receiver
) -> None:
    receiver.behaviour = receiver.hang
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency)
    running = world.start(Limits(drain=0.05))
    await eventually(lambda: _received(receiver, 1))
    await running.stop()
    assert (await world.state(notice), await world.facts(notice)) == ("pending", ["unknown"])
    rows = await world.rows("SELECT consecutive_failures AS n FROM notify.agencies")
    assert rows[0].n == 0, "that we stopped says nothing about the agency"


async def test_a_letter_that_is_finished_after_we_have_broken_off_is_not_sent(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2: nobody would wait for its answer."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go_on.wait()

    monkeypatch.setattr(postroom, "_the_others", wait)
    notice = await world.notice(await world.agency(receiver.url))
    running = world.start(Limits(drain=0.05))
    await begun.wait()
    stopping = asyncio.create_task(running.stop())
    await asyncio.sleep(0.2)
    go_on.set()
    await stopping
    assert (await world.state(notice), await world.facts(notice)) == ("pending", ["failed"])
    assert receiver.connections == 0


async def test_p5_a_sealed_copy_that_does_not_open_is_not_sent_and_a_person_is_told(
    world: World, receiver: Receiver
) -> None:
    agency = await world.agency(receiver.url)
    good, bad = await world.notices(agency, 2)
    await world.rows(
        "UPDATE notify.copies SET sealed = sealed || '\\x00' WHERE child_id = :child RETURNING 1",
        child=await world.child_of(bad),
    )
    async with world.delivering():
        await eventually(lambda: _is(world, good, "delivered"))
        await eventually(lambda: _retrying(world, bad, 1))
    assert receiver.notice_ids == [good]
    assert await world.facts(bad) == ["failed"]
    assert await world.tasks() == [("cannot_send", bad)]


async def test_an_endpoint_outside_the_allowed_networks_gets_no_byte_and_a_task(
    world: World, receiver: Receiver
) -> None:
    notice = await world.notice(await world.agency(receiver.url, allowed_networks=[]))
    async with world.delivering():
        await eventually(lambda: _retrying(world, notice, 1))
        await world.make_due(notice)
        await eventually(lambda: _retrying(world, notice, 2))
    assert receiver.connections == 0
    assert await world.facts(notice) == ["failed", "failed"]
    assert await world.tasks() == [("cannot_send", notice)]


async def test_lost_sessions_lose_nothing(world: World, receiver: Receiver) -> None:
    """P1: PostgreSQL hangs up on everybody, again and again, in the middle of everything."""
    await world.notices(await world.agency(receiver.url), 200)
    # Longer than a busy machine takes for an attempt: silence trips the breaker, which then holds.
    async with world.delivering(Limits(deadline=2.0)):
        for _ in range(8):
            await asyncio.sleep(0.05)
            await _hang_up(world)
        await eventually(lambda: _states_at_last(world, {"delivered": 200}), within=20)
    sent = await world.rows(
        "SELECT notice_id FROM notify.disclosures JOIN notify.disclosure_outcomes "
        "USING (disclosure_id) WHERE outcome <> 'failed'"
    )
    recorded = Counter(row.notice_id for row in sent)
    assert all(recorded[notice] >= count for notice, count in Counter(receiver.notice_ids).items())
    assert set(recorded) == set(receiver.notice_ids)


async def _states_at_last(world: World, expected: dict[str, int]) -> bool:
    """Of its own pool, connections are lost too: in the middle of a statement or between two."""
    try:
        return await world.states() == expected
    except LOST:
        return False


async def _hang_up(world: World) -> None:
    connection = await asyncpg.connect(world.database.superuser_dsn)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


def _verify(world: World, headers: dict[str, str], body: bytes) -> None:
    (whpk,) = world.signer.public_keys
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(whpk.removeprefix("whpk_")))
    signature = headers["webhook-signature"].removeprefix("v1a,")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    public.verify(base64.b64decode(signature), signed)


async def _is(world: World, notice: str, state: str) -> bool:
    return await world.state(notice) == state


async def _states(world: World, expected: dict[str, int]) -> bool:
    return await world.states() == expected


async def _retrying(world: World, notice: str, attempts: int) -> bool:
    row = await world.delivery(notice)
    return (row.state, row.attempts) == ("pending", attempts)


async def _received(receiver: Receiver, count: int) -> bool:
    return len(receiver.requests) >= count
