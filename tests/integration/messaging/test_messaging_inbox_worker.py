"""The inbox and the worker on a real database: what a naive design gets wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from shared.contracts.base import Source, Topic
from shared.messaging import parked
from shared.messaging.bus import Incoming
from shared.messaging.leases import Presence
from shared.messaging.retention import prune_inbox
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.ids import new_id, utc_now
from tests.integration.messaging.conftest import Service, record


@asynccontextmanager
async def working(service: Service) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(service.worker().run(stop))
    try:
        yield stop
    finally:
        stop.set()
        service.db.wakes.wake("work")
        await asyncio.wait_for(task, 10)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def until_row(service: Service, condition: str, **values: object) -> None:
    """Until some stream meets the condition."""
    query = f"SELECT 1 FROM svc.inbox_streams WHERE {condition}"
    async with asyncio.timeout(10):
        while not await service.fetch(query, **values):
            await asyncio.sleep(0.01)


async def test_an_event_received_twice_is_handled_once(service: Service) -> None:
    subject = new_id("ref")
    first = record(0, subject, 1, event_id="one")
    assert (await service.receive(first, first)).new == 1
    assert (await service.receive(first)).duplicates == 1
    async with working(service):
        await until(lambda: len(service.recorder.applied) == 1)
        await service.receive(first, record(1, subject, 2))
        service.db.wakes.wake("work")
        await until(lambda: len(service.recorder.applied) == 2)
    assert [sequence for _, _, sequence in service.recorder.applied] == [1, 2]


async def handled_and_pruned(service: Service, subject: str) -> Incoming:
    """The first event of a subject, forty days ago."""
    ago = timedelta(days=40)
    first = record(0, subject, 1, event_id="one", emitted_at=utc_now() - ago)
    await service.receive(first)
    async with working(service):
        await until(lambda: len(service.recorder.applied) == 1)
    await service.execute("UPDATE svc.inbox SET received_at = received_at - interval '40 days'")
    assert await prune_inbox(service.db, service.inbox_tables, timedelta(days=30)) == 1
    return first


async def test_a_duplicate_is_known_after_its_row_was_pruned(service: Service) -> None:
    first = await handled_and_pruned(service, new_id("ref"))
    assert (await service.receive(first)).duplicates == 1
    assert await service.fetch("SELECT 1 FROM svc.inbox") == []
    assert await service.fetch("SELECT 1 FROM svc.inbox_quarantine") == []


async def test_a_fork_is_known_after_the_row_that_it_contradicts_was_pruned(
    service: Service,
) -> None:
    """As a source restored from an old backup emits it: it counts on from where it was then."""
    subject = new_id("ref")
    await handled_and_pruned(service, subject)
    fork = record(1, subject, 1, event_id="another", emitted_at=utc_now())
    assert (await service.receive(fork)).quarantined == 1
    (stream,) = await service.fetch("SELECT parked_reason FROM svc.inbox_streams")
    assert stream.parked_reason == "sequence_conflict"
    (kept,) = await service.fetch("SELECT body FROM svc.inbox_quarantine")
    assert b"another" in kept.body


async def test_a_stream_arriving_out_of_order_is_handled_in_order(service: Service) -> None:
    subject = new_id("ref")
    await service.receive(record(0, subject, 3), record(1, subject, 2))
    async with working(service):
        await until_row(service, "gap_since IS NOT NULL")
        assert service.recorder.applied == []
        await service.receive(record(2, subject, 1))
        service.db.wakes.wake("work")
        await until(lambda: len(service.recorder.applied) == 3)
    assert [sequence for _, _, sequence in service.recorder.applied] == [1, 2, 3]


async def test_two_services_number_one_subject_of_one_topic_apart(service: Service) -> None:
    subject = new_id("ref")
    topic = Topic.DISCLOSURES
    await service.receive(
        record(0, subject, 1, topic=topic, source=Source.INTAKE),
        record(1, subject, 1, topic=topic, source=Source.NOTIFY),
        record(2, subject, 2, topic=topic, source=Source.NOTIFY),
    )
    async with working(service):
        await until(lambda: len(service.recorder.applied) == 3)
    assert {(source, n) for _, source, n in service.recorder.applied} == {
        ("/hartline/intake", 1),
        ("/hartline/notify", 1),
        ("/hartline/notify", 2),
    }


async def test_what_cannot_be_parsed_is_quarantined_and_holds_up_nothing(service: Service) -> None:
    subject = new_id("ref")
    received = await service.receive(
        Incoming("referrals", 0, 0, b"\xff not json"),
        Incoming("referrals", 0, 1, None),
        record(2, subject, 1, source=Source.AUDIT),
        record(3, subject, 1),
    )
    assert (received.new, received.quarantined) == (1, 3)
    rows = await service.fetch('SELECT "offset", reason, body FROM svc.inbox_quarantine ORDER BY 1')
    assert [(row.offset, row.reason) for row in rows] == [
        (0, "not_an_event"),
        (1, "empty"),
        (2, "unexpected_source"),
    ]
    assert all(row.body is None for row in rows)
    async with working(service):
        await until(lambda: len(service.recorder.applied) == 1)


async def test_a_parked_subject_does_not_hold_up_the_next_one(service: Service) -> None:
    bad, good = new_id("ref"), new_id("ref")
    service.recorder.fail[bad] = Permanent("poisoned")
    await service.receive(record(0, bad, 1), record(1, bad, 2), record(2, good, 1))
    async with working(service):
        await until(lambda: (good, "/hartline/intake", 1) in service.recorder.applied)
        await until_row(service, "parked_at IS NOT NULL")
        async with service.db.transaction() as session:
            waiting = await parked.list_parked(session, service.inbox_tables)
        assert [(each.subject, each.sequence, each.reason) for each in waiting] == [
            (bad, 1, "Permanent")
        ]
        del service.recorder.fail[bad]
        async with service.db.transaction() as session:
            assert await parked.replay(session, service.inbox_tables, bad) == 1
        service.db.wakes.wake("work")
        await until(lambda: len(service.recorder.applied) == 3)


async def test_data_that_does_not_fit_its_type_parks_its_subject(service: Service) -> None:
    subject = new_id("ref")
    await service.receive(record(0, subject, 1, data={"referral_id": "nobody"}))
    async with working(service):
        await until_row(service, "parked_at IS NOT NULL")
    async with service.db.transaction() as session:
        waiting = await parked.list_parked(session, service.inbox_tables)
    assert [each.reason for each in waiting] == ["ValidationError"]


async def test_skipping_moves_past_one_event_and_keeps_who_decided(service: Service) -> None:
    subject = new_id("ref")
    service.recorder.fail[subject] = Permanent("poisoned")
    await service.receive(record(0, subject, 1), record(1, subject, 2))
    async with working(service):
        await until_row(service, "parked_at IS NOT NULL")
        del service.recorder.fail[subject]
        async with service.db.transaction() as session:
            assert await parked.skip(session, service.inbox_tables, subject, "Test Operator") == 1
        service.db.wakes.wake("work")
        await until(lambda: len(service.recorder.applied) == 1)
    assert service.recorder.applied[0][2] == 2
    rows = await service.fetch("SELECT skipped_by FROM svc.inbox WHERE sequence = 1")
    assert rows[0].skipped_by == "Test Operator"


async def test_a_fork_of_the_source_is_parked_and_kept(service: Service) -> None:
    """The same key with another event id: its source was restored, or lies."""
    subject = new_id("ref")
    await service.receive(record(0, subject, 1, event_id="one"))
    async with working(service):
        await until(lambda: len(service.recorder.applied) == 1)
    assert (await service.receive(record(1, subject, 1, event_id="other"))).quarantined == 1
    async with service.db.transaction() as session:
        waiting = await parked.list_parked(session, service.inbox_tables)
        assert [each.reason for each in waiting] == ["sequence_conflict"]
        await parked.skip(session, service.inbox_tables, subject, "Test Operator")
    await service.receive(record(2, subject, 2))
    async with working(service):
        await until(lambda: len(service.recorder.applied) == 2)


async def test_skipping_a_fork_drops_no_good_event_that_came_after_it(service: Service) -> None:
    subject, other = new_id("ref"), new_id("ref")
    await service.receive(record(0, subject, 1, event_id="one"))
    async with working(service):
        await until(lambda: len(service.recorder.applied) == 1)
    data: dict[str, object] = {"note": "\x00"}
    await service.receive(record(1, other, 1), record(2, subject, 1, event_id="two", data=data))
    await service.receive(record(3, subject, 2))
    async with service.db.transaction() as session:
        assert await parked.skip(session, service.inbox_tables, subject, "Test Operator") == 1
    async with working(service):
        await until(lambda: (subject, "/hartline/intake", 2) in service.recorder.applied)
    released = await service.fetch("SELECT released_by FROM svc.inbox_quarantine")
    assert [row.released_by for row in released] == ["Test Operator"]


async def test_a_fork_that_comes_while_its_stream_is_worked_on_stays_parked(
    service: Service,
) -> None:
    subject = new_id("ref")
    await service.receive(record(0, subject, 1, event_id="one"))
    async with service.db.transaction() as session:
        (claimed,) = await service.streams.claim(session, 1, 10)
    await service.receive(record(1, subject, 1, event_id="other"))
    async with service.db.transaction() as session:
        await service.streams.finish(session, [claimed])
    rows = await service.fetch("SELECT parked_reason FROM svc.inbox_streams")
    assert [row.parked_reason for row in rows] == ["sequence_conflict"]


async def test_an_envelope_that_no_database_can_hold_is_quarantined(service: Service) -> None:
    subject = new_id("ref")
    good = record(0, subject, 1).body
    assert good is not None
    received = await service.receive(
        Incoming("referrals", 0, 1, good.replace(subject.encode(), b"ref\\u0000")),
        Incoming(
            "referrals", 0, 2, good.replace(b'"sequence":1', b'"sequence":9223372036854775808')
        ),
        record(3, subject, 1),
    )
    assert (received.new, received.quarantined) == (1, 2)


async def test_one_failing_event_of_a_group_fails_alone_and_is_tried_again(
    service: Service,
) -> None:
    bad, good = new_id("ref"), new_id("ref")
    service.recorder.fail_apply[bad] = Retryable("not now")
    await service.receive(record(0, bad, 1), record(1, good, 1))
    async with working(service):
        await until(lambda: len(service.recorder.applied) >= 1)
        await until(lambda: (good, "/hartline/intake", 1) in service.recorder.applied)
        del service.recorder.fail_apply[bad]
        await until(lambda: (bad, "/hartline/intake", 1) in service.recorder.applied)
    effects = await service.fetch("SELECT event_id, count(*) AS n FROM svc.effects GROUP BY 1")
    assert sorted(row.n for row in effects) == [1, 1]


async def test_a_worker_that_lost_its_lease_changes_nothing(service: Service) -> None:
    subject = new_id("ref")
    await service.receive(record(0, subject, 1))
    async with service.db.transaction() as session:
        (old,) = await service.streams.claim(session, owner=1, limit=10)
    await service.execute("UPDATE svc.inbox_streams SET lease_token = 'successor'")
    async with service.db.transaction() as session:
        assert await service.streams.finish(session, [old]) == ([], 0)
        await service.streams.park(session, old, "zombie")
    rows = await service.fetch("SELECT parked_at, lease_token FROM svc.inbox_streams")
    assert (rows[0].parked_at, rows[0].lease_token) == (None, "successor")


async def test_a_dead_owners_lease_is_free_at_once_and_a_living_ones_is_not(
    service: Service,
) -> None:
    dead, alive = new_id("ref"), new_id("ref")
    await service.receive(record(0, dead, 1))
    first = await Presence(service.dsn).start()
    async with service.db.transaction() as session:
        await service.streams.claim(session, first.owner, 10)
    async with Presence(service.dsn) as second:
        await service.receive(record(1, alive, 1))
        async with service.db.transaction() as session:
            await service.streams.claim(session, second.owner, 10)
            assert await service.streams.free_dead(session) == 0
        await first.close()
        async with asyncio.timeout(5):
            freed = 0
            while not freed:
                async with service.db.transaction() as session:
                    freed = await service.streams.free_dead(session)
                await asyncio.sleep(0.01)
        rows = await service.fetch(
            "SELECT subject FROM svc.inbox_streams WHERE lease_owner IS NULL"
        )
        assert [row.subject for row in rows] == [dead]


async def test_new_arrivals_do_not_cut_a_back_off_short(service: Service) -> None:
    subject = new_id("ref")
    await service.receive(record(0, subject, 1))
    async with service.db.transaction() as session:
        (claimed,) = await service.streams.claim(session, 1, 10)
        await service.streams.back_off(session, claimed, timedelta(seconds=60), "Retryable")
    await service.receive(record(1, subject, 2))
    async with service.db.transaction() as session:
        assert await service.streams.claim(session, 1, 10) == []
