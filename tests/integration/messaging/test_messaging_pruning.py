"""Pruning reads what it removes, and no more: the rest may be a million rows."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from shared.messaging import retention
from shared.messaging.retention import prune_inbox, prune_outbox
from shared.runtime.ids import new_id, utc_now
from tests.integration.messaging.conftest import Service, received, record

OLD = timedelta(days=40)


async def _sent_long_ago(service: Service, count: int) -> None:
    await service.emit(*(received(new_id("ref")) for _ in range(count)))
    await service.execute(
        "UPDATE svc.outbox SET created_at = created_at - CAST(:old AS interval), "
        "sent_at = created_at",
        old=OLD,
    )


async def _handled_long_ago(service: Service, count: int) -> None:
    await service.receive(*(record(n, new_id("ref"), 1) for n in range(count)))
    await service.execute("UPDATE svc.inbox_streams SET cursor = highest, ready_at = NULL")
    await service.execute(
        "UPDATE svc.inbox SET received_at = received_at - CAST(:old AS interval)", old=OLD
    )


async def test_everything_old_goes_though_it_takes_several_batches(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 2)
    await _sent_long_ago(service, 5)
    await service.emit(received(new_id("ref")))
    assert await prune_outbox(service.db, service.outbox_tables) == 5
    await _handled_long_ago(service, 5)
    await service.receive(record(5, new_id("ref"), 1))
    assert await prune_inbox(service.db, service.inbox_tables) == 5


async def test_what_waits_longest_keeps_nothing_behind_it(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One unsent event is the oldest of all, as after a replay."""
    monkeypatch.setattr(retention, "_BATCH", 2)
    await _sent_long_ago(service, 5)
    await service.execute(
        "UPDATE svc.outbox SET sent_at = NULL WHERE id = (SELECT min(id) FROM svc.outbox)"
    )
    assert await prune_outbox(service.db, service.outbox_tables) == 4


async def test_a_bound_of_ones_own_is_kept_to(service: Service) -> None:
    await _sent_long_ago(service, 2)
    await _handled_long_ago(service, 2)
    before = utc_now() - 2 * OLD
    assert await prune_outbox(service.db, service.outbox_tables, before=before) == 0
    assert await prune_inbox(service.db, service.inbox_tables, before=before) == 0
    assert await prune_outbox(service.db, service.outbox_tables, before=utc_now()) == 2
    assert await prune_inbox(service.db, service.inbox_tables, before=utc_now()) == 2


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_nothing_to_prune_is_found_by_an_index_however_it_is_planned(
    service: Service, mode: str
) -> None:
    await service.execute(
        "INSERT INTO svc.outbox (topic, subject, sequence, event_id, body, sent_at) "
        "SELECT 'referrals', 'ref_' || n, 1, n, '', now() FROM generate_series(1, 5000) n"
    )
    await service.execute(
        "INSERT INTO svc.inbox (topic, source, subject, sequence, event_id, body) "
        "SELECT 'referrals', 'x', 'ref_' || n, 1, n, '' FROM generate_series(1, 5000) n"
    )
    await service.execute(
        "INSERT INTO svc.inbox_streams (topic, source, subject, cursor, highest) "
        "SELECT 'referrals', 'x', 'ref_' || n, 1, 1 FROM generate_series(1, 5000) n"
    )
    await service.execute("ANALYZE")
    values = {"age": retention.RETENTION, "before": None, "batch": 5000}
    for statement in (
        retention._sent("svc.outbox"),
        retention._finished(service.inbox_tables),
    ):
        async with service.db.transaction() as session:
            await session.execute(text(f"SET LOCAL plan_cache_mode = {mode}"))
            before = await session.scalar(text(_LOOKED_AT))
            assert await session.execute(text(statement), values) == []
            assert await session.scalar(text(_LOOKED_AT)) == before


_LOOKED_AT = "SELECT sum(seq_tup_read) FROM pg_stat_xact_user_tables WHERE schemaname = 'svc'"
