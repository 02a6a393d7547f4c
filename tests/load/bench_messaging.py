"""How fast the bus and the inbox are: `python -m tests.load.bench_messaging [--bus kafka]`.

Its own servers, with the settings that operators get; the database at the default durability.
Prints a table on stderr and one JSON object on stdout. `--old N` puts N old records in the log and
N handled events in the inbox first: latencies should not care.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from deploy.machine.kafka import KafkaBroker
from services.notify.models import INBOX
from shared.contracts.base import Event, Source, Topic
from shared.contracts.codes import HtType, Trigger
from shared.contracts.referrals import ReferralChild, ReferralReceived
from shared.messaging.bus import Bus, Outgoing
from shared.messaging.consumer import Consumer
from shared.messaging.kafka.bus import KafkaBus
from shared.messaging.postgres.bus import PostgresBus
from shared.runtime.ids import new_event_id, new_id
from tests.support.databases import FreshDatabase, test_server

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
BATCH = 500
EVENTS_PER_SUBJECT = 4
TOPICS = (Topic.REFERRALS,)


@dataclass(frozen=True)
class Result:
    bus: str
    old_rows: int
    publish_per_s: float
    publish_one_by_one_per_s: float
    fetch_per_s: float
    latency_ms_p50: float
    latency_ms_p95: float
    latency_ms_p99: float
    inbox_per_s: float
    inbox_cpu_s_per_1000: float


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench_messaging")
    parser.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--old", type=int, default=0)
    args = parser.parse_args(argv)
    with test_server() as server:
        database = server.new_database()
        broker = started_broker() if args.bus == "kafka" else None
        try:
            result = asyncio.run(bench(database, broker, args.events, args.old))
        finally:
            if broker is not None:
                broker.stop()
                shutil.rmtree(broker.home, ignore_errors=True)
            server.drop(database)
    for name, value in asdict(result).items():
        shown = f"{value:,.2f}" if isinstance(value, float) else value
        print(f"{name:>28}  {shown}", file=sys.stderr)
    print(json.dumps(asdict(result)))


def started_broker() -> KafkaBroker:
    broker = KafkaBroker(Path(tempfile.mkdtemp(prefix="hartline-bench-")))
    broker.start()
    return broker


async def bench(
    database: FreshDatabase, broker: KafkaBroker | None, count: int, old: int
) -> Result:
    if old:
        await make_old_rows(database, old)

    def open_bus(name: str) -> Bus:
        if broker is not None:
            return KafkaBus(broker.bootstrap, name)
        return PostgresBus(database.dsns["bus"].app, name)

    async with AsyncExitStack() as stack:
        publishing = await stack.enter_async_context(opened(open_bus("publishing")))
        reading = await stack.enter_async_context(opened(open_bus("reading")))
        events = make_events(count)
        batched = await publish_rate(publishing, events)
        single = await publish_rate(publishing, make_events(500), batch=1)
        fetched = await fetch_rate(reading, count + 500)
        inbox, cpu = await inbox_rate(reading, database, count + 500)
        latencies = sorted(await latency(publishing, reading, old, seconds=6.0, rate=50.0))
    cuts = statistics.quantiles(latencies, n=100)
    kind = "kafka" if broker is not None else "postgresql"
    return Result(
        kind, old, batched, single, fetched, cuts[49], cuts[94], cuts[98], inbox, cpu * 1000
    )


@asynccontextmanager
async def opened(bus: Bus) -> AsyncIterator[Bus]:
    yield bus
    await bus.close()


def make_events(count: int) -> list[Outgoing]:
    """Real events, several per subject, interleaved as they are when referrals overlap."""
    subjects = [new_id("ref") for _ in range(max(1, count // EVENTS_PER_SUBJECT))]
    return [
        event(subjects[number % len(subjects)], 1 + number // len(subjects))
        for number in range(count)
    ]


def event(subject: str, sequence: int) -> Outgoing:
    data = ReferralReceived(
        referral_id=subject,
        version=1,
        trigger=Trigger.CARELINE,
        received_at=NOW,
        recorded_at=NOW,
        children=(ReferralChild(child_id=new_id("chd"), ht_type=HtType.SEX),),
    )
    body = Event(
        id=new_event_id(),
        source=Source.INTAKE,
        type=data.type,
        subject=subject,
        time=NOW,
        sequence=sequence,
        data=data.model_dump(mode="json"),
    )
    return Outgoing(Topic.REFERRALS, subject, body.model_dump_json().encode())


async def publish_rate(bus: Bus, events: Sequence[Outgoing], *, batch: int = BATCH) -> float:
    publisher = await bus.publisher()
    assert all(await publisher.publish([Outgoing(Topic.NOTICES, "warm", b"warm")]))
    began = time.perf_counter()
    for start in range(0, len(events), batch):
        assert all(await publisher.publish(events[start : start + batch]))
    took = time.perf_counter() - began
    await publisher.close()
    return len(events) / took


async def fetch_rate(bus: Bus, count: int) -> float:
    subscription = await bus.subscribe("bench-fetch", TOPICS, {})
    batch = await subscription.fetch(BATCH, 30.0)
    first, began = len(batch.records), time.perf_counter()
    found = first
    while found < count:
        batch = await subscription.fetch(BATCH, 5.0)
        found += len(batch.records)
        await subscription.commit(batch.next_offsets)
    took = time.perf_counter() - began
    await subscription.close()
    return (found - first) / took


async def inbox_rate(bus: Bus, database: FreshDatabase, count: int) -> tuple[float, float]:
    """Events per second from the bus into notify's inbox, and our CPU seconds for each."""
    db = database.open("notify")
    consumer = Consumer("notify", db, INBOX, bus, TOPICS)
    subscription = await bus.subscribe("bench-inbox", TOPICS, {})
    new = 0
    while not new:
        new = await consumer.consume_once(subscription)
    first, began, cpu = new, time.perf_counter(), time.process_time()
    while new < count:
        new += await consumer.consume_once(subscription)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    await subscription.close()
    await database.close()
    return (new - first) / took, cpu / (new - first)


async def latency(
    writing: Bus, reading: Bus, old: int, *, seconds: float, rate: float
) -> list[float]:
    """Milliseconds from the moment a record should be published until it is fetched; open-loop."""
    publisher = await writing.publisher()
    stored = {(Topic.DEADLINES.value, 0): old}
    subscription = await reading.subscribe("bench-latency", (Topic.DEADLINES,), stored)
    assert all(await publisher.publish([Outgoing(Topic.DEADLINES, "warm", b"0")]))
    assert (await subscription.fetch(10, 30.0)).records
    count = int(seconds * rate)
    found: list[float] = []

    async def read() -> None:
        while len(found) < count:
            batch = await subscription.fetch(BATCH, 1.0)
            now = time.perf_counter()
            found.extend((now - float(record.body or b"0")) * 1000 for record in batch.records)
            await subscription.commit(batch.next_offsets)

    task = asyncio.create_task(read())
    begin = time.perf_counter() + 0.1
    for number in range(count):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        record = Outgoing(Topic.DEADLINES, f"key{number}", repr(due).encode())
        assert all(await publisher.publish([record]))
    await task
    await subscription.close()
    await publisher.close()
    return found


async def make_old_rows(database: FreshDatabase, count: int) -> None:
    """As if this had run for a month: old records in the log, handled events in the inbox."""
    connection = await asyncpg.connect(database.superuser_dsn)
    await connection.execute(
        'INSERT INTO bus.log (topic, "offset", key, body) '
        "SELECT 'deadlines', n, 'old' || n, convert_to(repeat('x', 600), 'UTF8') "
        f"FROM generate_series(0, {count} - 1) AS n"
    )
    await connection.execute(
        f"INSERT INTO bus.heads (topic, next_offset) VALUES ('deadlines', {count})"
    )
    await connection.execute(
        "INSERT INTO bus.positions (group_name, topic, next_offset) "
        f"VALUES ('bench-latency', 'deadlines', {count})"
    )
    await connection.execute(
        f"INSERT INTO {INBOX.inbox.fullname} "
        "(topic, source, subject, sequence, event_id, body, received_at) "
        "SELECT 'referrals', '/hartline/intake', 'old' || n, 1, 'old' || n, "
        "convert_to(repeat('x', 600), 'UTF8'), clock_timestamp() "
        f"FROM generate_series(0, {count} - 1) AS n"
    )
    await connection.execute(
        f"INSERT INTO {INBOX.streams.fullname} (topic, source, subject, cursor, highest) "
        "SELECT 'referrals', '/hartline/intake', 'old' || n, 1, 1 "
        f"FROM generate_series(0, {count} - 1) AS n"
    )
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


if __name__ == "__main__":
    main(sys.argv[1:])
