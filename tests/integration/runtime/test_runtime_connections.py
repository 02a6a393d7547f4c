"""Who takes a connection, who waits for one, and which are given to nobody again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from shared.runtime import connections as module
from shared.runtime.connections import Connections
from shared.runtime.db import Database, plain_dsn
from tests.support.databases import FreshDatabase

PID = "SELECT pg_backend_pid()"


@pytest.fixture
async def pair(database: FreshDatabase) -> AsyncIterator[Connections]:
    """Two at most."""
    connections = Connections(lambda: connect(database), 2)
    yield connections
    connections.terminate()


async def connect(database: FreshDatabase) -> Any:
    return await asyncpg.connect(plain_dsn(database.dsns["bus"].app))


async def pid(connections: Connections) -> int:
    async with connections.taken(10) as connection:
        found: int = await connection.fetchval(PID)
    return found


def counts(connections: Connections) -> tuple[int, int, int]:
    return connections.opened, connections.in_use, connections.waiting


async def test_one_is_opened_when_there_is_none_and_kept(pair: Connections) -> None:
    first = await pid(pair)
    assert await pid(pair) == first
    async with pair.taken(1) as held:
        second = await pid(pair)
        assert await held.fetchval(PID) == first != second
    assert counts(pair) == (2, 0, 0)


async def test_who_waits_is_served_in_turn_and_gives_up_in_time(pair: Connections) -> None:
    served: list[int] = []

    async def wait(number: int) -> None:
        async with pair.taken(10):
            served.append(number)

    async with pair.taken(1), pair.taken(1):
        waiting = [asyncio.create_task(wait(number)) for number in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await pid_within(pair, 0.01)
        waiting[1].cancel()
        await asyncio.sleep(0)
        assert counts(pair) == (2, 2, 2)
    await asyncio.gather(*waiting, return_exceptions=True)
    assert served == [0, 2]
    assert counts(pair) == (2, 0, 0)


async def pid_within(connections: Connections, seconds: float) -> None:
    async with connections.taken(seconds):
        pass


async def test_what_was_given_to_somebody_who_had_just_gone_is_not_lost(pair: Connections) -> None:
    async with pair.taken(1):
        async with pair.taken(1):
            gone = asyncio.create_task(pid(pair))
            next_one = asyncio.create_task(pid(pair))
            await asyncio.sleep(0)
        gone.cancel()  # It is its turn, and it does not know yet.
        assert await next_one
        with pytest.raises(asyncio.CancelledError):
            await gone
    assert counts(pair) == (2, 0, 0)


@pytest.mark.parametrize(("within", "allowed"), [(0.05, None), (None, 0.05)])
async def test_a_statement_that_was_broken_off_is_nobody_elses(
    pair: Connections, within: float | None, allowed: float | None
) -> None:
    """By whoever waited for it, or because no statement may take so long."""

    async def sleep() -> None:
        async with pair.taken(1) as connection:
            await connection.fetchval("SELECT pg_sleep(30)", timeout=allowed)

    before = await pid(pair)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sleep(), within)
    assert await pid(pair) != before
    assert counts(pair) == (1, 0, 0)


async def test_what_is_left_in_a_transaction_or_was_cut_is_given_to_nobody(
    pair: Connections,
) -> None:
    before = await pid(pair)
    async with pair.taken(1) as connection:
        await connection.execute("BEGIN")
    assert (after := await pid(pair)) != before
    async with pair.taken(1) as other:
        assert await other.fetchval(PID) == after
        async with pair.taken(1) as connection:
            cut = await connection.fetchval(PID)
        await other.execute(f"SELECT pg_terminate_backend({cut})")
        await asyncio.sleep(0.05)
        assert await pid(pair) not in (cut, after)
    assert counts(pair) == (2, 0, 0)


async def test_a_place_in_which_connecting_failed_is_free_for_who_waits(
    database: FreshDatabase,
) -> None:
    failing = asyncio.Event()

    async def fail_first() -> Any:
        if failing.is_set():
            return await connect(database)
        await asyncio.sleep(0)
        failing.set()
        raise ConnectionRefusedError

    single = Connections(fail_first, 1)
    first, second = await asyncio.gather(pid(single), pid(single), return_exceptions=True)
    assert isinstance(first, ConnectionRefusedError)
    assert isinstance(second, int)
    assert counts(single) == (1, 0, 0)
    single.terminate()


async def test_the_longest_unused_goes_after_half_an_hour(
    pair: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pair.taken(1):
        used = await pid(pair)
    assert counts(pair) == (2, 0, 0)
    monkeypatch.setattr(module, "_IDLE_SECONDS", 0.0)
    await pid(pair)
    assert counts(pair) == (1, 0, 0)
    assert await pid(pair) != used


async def test_after_the_end_none_is_opened_and_those_that_are_taken_are_cut(
    pair: Connections,
) -> None:
    async with pair.taken(1) as held:
        pair.terminate()
        assert held.is_closed()
    with pytest.raises(asyncpg.InterfaceError):
        await pid(pair)
    assert counts(pair) == (0, 0, 0)


async def test_one_stale_plan_is_the_last_of_them(database: FreshDatabase) -> None:
    owner, db = database.open("bus", owner=True), database.open("bus", pool_size=2)
    async with owner.transaction() as session:
        await session.execute(text("CREATE TABLE bus.wide (id int)"))
    async with db.transaction() as one, db.transaction() as other:
        await one.execute(text("SELECT * FROM bus.wide"))
        await other.execute(text("SELECT * FROM bus.wide"))
    async with owner.transaction() as session:
        await session.execute(text("ALTER TABLE bus.wide ADD COLUMN more text"))
    with pytest.raises(asyncpg.InvalidCachedStatementError):
        await read_wide(db)
    await asyncio.gather(read_wide(db), read_wide(db))


async def read_wide(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(text("SELECT * FROM bus.wide"))


async def test_p1_what_was_broken_off_never_takes_effect_and_leaves_nobody_at_the_server(
    database: FreshDatabase,
) -> None:
    """Twelve are broken off while a row that they want is locked: by two connections at a time."""
    owner, db = database.open("bus", owner=True), database.open("bus", pool_size=2)
    async with owner.transaction() as session:
        await session.execute(text("CREATE TABLE bus.counted (n int)"))
        await session.execute(text("INSERT INTO bus.counted VALUES (0)"))
        await session.execute(text("GRANT ALL ON bus.counted TO PUBLIC"))
    async with owner.transaction() as session:
        await session.execute(text("UPDATE bus.counted SET n = 0"))
        for _ in range(12):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await db.execute(text("UPDATE bus.counted SET n = n + 1"))
        waiting = text(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock'"
        )
        assert await owner.execute(waiting) == []
    (row,) = await owner.execute(text("SELECT n FROM bus.counted"))
    assert row.n == 0


async def test_one_that_came_after_the_end_is_ended_too(database: FreshDatabase) -> None:
    coming, come = asyncio.Event(), asyncio.Event()

    async def slowly() -> Any:
        coming.set()
        await come.wait()
        return await connect(database)

    single = Connections(slowly, 1)
    late = asyncio.create_task(pid(single))
    await coming.wait()
    single.terminate()
    come.set()
    with pytest.raises(asyncpg.InterfaceError):
        await late
    assert counts(single) == (0, 0, 0)


async def test_a_place_in_which_connecting_was_cancelled_is_free(database: FreshDatabase) -> None:
    slow = asyncio.Event()

    async def slow_first() -> Any:
        if not slow.is_set():
            slow.set()
            await asyncio.sleep(30)
        return await connect(database)

    single = Connections(slow_first, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(pid(single), 0.05)
    assert await pid(single)
    assert counts(single) == (1, 0, 0)
    single.terminate()


async def test_a_session_that_has_ended_writes_into_nobody_elses(database: FreshDatabase) -> None:
    db = database.open("bus", pool_size=1)
    async with db.transaction() as first:
        pass
    async with db.connection() as second:
        pass
    async with db.transaction():
        for ended in (first, second):
            with pytest.raises(asyncpg.InterfaceError, match="ended"):
                await ended.execute(text(PID))


async def test_one_whose_set_up_fails_is_not_left_at_the_server(
    database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []

    async def fail(connection: Any) -> None:
        opened.append(connection)
        raise ConnectionResetError

    monkeypatch.setattr("shared.runtime.db._speak_json", fail)
    with pytest.raises(ConnectionResetError):
        await read_wide(database.open("bus"))
    assert [each.is_closed() for each in opened] == [True]
