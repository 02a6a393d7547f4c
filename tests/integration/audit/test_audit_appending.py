"""Appending with a shared commit: every caller's leaf is an entry, once, when it returns."""

import asyncio

import pytest

from services.audit import store, tlog
from services.audit.appending import Appending
from services.audit.sealer import Sealer
from shared.runtime.db import Database
from tests.integration.audit.conftest import submission, submit
from tests.integration.audit.test_audit_sealing import check_log, latest


async def test_many_callers_at_once_make_one_tree_beside_the_sequencer(
    db: Database, sealer: Sealer
) -> None:
    log = Appending(db)

    async def queue() -> None:
        for start in range(1000, 1100, 10):
            await submit(db, range(start, start + 10))
            await sealer.sequence_once(7)

    await asyncio.gather(queue(), *(log.append(submission(number)) for number in range(200)))
    await sealer.drain()
    await check_log(db, 300)
    found = await latest(db)
    assert found is not None
    assert found.size == 300


async def test_a_leaf_appended_again_is_one_entry(db: Database, sealer: Sealer) -> None:
    """After an ambiguous commit the caller appends the same one again."""
    log = Appending(db)
    await asyncio.gather(*(log.append(submission(number % 3)) for number in range(9)))
    await log.append(submission(1))
    await submit(db, [0, 1, 2])
    await sealer.drain()
    await check_log(db, 3)


async def test_it_is_there_when_it_returns(db: Database) -> None:
    log = Appending(db)
    await log.append(submission(5))
    async with db.transaction() as session:
        entry = await store.entry(session, 0)
    assert entry is not None
    assert entry.leaf_hash == tlog.leaf_hash(entry.leaf)


async def test_a_failure_reaches_every_caller_and_the_next_is_not_hindered(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Appending(db)
    with monkeypatch.context() as patched:
        patched.setattr(store, "lock_head", _refuse)
        done = await asyncio.gather(
            *(log.append(submission(number)) for number in range(5)), return_exceptions=True
        )
        assert {type(each) for each in done} == {OSError}
    await log.append(submission(1))
    await check_log(db, 1)


async def _refuse(*_: object) -> None:
    raise OSError("away")
