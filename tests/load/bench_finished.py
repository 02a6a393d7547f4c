"""Queries beside a million finished rows: `python -m tests.load.bench_finished [--rows 1000000]`.

Two databases on one durable PostgreSQL: one with as much finished work in every table of delivery
(notices, deliveries, disclosures, outcomes, keys, copies, outbox, inbox), one without any. Both
have the same little to do. The services' own code does it, in turns, and every statement of it is
explained with what it really did: claim, outcomes, relay (notify's and intake's), inbox, worker,
pruning. Nothing is kept. Prints JSON and a table; exit code 1 when a statement is not flat.
"""

import argparse
import asyncio
import sys
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, cast

import asyncpg

from services.intake import models as intake_models
from services.notify import models
from services.notify.delivery import claim_store as delivery_store
from services.notify.delivery import outcome_store
from services.notify.delivery.attempts import Ended
from services.notify.delivery.lanes import Slots
from services.notify.delivery.outcomes import Answered
from services.notify.delivery.retry import Verdict
from shared.contracts.base import Source
from shared.messaging.arrivals import Arrivals
from shared.messaging.bus import Batch, Bus, Incoming, Outgoing
from shared.messaging.inbox import Inbox
from shared.messaging.outbox import Outbox
from shared.messaging.relay import Relay
from shared.messaging.retention import prune_inbox, prune_outbox
from shared.messaging.streams import Streams, new_token
from shared.runtime import logging
from shared.runtime.db import plain_dsn
from shared.runtime.ids import new_id, utc_now
from shared.runtime.session import Session
from tests.load.arguments import whole
from tests.load.explaining import Compared, Explaining, OneTransaction, Seen, compare
from tests.load.finished_rows import Finished, fill
from tests.load.reporting import say, show
from tests.support.databases import FreshDatabase, TestServer, test_server
from tests.support.deliveries import World

TIMES, NOISE_MS = 1.5, 1.0
RULE = (
    f"flat: no table with finished rows is read through, and at most {TIMES:g} times as long as "
    f"without them, or {NOISE_MS:g} ms longer"
)
FILLED = frozenset(
    (
        *("notices", "deliveries", "disclosures", "disclosure_outcomes", "child_keys", "copies"),
        *("outbox", "outbox_heads", "inbox", "inbox_streams"),
    )
)
_AGENCIES, _DUE_OF_EACH = 5, 40
_OWNER = 1
_WARM_ROUNDS = 1


@dataclass
class Side:
    """One of the two databases, and what was seen of its plans."""

    database: FreshDatabase
    rows: int
    seen: Seen

    async def prepare(self) -> None:
        """The same live work on either side, and the finished rows on one."""
        world = World.of(self.database)
        agencies = [await world.agency("http://127.0.0.1:1/x") for _ in range(_AGENCIES)]
        for _ in range(_DUE_OF_EACH):
            referral_id = new_id("ref")
            for agency in agencies:
                await world.notice(agency, referral_id=referral_id)
        superuser = await asyncpg.connect(plain_dsn(self.database.superuser_dsn))
        try:
            if self.rows:
                await fill(superuser, Finished(self.rows, agencies))
            await superuser.execute(_PENDING_OF_INTAKE)
            await superuser.execute("VACUUM ANALYZE", timeout=3600)
        finally:
            await superuser.close()

    async def round(self) -> None:
        await _rolled_back(self.database, "notify", self.seen, _notify)
        await _rolled_back(self.database, "intake", self.seen, _intake)


_PENDING_OF_INTAKE = (
    "INSERT INTO intake.outbox (topic, subject, sequence, event_id, body) "
    "SELECT 'referrals', 'ref_live' || n, 1, 'evt_live' || n, convert_to(repeat('x', 425), 'UTF8') "
    "FROM generate_series(1, 200) n"
)


class _Undo(Exception):
    """Raised in a transaction so that nothing of it is kept."""


async def _rolled_back(database: FreshDatabase, schema: str, seen: Seen, work: Any) -> None:
    db = database.open(schema, pool_size=1)
    try:
        async with db.transaction() as session:
            await work(Explaining(session._connection, seen), seen)
            raise _Undo
    except _Undo:
        pass
    finally:
        await db.close()


async def _notify(session: Session, seen: Seen) -> None:
    """Claim, deliver, tell; then receive what was told, as a consumer of it would."""
    db, outbox, now = OneTransaction(session), Outbox(models.OUTBOX, Source.NOTIFY), utc_now()
    seen.begin("claim")
    claim = await delivery_store.claim(
        session,
        outbox,
        owner=_OWNER,
        slots=Slots(32, 16),
        busy={},
        batch=128,
        now=now,
        deadline=now + timedelta(seconds=10),
    )
    assert len(claim.attempts) == 128, len(claim.attempts)
    seen.begin("outcomes")
    ended = [
        Ended(
            each.disclosure_id,
            each.notice_id,
            each.agency_id,
            Answered(200),
            now,
            Verdict(healthy=True, probe=False),
        )
        for each in claim.attempts[:64]
    ]
    await outcome_store.record(session, outbox, ended, now, lambda: 0.5)
    seen.begin("reclaim")
    await outcome_store.abandoned(session, now)
    told = await _relay(db, "relay", models.OUTBOX, seen)
    await _receive(session, db, told, seen)
    seen.begin("prune")
    await prune_outbox(db, models.OUTBOX)
    await prune_inbox(db, models.INBOX)


async def _intake(session: Session, seen: Seen) -> None:
    await _relay(OneTransaction(session), "relay of intake", intake_models.OUTBOX, seen)


async def _relay(db: OneTransaction, step: str, tables: Any, seen: Seen) -> list[Outgoing]:
    relay = Relay("bench", db, "", tables, cast(Bus, None))
    seen.begin(f"{step}: election")
    await relay.elect()
    seen.begin(step)
    publisher = _Acknowledging()
    assert await relay.relay_once(publisher) > 0
    return publisher.published


async def _receive(session: Session, db: OneTransaction, told: list[Outgoing], seen: Seen) -> None:
    """Half as a usual batch, half the long way; then some again, which are duplicates."""
    records = [Incoming(each.topic.value, 0, n, each.body) for n, each in enumerate(told)]
    half = len(records) // 2
    seen.begin("arrivals")
    taken = await Arrivals(models.INBOX).take(
        session, Batch(records[:half], {("notices", 0): half}), lambda _: _OWNER, new_token()
    )
    assert taken is not None
    seen.begin("inbox")
    rest = Batch(records[half:] + records[:10], {("notices", 0): len(records)})
    received = await Inbox(models.INBOX).receive(session, rest)
    assert received.duplicates == 10, received
    streams = Streams(models.INBOX)
    seen.begin("worker")
    claimed = [each for each in await streams.claim(session, _OWNER, 64) if each.bodies]
    await streams.finish(session, claimed)
    await streams.free_dead(session)


class _Acknowledging:
    """Takes whatever it is given."""

    def __init__(self) -> None:
        self.published: list[Outgoing] = []

    async def publish(self, batch: Any, home: Any = None) -> list[bool]:
        self.published += batch
        return [True] * len(batch)

    async def close(self) -> None:
        return None


async def measure(server: TestServer, rows: int, rounds: int) -> list[Compared]:
    sides = [Side(server.new_database(), count, Seen()) for count in (0, rows)]
    for side in sides:
        await side.prepare()
        say(f"beside {side.rows} finished rows: ready")
    for number in range(_WARM_ROUNDS + rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            await side.round()
        if number < _WARM_ROUNDS:
            for side in sides:
                side.seen.plans.clear()
        say(f"round {number + 1} of {_WARM_ROUNDS + rounds}")
    found = compare(sides[0].seen, sides[1].seen)
    for side in sides:
        await side.database.close()
        server.drop(side.database)
    return found


def is_flat(each: Compared) -> bool:
    return each.flat(FILLED, times=TIMES, noise_ms=NOISE_MS)


def _rows(found: list[Compared]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [
        ("statement", "ms without", "with", "pages without", "with", "", "nodes with")
    ]
    for each in found:
        word = "flat" if is_flat(each) else "GROWS"
        scans = [node for node in each.with_nodes if " on " in node or "Scan " in node]
        rows.append(
            (
                *(f"{each.step} {each.place}", each.without_ms, each.with_ms),
                *(each.without_blocks, each.with_blocks, word),
                ", ".join((each.with_nodes[0], *scans)),
            )
        )
    return rows


def main(args: argparse.Namespace) -> int:
    logging.configure("notify", "ERROR")
    with test_server() as server:
        found = asyncio.run(measure(server, args.rows, args.rounds))
    growing = [f"{each.step} {each.place}" for each in found if not is_flat(each)]
    statements = [asdict(each) | {"flat": is_flat(each)} for each in found]
    report = {"rows": args.rows, "rule": RULE, "growing": growing, "statements": statements}
    show(report, _rows(found))
    return 1 if growing else 0


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load.bench_finished", description=__doc__
    )
    parser.add_argument(
        "--rows", type=whole(10_000, 10_000_000), default=1_000_000, help="finished, in each table"
    )
    parser.add_argument("--rounds", type=whole(3, 1000), default=9)
    return parser


if __name__ == "__main__":
    sys.exit(main(arguments().parse_args()))
