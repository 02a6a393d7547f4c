"""A worker's statements are planned while its tables are small, and the plans are kept."""

from sqlalchemy import text

from shared.messaging.arrivals import Arrivals
from shared.messaging.bus import Batch
from shared.messaging.streams import Claimed, new_token
from shared.runtime.db import Session
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import Service, record

_AT_ONCE = 30
_UNTIL_A_PLAN_IS_KEPT = 8
_READ_THROUGH = text(
    "SELECT coalesce(sum(seq_tup_read), 0) FROM pg_stat_xact_user_tables "
    "WHERE schemaname = 'svc' AND relname IN ('inbox', 'inbox_streams')"
)
_READ = text(
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0) "
    "FROM pg_stat_xact_user_tables WHERE schemaname = 'svc'"
)


async def test_streams_are_taken_claimed_and_finished_by_their_keys_from_the_first_on(
    service: Service,
) -> None:
    async with service.db.transaction() as session:
        for _ in range(_UNTIL_A_PLAN_IS_KEPT):
            await finish(service, session, await take(service, session, owner=1))
            await take(service, session, owner=None)
            claimed = await service.streams.claim(session, owner=1, limit=_AT_ONCE)
            await finish(service, session, claimed)
        assert await session.scalar(_READ_THROUGH) == 0


async def test_it_costs_the_same_where_they_were_analysed_while_they_were_small(
    service: Service,
) -> None:
    """Autovacuum may come by at any time, and what it finds is planned by until it comes again."""
    costs = []
    async with service.db.transaction() as session:
        for number in range(2 * _UNTIL_A_PLAN_IS_KEPT):
            before = await session.scalar(_READ)
            count = 1 if number < _UNTIL_A_PLAN_IS_KEPT else _AT_ONCE
            await finish(service, session, await take(service, session, 1, count), count)
            await take(service, session, None, count)
            claimed = await service.streams.claim(session, owner=1, limit=count)
            await finish(service, session, claimed, count)
            costs.append(await session.scalar(_READ) - before)
            if number == 0:
                await session.execute(text("ANALYZE svc.inbox, svc.inbox_streams"))
    assert costs[-1] == costs[_UNTIL_A_PLAN_IS_KEPT]


async def take(
    service: Service, session: Session, owner: int | None, count: int = _AT_ONCE
) -> list[Claimed]:
    batch = Batch([record(n, new_id("ref"), 1) for n in range(count)])
    arrivals = Arrivals(service.inbox_tables)
    taken = await arrivals.take(session, batch, lambda _: owner, new_token())
    assert taken is not None
    return taken[0]


async def finish(
    service: Service, session: Session, claimed: list[Claimed], count: int = _AT_ONCE
) -> None:
    finished, _ = await service.streams.finish(session, claimed)
    assert len(finished) == count
