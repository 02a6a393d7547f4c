"""Letters are written while they are recorded; none leaves before that is confirmed (P2)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from services.notify.delivery.attempts import Attempt
from services.notify.delivery.postroom import Postroom
from services.notify.delivery.sender import Letter
from tests.support.deliveries import World, eventually
from tests.support.receiver import Receiver

_LOCK = 4711
_WAIT = f"""
CREATE FUNCTION notify.wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared({_LOCK}); RETURN NULL; END $$;
"""
_AT_THE_COMMIT = """
CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON notify.disclosures
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION notify.wait();
"""
_AT_THE_RECORD = """
CREATE TRIGGER wait AFTER INSERT ON notify.disclosures
FOR EACH STATEMENT EXECUTE FUNCTION notify.wait();
"""


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The notices whose letters were written, in turn."""
    notices: list[str] = []
    write = Postroom.letter

    async def letter(self: Postroom, attempt: Attempt, *rest: Any) -> Letter:
        letter = await write(self, attempt, *rest)
        notices.append(attempt.notice_id)
        return letter

    monkeypatch.setattr(Postroom, "letter", letter)
    return notices


@asynccontextmanager
async def _claims_held(
    world: World, trigger: str = _AT_THE_COMMIT
) -> AsyncIterator[asyncpg.Connection]:
    """Delivering; every claim waits there, until the lock is let go."""
    connection = await asyncpg.connect(world.database.superuser_dsn)
    try:
        await connection.execute(_WAIT + trigger)
        await connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
        async with world.delivering():
            try:
                yield connection
            finally:  # A role whose claim waits for this does not stop.
                await _let_go(connection)
    finally:
        await connection.close()


async def _let_go(connection: asyncpg.Connection) -> None:
    await connection.execute(f"SELECT pg_advisory_unlock({_LOCK})")


@pytest.mark.parametrize("trigger", [_AT_THE_RECORD, _AT_THE_COMMIT])
async def test_letters_are_written_while_they_are_recorded_and_leave_after_it(
    world: World, receiver: Receiver, written: list[str], trigger: str
) -> None:
    agency = await world.agency(receiver.url)
    notices = await world.notices(agency, 20)
    async with _claims_held(world, trigger) as holder:
        await eventually(lambda: _true(len(written) == 8))
        await asyncio.sleep(0.05)
        assert (len(written), receiver.connections) == (8, 0)
        await _let_go(holder)
        await eventually(lambda: _delivered(world, 20))
    assert sorted(written) == sorted(notices)
    assert sorted(receiver.notice_ids) == sorted(notices)


async def test_p2_a_commit_that_fails_throws_its_letters_away(
    world: World, receiver: Receiver, written: list[str]
) -> None:
    """The next claim writes others, which leave; of the first there is neither byte nor record."""
    notice = await world.notice(await world.agency(receiver.url))
    async with _claims_held(world) as holder:
        await eventually(lambda: _true(written == [notice]))
        await eventually(lambda: _cut_at_its_commit(holder))
        await eventually(lambda: _true(written == [notice] * 2))
        assert receiver.connections == 0
        await _let_go(holder)
        await eventually(lambda: _delivered(world, 1))
    assert receiver.notice_ids == [notice]
    assert await world.facts(notice) == ["completed:200"]


async def _cut_at_its_commit(holder: asyncpg.Connection) -> bool:
    """The letter may be written before the claim has come so far."""
    cut = await holder.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT' "
        "AND state = 'active' AND wait_event = 'advisory'"
    )
    return bool(cut)


async def _true(condition: bool) -> bool:
    return condition


async def _delivered(world: World, count: int) -> bool:
    return await world.states() == {"delivered": count}
