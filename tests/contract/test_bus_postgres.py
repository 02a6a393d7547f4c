"""What is particular to the PostgreSQL bus: its order, where a group begins, pruning, waking."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import structlog

from shared.contracts.base import Topic
from shared.messaging.bus import BusUnavailable, Incoming, Outgoing, Subscription
from shared.messaging.postgres import store
from shared.messaging.postgres.bus import PostgresBus
from shared.messaging.postgres.link import Link
from tests.support.databases import FreshDatabase

REFERRALS = (Topic.REFERRALS,)


@pytest.fixture
def dsn(database: FreshDatabase) -> str:
    return database.dsns["bus"].app


@pytest.fixture
async def bus(dsn: str) -> AsyncIterator[PostgresBus]:
    opened = PostgresBus(dsn, "test", timeout=5.0)
    yield opened
    await opened.close()


@pytest.fixture
async def owner(database: FreshDatabase) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database.dsns["bus"].owner)
    yield connection
    await connection.close()


def outgoing(*bodies: str, topic: Topic = Topic.REFERRALS) -> list[Outgoing]:
    return [Outgoing(topic, "key", body.encode()) for body in bodies]


def offsets(records: Sequence[Incoming]) -> list[int]:
    return [record.offset for record in records]


async def publish(bus: PostgresBus, *bodies: str, topic: Topic = Topic.REFERRALS) -> None:
    publisher = await bus.publisher()
    assert all(await publisher.publish(outgoing(*bodies, topic=topic)))
    await publisher.close()


async def fetch_now(subscription: Subscription, limit: int = 100) -> list[Incoming]:
    return list((await subscription.fetch(limit, 0.0)).records)


async def test_a_cursor_over_a_sequence_loses_the_row_that_commits_late(
    owner: Any, database: FreshDatabase
) -> None:
    """What a naive log does; the next test shows that ours does not."""
    await owner.execute(
        "CREATE TABLE bus.naive (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)"
    )
    slow = await asyncpg.connect(database.dsns["bus"].owner)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute("INSERT INTO bus.naive (body) VALUES ('slow')")
    await owner.execute("INSERT INTO bus.naive (body) VALUES ('quick')")

    read = await owner.fetch("SELECT id, body FROM bus.naive WHERE id > 0 ORDER BY id")
    cursor = read[-1]["id"]
    await transaction.commit()
    read += await owner.fetch("SELECT id, body FROM bus.naive WHERE id > $1 ORDER BY id", cursor)
    await slow.close()

    assert [row["body"] for row in read] == ["quick"]
    assert await owner.fetchval("SELECT count(*) FROM bus.naive") == 2


async def test_a_record_is_not_visible_before_one_with_a_lower_offset(
    bus: PostgresBus, dsn: str
) -> None:
    subscription = await bus.subscribe("group", REFERRALS, {})
    slow = await asyncpg.connect(dsn)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(store.APPEND, *store.to_append(outgoing("slow")))

    quick = asyncio.create_task(publish(bus, "quick"))
    await _until_somebody_waits(slow)
    assert await fetch_now(subscription) == []
    await transaction.commit()
    await quick
    await slow.close()

    records = await fetch_now(subscription)
    assert [(record.offset, record.body) for record in records] == [(0, b"slow"), (1, b"quick")]
    await subscription.close()


async def test_an_append_that_is_rolled_back_leaves_no_gap(bus: PostgresBus, dsn: str) -> None:
    await publish(bus, "a")
    failing = await asyncpg.connect(dsn)
    transaction = failing.transaction()
    await transaction.start()
    await failing.execute(store.APPEND, *store.to_append(outgoing("never")))
    await transaction.rollback()
    await failing.close()
    await publish(bus, "b")
    subscription = await bus.subscribe("group", REFERRALS, {})
    assert offsets(await fetch_now(subscription)) == [0, 1]
    await subscription.close()


async def test_appends_to_several_topics_at_once_do_not_deadlock(bus: PostgresBus) -> None:
    async def append(topics: list[Topic]) -> None:
        publisher = await bus.publisher()
        for _ in range(30):
            await publisher.publish([Outgoing(topic, "key", b"x") for topic in topics])
        await publisher.close()

    orders = [list(Topic), list(reversed(Topic)), [Topic.NOTICES, Topic.DISCLOSURES]]
    await asyncio.gather(*(append(order) for order in orders * 2))


async def test_topics_share_a_fetch_so_that_a_backlog_starves_nobody(bus: PostgresBus) -> None:
    await publish(bus, *(str(n) for n in range(100)))
    await publish(bus, "one", topic=Topic.NOTICES)
    subscription = await bus.subscribe("group", (Topic.REFERRALS, Topic.NOTICES), {})
    records = await fetch_now(subscription, limit=10)
    assert len(records) <= 10
    assert "notices" in {record.topic for record in records}
    await subscription.close()


async def test_a_group_begins_where_its_own_database_says(bus: PostgresBus) -> None:
    await publish(bus, *"abcdef")
    subscription = await bus.subscribe("group", REFERRALS, {})
    await subscription.commit({("referrals", 0): 4})
    await subscription.close()
    subscription = await bus.subscribe("group", REFERRALS, {("referrals", 0): 2})
    assert offsets(await fetch_now(subscription)) == [2, 3, 4, 5]
    await subscription.close()


async def test_a_group_unknown_to_the_log_reads_it_from_the_start_whatever_is_stored(
    bus: PostgresBus,
) -> None:
    """The log is another one: made anew, or the group came from Kafka."""
    await publish(bus, "a", "b")
    subscription = await bus.subscribe("group", REFERRALS, {("referrals", 0): 5000})
    assert offsets(await fetch_now(subscription)) == [0, 1]
    await subscription.close()


async def test_after_a_restore_of_the_log_nothing_that_came_since_is_skipped(
    bus: PostgresBus,
) -> None:
    await publish(bus, "a", "b")
    subscription = await bus.subscribe("group", REFERRALS, {})
    await subscription.commit({("referrals", 0): 2})
    await subscription.close()
    stored = {("referrals", 0): 9}  # The group read on to 9; the backup knows of 2 only.
    await publish(bus, *"cdefghijkl")
    subscription = await bus.subscribe("group", REFERRALS, stored)
    assert offsets(await fetch_now(subscription))[0] == 2
    await subscription.close()


async def test_pruning_removes_what_is_old_and_read_by_every_group_and_nothing_else(
    bus: PostgresBus, owner: Any
) -> None:
    await publish(bus, *"abcdef")
    await publish(bus, *"xyz", topic=Topic.NOTICES)
    for group, position in (("quick", 6), ("slow", 3)):
        subscription = await bus.subscribe(group, REFERRALS, {})
        await subscription.commit({("referrals", 0): position})
        await subscription.close()
    assert await bus.prune(timedelta(days=1)) == 0

    await owner.execute("UPDATE bus.log SET appended_at = appended_at - interval '2 days'")
    assert await bus.prune(timedelta(days=1)) == 3 + 3, "three read by both, three by nobody ever"
    subscription = await bus.subscribe("slow", REFERRALS, {("referrals", 0): 3})
    assert offsets(await fetch_now(subscription)) == [3, 4, 5]
    await subscription.close()
    await publish(bus, "later")
    assert await owner.fetchval("SELECT max(\"offset\") FROM bus.log WHERE topic='referrals'") == 6


async def test_a_new_group_begins_at_the_oldest_record_there_is_and_says_what_is_missing(
    bus: PostgresBus, owner: Any
) -> None:
    await publish(bus, *"abcd")
    await owner.execute('DELETE FROM bus.log WHERE "offset" < 3')
    subscription = await bus.subscribe("group", REFERRALS, {})
    with structlog.testing.capture_logs() as logs:
        assert offsets(await fetch_now(subscription)) == [3]
    assert {"event": "bus_records_missing", "topic": "referrals", "count": 3} in [
        {key: value for key, value in line.items() if key != "log_level"} for line in logs
    ]
    await subscription.close()


async def test_the_bus_remembers_a_group_at_most_once_a_second_and_when_it_ends(
    bus: PostgresBus, owner: Any
) -> None:
    await publish(bus, *"abcdef")
    subscription = await bus.subscribe("group", REFERRALS, {})
    for position in range(1, 7):
        await subscription.commit({("referrals", 0): position})
    remembered = "SELECT next_offset FROM bus.positions WHERE group_name = 'group'"
    assert await owner.fetchval(remembered) == 1
    await subscription.close()
    assert await owner.fetchval(remembered) == 6


async def test_without_any_wake_up_a_record_is_found_within_the_poll(dsn: str) -> None:
    """NOTIFY is a favour; polling is the guarantee."""
    publishing, reading = PostgresBus(dsn, "one"), PostgresBus(dsn, "other")
    subscription = await reading.subscribe("group", REFERRALS, {})
    await reading._signals.close()
    waiting = asyncio.create_task(subscription.fetch(10, 5.0))
    await asyncio.sleep(0.02)
    began = time.monotonic()
    await publish(publishing, "a")
    assert len((await waiting).records) == 1
    assert time.monotonic() - began < 1.5
    await subscription.close()
    await reading.close()
    await publishing.close()


async def test_another_process_is_woken_long_before_the_poll(dsn: str, owner: Any) -> None:
    publishing, reading = PostgresBus(dsn, "one"), PostgresBus(dsn, "other")
    subscription = await reading.subscribe("group", REFERRALS, {})
    await publish(publishing, "first")
    await subscription.fetch(10, 5.0)
    for number in range(5):
        waiting = asyncio.create_task(subscription.fetch(10, 5.0))
        await asyncio.sleep(0.02)
        began = time.monotonic()
        await publish(publishing, str(number))
        assert len((await waiting).records) == 1
        assert time.monotonic() - began < 0.4
    await subscription.close()
    await reading.close()
    await publishing.close()


async def test_a_connection_that_is_cut_is_made_again(
    bus: PostgresBus, database: FreshDatabase
) -> None:
    publisher = await bus.publisher()
    assert all(await publisher.publish(outgoing("a")))
    superuser = await asyncpg.connect(database.superuser_dsn)
    await superuser.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'test bus publisher'"
    )
    await superuser.close()
    with suppress(BusUnavailable):  # Unless the loss was noticed before.
        await publisher.publish(outgoing("b"))
    assert all(await publisher.publish(outgoing("c")))
    await publisher.close()


async def test_a_cancelled_publish_leaves_a_publisher_that_works(
    bus: PostgresBus, dsn: str
) -> None:
    publisher = await bus.publisher()
    blocker = await asyncpg.connect(dsn)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute(store.APPEND, *store.to_append(outgoing("held")))
    task = asyncio.create_task(publisher.publish(outgoing("given up")))
    await _until_somebody_waits(blocker)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await transaction.rollback()
    await blocker.close()
    assert all(await publisher.publish(outgoing("after")))
    await publisher.close()


async def test_a_head_that_somebody_holds_on_to_is_unavailable_in_bounded_time(dsn: str) -> None:
    link = Link(dsn, "test", timeout=0.3)
    blocker = await asyncpg.connect(dsn)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute(store.APPEND, *store.to_append(outgoing("held")))
    began = time.monotonic()
    with pytest.raises(BusUnavailable):
        await store.append(link, outgoing("waiting"))
    assert time.monotonic() - began < 2.0
    await transaction.rollback()
    await blocker.close()
    link.drop()


async def _until_somebody_waits(connection: Any) -> None:
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid' "
        "AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    )
    async with asyncio.timeout(10):
        while not await connection.fetchval(waiting):
            await asyncio.sleep(0.005)
