"""P7: one tree without a gap, committed before it is signed, and never two trees signed."""

import asyncio

import pytest
from sqlalchemy import text

from services.audit import store, tlog
from services.audit.note import Checkpoint, open_checkpoint
from services.audit.sealer import Forked, Sealer
from shared.runtime.db import Database
from shared.runtime.migrate import check_drift
from tests.integration.audit.conftest import MakeSealer, as_superuser, submission, submit
from tests.support.audit import ORIGIN, leaf, log_of, signer
from tests.support.databases import FreshDatabase

KEY = signer(1).public


async def whole_log(db: Database) -> list[store.Entry]:
    async with db.transaction() as session:
        return await store.entries_from(session, 0, 10**9)


async def latest(db: Database) -> Checkpoint | None:
    async with db.transaction() as session:
        stored = await store.latest_checkpoint(session)
    return open_checkpoint(stored.note.encode(), [KEY]) if stored else None


async def check_log(db: Database, size: int) -> None:
    """The entries have no gap, their hashes are right, and head and nodes are those of the RFC."""
    entries = await whole_log(db)
    assert [entry.index for entry in entries] == list(range(size))
    assert all(entry.leaf_hash == tlog.leaf_hash(entry.leaf) for entry in entries)
    expected = tlog.Frontier()
    completed = expected.extend(entry.leaf_hash for entry in entries)
    async with db.transaction() as session:
        head = await store.lock_head(session)
        nodes = await session.execute(text("SELECT level, index, hash FROM audit.nodes"))
        waiting = await session.scalar(text("SELECT count(*) FROM audit.submissions"))
    assert (head.size, head.peaks) == (size, expected.peaks)
    assert sorted(tuple(row) for row in nodes) == sorted(completed)
    assert waiting == 0


def test_the_migration_makes_what_the_code_expects(database: FreshDatabase) -> None:
    check_drift("audit", database.dsns["audit"].owner)


async def test_submissions_become_entries_in_order_under_a_signed_root(
    db: Database, sealer: Sealer
) -> None:
    await submit(db, range(5))
    await sealer.drain()
    await submit(db, range(5, 12))
    await sealer.drain()
    await check_log(db, 12)
    assert [entry.leaf for entry in await whole_log(db)] == [leaf(index) for index in range(12)]
    assert await latest(db) == open_checkpoint(log_of(12).note(12).encode(), [KEY])


async def test_the_empty_log_is_signed_too_and_nothing_new_is_not(
    db: Database, sealer: Sealer
) -> None:
    assert await sealer.sign_once() == Checkpoint(ORIGIN, 0, tlog.EMPTY_ROOT)
    assert await sealer.sign_once() is None
    await submit(db, [0])
    await sealer.sequence_once()
    assert await sealer.sign_once() is not None
    assert await sealer.sign_once() is None


@pytest.mark.parametrize("again_after_sequencing", [False, True])
async def test_an_event_handled_twice_is_one_entry(
    db: Database, sealer: Sealer, again_after_sequencing: bool
) -> None:
    await submit(db, [1, 2])
    if again_after_sequencing:
        await sealer.sequence_once()
    await submit(db, [2, 3])
    await sealer.drain()
    await check_log(db, 3)


async def test_a_duplicate_that_slipped_into_the_queue_leaves_it_without_a_gap(
    db: Database, sealer: Sealer
) -> None:
    """Two transactions at once: one sequences the event while the other submits it again."""
    await submit(db, [1])
    await sealer.sequence_once()
    async with db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO audit.submissions (event_id, position, kind, leaf) "
                "VALUES ('event-1', 0, 'attempted', 'again'), ('event-2', 0, 'attempted', 'new')"
            )
        )
    await sealer.drain()
    await check_log(db, 2)


async def test_a_submission_that_rolls_back_leaves_no_gap(db: Database, sealer: Sealer) -> None:
    with pytest.raises(RuntimeError):
        async with db.transaction() as session:
            await store.submit(session, [submission(1)])
            raise RuntimeError
    await submit(db, [2])
    await sealer.drain()
    await check_log(db, 1)


async def test_two_sequencers_at_once_make_one_tree(db: Database, make_sealer: MakeSealer) -> None:
    """The election may fail (a zombie): the head's lock is what holds."""
    sealers = [make_sealer() for _ in range(3)]

    async def feed() -> None:
        for start in range(0, 300, 20):
            await submit(db, range(start, start + 20))

    async def seal(one: Sealer) -> None:
        for _ in range(25):
            await one.sequence_once(7)
            await one.sign_once()

    await asyncio.gather(feed(), *(seal(one) for one in sealers))
    await sealers[0].drain()
    await check_log(db, 300)
    async with db.transaction() as session:
        rows = await session.execute(text("SELECT size, note FROM audit.checkpoints ORDER BY id"))
        notes = [(row.size, row.note) for row in rows]
    signed = [open_checkpoint(note.encode(), [KEY]) for _, note in notes]
    assert [each.size for each in signed] == sorted({size for size, _ in notes})
    entries = [entry.leaf_hash for entry in await whole_log(db)]
    for each in signed:
        tree = tlog.Frontier()
        tree.extend(entries[: each.size])
        assert tree.root() == each.root


async def test_only_the_elected_one_leads_and_the_next_takes_over(
    db: Database, make_sealer: MakeSealer
) -> None:
    first, second = make_sealer(db=db), make_sealer(db=db)
    stop_first, stop_second = asyncio.Event(), asyncio.Event()
    leading = asyncio.create_task(first.run(stop_first))
    await until_signed(db, 0)
    waiting = asyncio.create_task(second.run(stop_second))
    await submit(db, range(3))
    await until_signed(db, 3)
    assert second._signed is None
    stop_first.set()
    await leading
    await submit(db, range(3, 5))
    await until_signed(db, 5)
    stop_second.set()
    await waiting
    await check_log(db, 5)


async def until_signed(db: Database, size: int) -> None:
    async with asyncio.timeout(10):
        while True:
            found = await latest(db)
            if found is not None and found.size == size:
                return
            await asyncio.sleep(0.02)


async def test_a_crash_between_the_trees_commit_and_its_signature_loses_nothing(
    db: Database, make_sealer: MakeSealer
) -> None:
    """P1, P7: the next sequencer signs what is committed."""
    first = make_sealer()
    await first.sign_once()
    await submit(db, range(9))
    await first.sequence_once()
    found = await latest(db)
    assert found is not None
    assert found.size == 0
    second = make_sealer()
    await second.check()
    await second.drain()
    found = await latest(db)
    assert found is not None
    assert found.size == 9
    await check_log(db, 9)


async def sealed(db: Database, sealer: Sealer, size: int) -> Checkpoint:
    await submit(db, range(size))
    await sealer.drain()
    found = await latest(db)
    assert found is not None
    assert found.size == size
    return found


async def test_a_restored_backup_is_refused_by_the_running_sequencer(
    db: Database, sealer: Sealer, database: FreshDatabase
) -> None:
    await sealed(db, sealer, 10)
    six = log_of(6)
    await as_superuser(
        database,
        "DELETE FROM audit.entries WHERE index >= 6",
        "DELETE FROM audit.nodes WHERE (index + 1) << level > 6",
        "DELETE FROM audit.checkpoints",
        _set_head(six.leaves),
    )
    await submit(db, [20])
    await sealer.sequence_once()
    with pytest.raises(Forked, match="10 entries were signed"):
        await sealer.sign_once()
    assert sealer.forked is not None
    assert "docs/audit.md" in sealer.forked


def _set_head(leaves: list[bytes]) -> str:
    tree = tlog.Frontier()
    tree.extend(tlog.leaf_hash(each) for each in leaves)
    peaks = ", ".join(f"'\\x{peak.hex()}'::bytea" for peak in tree.peaks)
    return f"UPDATE audit.head SET size = {tree.size}, peaks = ARRAY[{peaks}]"


async def test_a_restored_backup_is_refused_behind_a_checkpoint_kept_elsewhere(
    db: Database, sealer: Sealer, make_sealer: MakeSealer, database: FreshDatabase
) -> None:
    """Even a whole older state, which agrees with itself, is behind what a witness saw."""
    witnessed = await sealed(db, sealer, 10)
    older = database.open("audit")
    await as_superuser(
        database,
        "DELETE FROM audit.entries WHERE index >= 6",
        "DELETE FROM audit.nodes WHERE (index + 1) << level > 6",
        "DELETE FROM audit.checkpoints",
        _set_head(log_of(6).leaves),
    )
    await make_sealer(db=older).check()
    with pytest.raises(Forked, match="there are 6 now"):
        await make_sealer(db=older, witnessed=[witnessed]).check()


async def test_another_history_of_the_same_size_is_refused(
    db: Database, sealer: Sealer, make_sealer: MakeSealer, database: FreshDatabase
) -> None:
    witnessed = await sealed(db, sealer, 10)
    other = [*log_of(9).leaves, b"another last entry"]
    await as_superuser(
        database,
        "UPDATE audit.entries SET leaf = 'another last entry', "
        "leaf_hash = sha256('\\x00' || 'another last entry'::bytea) WHERE index = 9",
        f"UPDATE audit.nodes SET hash = '\\x{_node(other, 1, 4).hex()}' "
        "WHERE level = 1 AND index = 4",
        _set_head(other),
    )
    with pytest.raises(Forked, match="different roots"):
        await make_sealer().check()
    await as_superuser(database, "DELETE FROM audit.checkpoints")
    await make_sealer().check()
    with pytest.raises(Forked, match="different roots"):
        await make_sealer(witnessed=[witnessed]).check()


def _node(leaves: list[bytes], level: int, index: int) -> bytes:
    completed = tlog.Frontier().extend(tlog.leaf_hash(each) for each in leaves)
    return next(value for at, place, value in completed if (at, place) == (level, index))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM audit.entries WHERE index = 9", "the last index is 8"),
        ("UPDATE audit.head SET size = 11", "one peak|last index"),
        ("DELETE FROM audit.nodes WHERE level = 3", "do not give the root"),
        ("UPDATE audit.nodes SET hash = sha256('x') WHERE level = 3", "do not give the root"),
    ],
)
async def test_a_tree_that_is_not_whole_is_not_built_upon(
    db: Database,
    sealer: Sealer,
    make_sealer: MakeSealer,
    database: FreshDatabase,
    change: str,
    said: str,
) -> None:
    await sealed(db, sealer, 10)
    await as_superuser(database, change)
    with pytest.raises((Forked, ValueError), match=said):
        await make_sealer().check()


async def test_another_origin_does_not_go_on_signing_this_log(
    db: Database, sealer: Sealer, make_sealer: MakeSealer
) -> None:
    await sealed(db, sealer, 3)
    with pytest.raises(Forked, match="another origin"):
        await make_sealer(origin="log.example/renamed").check()


async def test_what_waits_has_an_age(db: Database, sealer: Sealer) -> None:
    """P9: the oldest unsequenced submission, and the oldest unsigned entry."""
    assert await ages(db) == {"audit_unsequenced": 0.0, "audit_unsigned": 0.0}
    await submit(db, range(3))
    await asyncio.sleep(0.02)
    assert (await ages(db))["audit_unsequenced"] >= 0.02
    await sealer.sequence_once()
    await asyncio.sleep(0.02)
    found = await ages(db)
    assert (found["audit_unsequenced"], found["audit_unsigned"] >= 0.02) == (0.0, True)
    await sealer.sign_once()
    assert await ages(db) == {"audit_unsequenced": 0.0, "audit_unsigned": 0.0}


async def ages(db: Database) -> dict[str, float]:
    async with db.transaction() as session:
        return await store.ages(session)
