"""One partner's trouble is its own: slots, lanes, the breaker, and who is woken when."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from services.notify import models
from services.notify.delivery.deliver import Limits
from services.notify.delivery.lanes import Slots
from services.notify.delivery.recorder import Recorder
from shared.contracts.base import Source
from shared.contracts.disclosures import DisclosuresCompleted
from shared.contracts.notices import NoticesDelivered
from shared.messaging.outbox import Outbox
from tests.support.deliveries import AUTHORITY, World, eventually
from tests.support.receiver import Receiver, answer, receiving

SMALL = Limits(slots=Slots(first=4, retry=2), drain=0.05)


@pytest.fixture
async def other() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


async def test_one_hanging_agency_delays_nobody(
    world: World, receiver: Receiver, other: Receiver
) -> None:
    """P1: a hundred notices to one that hangs; the other agency's arrive as if it were alone."""
    receiver.behaviour = receiver.hang
    await world.notices(await world.agency(receiver.url), 100)
    async with world.delivering(SMALL):
        await eventually(lambda: _open(receiver, 4))
        well = await world.agency(other.url)
        started = time.monotonic()
        await world.notices(well, 20)
        await eventually(lambda: _received(other, 20))
        assert time.monotonic() - started < 1
        assert receiver.most_open == 4, "never more than its own slots"


async def test_first_tries_do_not_wait_behind_retries(world: World, receiver: Receiver) -> None:
    """Retries that hang take the retry slots and no more."""
    receiver.script = [receiver.hang] * 2
    agency = await world.agency(receiver.url)
    await world.notices(agency, 50, attempts=3)
    async with world.delivering(SMALL):
        await eventually(lambda: _open(receiver, 2))
        fresh = await world.notice(agency)
        await eventually(lambda: _is(world, fresh, "delivered"))
        assert len(receiver.requests) == 3


async def test_more_than_fits_in_one_claim_is_delivered_without_waiting_for_a_poll(
    world: World, receiver: Receiver
) -> None:
    agency = await world.agency(receiver.url)
    started = time.monotonic()
    await world.notices(agency, 60)
    async with world.delivering(SMALL):
        await eventually(lambda: _states(world, {"delivered": 60}))
    assert time.monotonic() - started < 3
    assert receiver.most_open <= 4
    assert sorted(receiver.notice_ids) == sorted(set(receiver.notice_ids))


async def test_two_processes_share_the_work_and_send_nothing_twice(
    world: World, receiver: Receiver
) -> None:
    async with world.delivering(SMALL), world.delivering(SMALL):
        await world.notices(await world.agency(receiver.url), 80)
        await eventually(lambda: _states(world, {"delivered": 80}))
    assert len(receiver.requests) == len(set(receiver.notice_ids)) == 80


async def test_failures_in_a_row_hold_the_agency_page_a_person_and_drop_nothing(
    world: World, receiver: Receiver
) -> None:
    receiver.behaviour = answer(500)
    agency = await world.agency(receiver.url)
    notices = await world.notices(agency, 12)
    async with world.delivering(SMALL):
        await eventually(lambda: _held(world))
        await asyncio.sleep(0.05)
        tried = len(receiver.requests)
        assert 5 <= tried <= 8, "what was in flight when it tripped, and no more"
        assert [kind for kind, _ in await world.tasks()] == ["unreachable"]
        receiver.behaviour = answer(200)
        await eventually(lambda: _states(world, {"delivered": 12}), within=8)
    assert set(receiver.notice_ids) == set(notices)
    rows = await world.rows("SELECT consecutive_failures, hold_until FROM notify.agencies")
    assert tuple(rows[0]) == (0, None)


async def test_a_held_agency_is_probed_by_one_delivery(world: World, receiver: Receiver) -> None:
    receiver.behaviour = receiver.hang
    agency = await world.agency(receiver.url, consecutive_failures=5)
    await world.notices(agency, 10)
    async with world.delivering(SMALL), world.delivering(SMALL):
        await eventually(lambda: _open(receiver, 1))
        await asyncio.sleep(0.1)
        assert receiver.open_requests == 1
        receiver.behaviour = answer(200)
        receiver.released.set()
        await eventually(lambda: _states(world, {"delivered": 10}))


async def test_a_failed_probe_holds_twice_as_long(world: World, receiver: Receiver) -> None:
    receiver.behaviour = answer(503)
    await world.notices(await world.agency(receiver.url, consecutive_failures=5), 10)
    async with world.delivering(SMALL):
        await eventually(lambda: _failures(world, 6))
    assert len(receiver.requests) == 1
    rows = await world.rows(
        "SELECT extract(epoch FROM hold_until - clock_timestamp()) AS wait FROM notify.agencies"
    )
    assert 1 < float(rows[0].wait) <= 2


async def test_an_agency_that_is_held_costs_the_others_nothing(
    world: World, receiver: Receiver, other: Receiver
) -> None:
    await world.notices(await world.agency(receiver.url), 300)
    await world.rows(
        "UPDATE notify.agencies SET consecutive_failures = 9, "
        "hold_until = clock_timestamp() + CAST('1 hour' AS interval) RETURNING 1"
    )
    well = await world.notices(await world.agency(other.url), 3)
    async with world.delivering():
        await eventually(lambda: _received(other, 3))
    assert sorted(other.notice_ids) == sorted(well)
    assert receiver.connections == 0


@pytest.mark.parametrize("broken", ["transport", "channel"])
async def test_p1_a_record_that_cannot_be_read_holds_its_own_agency_and_a_person_mends_it(
    world: World, receiver: Receiver, other: Receiver, broken: str
) -> None:
    """As after going back to a release that does not know what a later one has stored."""
    agency = await world.agency(receiver.url)
    notice = await world.notice(agency)
    await world.notices(await world.agency(other.url), 100)
    await _store(world, agency, broken, "unheard_of")
    started = time.monotonic()
    async with world.delivering():
        await eventually(lambda: _received(other, 100))
        assert time.monotonic() - started < 2
        await eventually(lambda: _filed(world, ("cannot_send", notice)))
        assert receiver.connections == 0
        await _store(world, agency, broken, "encrypted")
        await world.make_due(notice)
        await eventually(lambda: _is(world, notice, "delivered"))


@pytest.mark.parametrize("changed", [{}, {"authority": None}])
async def test_p1_a_notice_that_cannot_be_read_holds_up_itself_alone_and_a_person_mends_it(
    world: World, receiver: Receiver, other: Receiver, changed: dict[str, None]
) -> None:
    """As after going back to a release that does not know the role that a later one has planned,
    whether or not its agency may still be told."""
    agency = await world.agency(receiver.url, **changed)
    notice = await world.notice(agency)
    well = [await world.agency(other.url) for _ in range(3)]
    await world.planned_as("unheard_of", notice)
    for each in well:
        await world.notices(each, 40)
    started = time.monotonic()
    async with world.delivering():
        await eventually(lambda: _received(other, 120))
        assert time.monotonic() - started < 2
        await eventually(lambda: _filed(world, ("cannot_send", notice)))
        assert (receiver.connections, await world.facts(notice)) == (0, [])
        assert await world.state(notice) == "pending"
        await world.planned_as("fbi", notice)
        await world.change_agency(agency, authority=AUTHORITY)
        await world.make_due(notice)
        await eventually(lambda: _is(world, notice, "delivered"))


async def test_p1_p2_an_answer_that_cannot_be_told_of_is_on_record_and_a_person_is_told(
    world: World, receiver: Receiver
) -> None:
    """`delivered` names the role: of a later release, it stays unsaid. Each is recorded once."""
    receiver.behaviour = receiver.hang
    notices = await world.notices(await world.agency(receiver.url), 3)
    async with world.delivering():
        await eventually(lambda: _open(receiver, 3))
        await world.planned_as("unheard_of", notices[0])
        receiver.released.set()
        await eventually(lambda: _states(world, {"delivered": 3}))
    assert [await world.facts(each) for each in notices] == [["completed:200"]] * 3
    completed = await world.events(DisclosuresCompleted)
    assert sorted(o.notice_id for each in completed for o in each.outcomes) == sorted(notices)
    delivered = await world.events(NoticesDelivered)
    assert sorted(n.notice_id for each in delivered for n in each.notices) == sorted(notices[1:])
    assert await world.tasks() == [("cannot_send", f"{notices[0]} end")]


@pytest.mark.parametrize(
    ("stopped", "state"), [("superseded_by = 2", "superseded"), ("withdrawn = true", "withdrawn")]
)
async def test_p1_an_end_that_cannot_be_told_of_holds_up_nothing_of_a_dead_owner(
    world: World, receiver: Receiver, stopped: str, state: str
) -> None:
    """The events name the role. What is tried again is a person's when it is claimed."""
    receiver.behaviour = receiver.hang
    agency = await world.agency(receiver.url)
    notices = await world.notices(agency, 3)
    first = world.start()
    await eventually(lambda: _open(receiver, 3))
    await first.kill()
    await world.planned_as("unheard_of", *notices[:2])
    await world.rows(
        "UPDATE notify.deliveries SET attempt_deadline = attempt_deadline - interval '1 minute' "
        "RETURNING 1"
    )
    await world.rows(
        f"UPDATE notify.deliveries SET {stopped} WHERE notice_id = :id RETURNING 1", id=notices[0]
    )
    outbox = Outbox(models.OUTBOX, Source.NOTIFY)
    await Recorder(world.db, outbox, lambda _: None).reclaim()
    assert [await world.facts(each) for each in notices] == [["unknown"]] * 3
    assert [await world.state(each) for each in notices] == [state, "pending", "pending"]
    assert await world.tasks() == [("cannot_send", f"{notices[0]} end")]


async def _store(world: World, agency: str, what: str, value: str) -> None:
    if what == "channel":
        await world.change_agency(agency, channel=value)
        return
    transport = {value: 1} if value == "unheard_of" else None
    await world.rows(
        "INSERT INTO notify.agency_terms (agency_id, version, valid_from, fields) "
        "SELECT :agency, 1 + count(*), current_date - 1, CAST(:fields AS jsonb) "
        "FROM notify.agency_terms RETURNING 1",
        agency=agency,
        fields={"transport": transport},
    )


async def _filed(world: World, task: tuple[str, str]) -> bool:
    return task in await world.tasks()


async def _is(world: World, notice: str, state: str) -> bool:
    return await world.state(notice) == state


async def _states(world: World, expected: dict[str, int]) -> bool:
    return await world.states() == expected


async def _held(world: World) -> bool:
    rows = await world.rows("SELECT hold_until FROM notify.agencies")
    return rows[0].hold_until is not None


async def _failures(world: World, count: int) -> bool:
    rows = await world.rows("SELECT consecutive_failures AS n FROM notify.agencies")
    return bool(rows[0].n == count)


async def _received(receiver: Receiver, count: int) -> bool:
    return len(receiver.requests) >= count


async def _open(receiver: Receiver, count: int) -> bool:
    return receiver.open_requests >= count


def _unversioned() -> str:
    """A certificate of X.509 version 4: what `cryptography` says of it is no ValueError."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    der = made.public_bytes(Encoding.DER).replace(
        b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03", 1
    )
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


async def test_p1_a_transport_that_fails_unforeseen_stops_nobody_else(
    world: World, receiver: Receiver
) -> None:
    ill, well = await world.agency(receiver.url), await world.agency(receiver.url)
    await world.rows(
        "INSERT INTO notify.agency_terms (agency_id, version, valid_from, fields) VALUES "
        "(:id, 1, '2000-01-01', CAST(:fields AS jsonb)) RETURNING 1",
        id=ill,
        fields={"transport": {"authorities": _unversioned()}},
    )
    await world.notice(ill)
    running = world.start()
    try:
        await asyncio.sleep(0.5)
        assert not running.task.done(), running.task
        fresh = await world.notice(well)
        await eventually(lambda: _is(world, fresh, "delivered"))
    finally:
        await running.kill()
