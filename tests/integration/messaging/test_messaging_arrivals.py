"""Receiving the usual batch in one statement, leased to the worker at hand; the unusual is left."""

import asyncio

import pytest

from shared.contracts.base import Source, Topic
from shared.messaging.arrivals import Arrivals
from shared.messaging.bus import Batch, Incoming
from shared.messaging.leases import Presence
from shared.messaging.streams import Claimed, new_token
from shared.runtime.errors import Permanent
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import Service, record
from tests.integration.messaging.test_messaging_batches import BatchRecorder
from tests.integration.messaging.test_messaging_inbox_worker import until, working

OWNER = 7


async def take(
    service: Service, *records: Incoming, owner: int | None = OWNER
) -> tuple[list[Claimed], int] | None:
    offsets = {(each.topic, each.partition): each.offset + 1 for each in records}
    arrivals = Arrivals(service.inbox_tables)
    async with service.db.connection() as session:
        return await arrivals.take(session, Batch(records, offsets), lambda _: owner, new_token())


async def leased(service: Service, *records: Incoming) -> list[Claimed]:
    taken = await take(service, *records)
    assert taken is not None
    return taken[0]


async def test_what_is_new_is_received_leased_and_handed_over_with_its_bodies(
    service: Service,
) -> None:
    one, two = new_id("ref"), new_id("ref")
    records = [record(0, one, 1), record(1, two, 1), record(2, one, 2)]
    claimed = {each.subject: each for each in await leased(service, *records)}
    assert claimed[one].bodies == (records[0].body, records[2].body)
    assert (claimed[two].first, claimed[two].last) == (1, 1)
    rows = await service.fetch("SELECT next_offset FROM svc.inbox_cursors")
    assert [row.next_offset for row in rows] == [3]
    async with service.db.transaction() as session:
        assert await service.streams.claim(session, 1, 10) == []
        assert (await service.streams.finish(session, list(claimed.values())))[1] == 0


async def test_the_streams_of_one_subject_are_handed_over_together(service: Service) -> None:
    subjects = [new_id("ref") for _ in range(3)]
    kinds = [(Topic.REFERRALS, Source.INTAKE), (Topic.DISCLOSURES, Source.NOTIFY)]
    records = [
        record(number, subject, 1, topic=topic, source=source)
        for topic, source in kinds
        for number, subject in enumerate(subjects)
    ]
    claimed = [each.subject for each in await leased(service, *records)]
    assert claimed == [each for each in sorted(subjects) for _ in kinds]


async def test_without_a_worker_at_hand_the_streams_are_claimed_in_their_turn(
    service: Service,
) -> None:
    assert await take(service, record(0, new_id("ref"), 1), owner=None) == ([], 1)
    async with service.db.transaction() as session:
        assert len(await service.streams.claim(session, 1, 10)) == 1


@pytest.mark.parametrize("again", [1, 2])
async def test_a_duplicate_changes_nothing_and_is_left_to_the_inbox(
    service: Service, again: int
) -> None:
    """Whether its row is still there or was pruned below its cursor."""
    subject = new_id("ref")
    claimed = await leased(service, record(0, subject, 1), record(1, subject, 2))
    async with service.db.transaction() as session:
        await service.streams.finish(session, claimed)
    if again == 1:
        await service.execute("DELETE FROM svc.inbox")
    before = await service.fetch("SELECT * FROM svc.inbox_streams")
    assert await take(service, record(2, subject, again), record(3, new_id("ref"), 1)) is None
    assert await service.fetch("SELECT * FROM svc.inbox_streams") == before
    rows = await service.fetch("SELECT next_offset FROM svc.inbox_cursors")
    assert [row.next_offset for row in rows] == [2]


async def test_a_fork_within_a_batch_is_left_to_the_inbox(service: Service) -> None:
    subject = new_id("ref")
    forked = [record(0, subject, 1, event_id="one"), record(1, subject, 1, event_id="other")]
    assert await take(service, *forked) is None
    assert await service.fetch("SELECT 1 FROM svc.inbox_streams") == []


async def test_what_cannot_be_read_is_left_to_the_inbox(service: Service) -> None:
    assert await take(service, Incoming("referrals", 0, 0, b"{")) is None


async def test_a_stream_with_a_gap_is_not_leased(service: Service) -> None:
    subject = new_id("ref")
    assert await leased(service, record(0, subject, 2)) == []
    assert await leased(service, record(1, subject, 1)) == []
    async with service.db.transaction() as session:
        (claimed,) = await service.streams.claim(session, 1, 10)
    assert (claimed.first, claimed.last) == (1, 2)


async def test_a_run_ends_at_the_first_missing_event(service: Service) -> None:
    subject = new_id("ref")
    (claimed,) = await leased(service, record(0, subject, 1), record(1, subject, 3))
    assert (claimed.first, claimed.last) == (1, 1)
    async with service.db.transaction() as session:
        assert (await service.streams.finish(session, [claimed]))[1] == 1


async def test_a_leased_a_waiting_and_a_parked_stream_keep_their_state(service: Service) -> None:
    busy, parked = new_id("ref"), new_id("ref")
    claimed = await leased(service, record(0, busy, 1), record(1, parked, 1))
    async with service.db.transaction() as session:
        await service.streams.park(
            session, next(each for each in claimed if each.subject == parked), "no"
        )
    assert await leased(service, record(2, busy, 2), record(3, parked, 2)) == []
    rows = await service.fetch(
        "SELECT subject, lease_owner, parked_reason, highest FROM svc.inbox_streams"
    )
    found = {row.subject: (row.lease_owner, row.parked_reason, row.highest) for row in rows}
    assert found == {busy: (OWNER, None, 2), parked: (None, "no", 2)}


async def test_a_run_is_applied_in_order_and_in_one_transaction(service: Service) -> None:
    recorder = service.recorder = BatchRecorder()
    subject = new_id("ref")
    await service.receive(*(record(n, subject, n + 1) for n in range(5)))
    async with working(service):
        await until(lambda: len(recorder.applied) == 5)
    assert recorder.sizes == [5]
    assert [sequence for _, _, sequence in recorder.applied] == [1, 2, 3, 4, 5]


async def test_an_event_of_a_run_that_cannot_be_prepared_does_not_undo_those_before_it(
    service: Service,
) -> None:
    subject = new_id("ref")
    await service.receive(
        record(0, subject, 1), record(1, subject, 2, data={"no": "referral"}), record(2, subject, 3)
    )
    async with working(service):
        async with asyncio.timeout(10):
            while not await service.fetch(
                "SELECT 1 FROM svc.inbox_streams WHERE parked_at IS NOT NULL AND cursor = 1"
            ):
                await asyncio.sleep(0.01)
    assert [sequence for _, _, sequence in service.recorder.applied] == [1]


async def test_an_event_of_a_run_that_cannot_be_applied_is_found_one_by_one(
    service: Service,
) -> None:
    subject = new_id("ref")
    service.recorder.fail_apply[subject] = Permanent("no")
    await service.receive(record(0, subject, 1), record(1, subject, 2))
    async with working(service):
        async with asyncio.timeout(10):
            while not await service.fetch(
                "SELECT 1 FROM svc.inbox_streams WHERE parked_at IS NOT NULL AND cursor = 0"
            ):
                await asyncio.sleep(0.01)
    assert await service.fetch("SELECT 1 FROM svc.effects") == []


async def test_leases_of_a_worker_that_left_are_found_dead(service: Service) -> None:
    async with Presence(service.dsn) as presence:
        owner = presence.owner
    async with asyncio.timeout(5):
        await take(service, record(0, new_id("ref"), 1), owner=owner)
        freed = 0
        while not freed:
            async with service.db.transaction() as session:
                freed = await service.streams.free_dead(session)
