"""How many subjects are parked is counted each time that ages are read, up and down."""

from prometheus_client import REGISTRY

from shared.contracts.base import Topic
from shared.messaging import parked
from shared.messaging.postgres.bus import PostgresBus
from shared.messaging.service import Consuming
from shared.runtime.ids import new_id
from tests.integration.messaging.conftest import Service, record


async def test_p9_the_number_parked_now_goes_up_and_down(service: Service) -> None:
    tables, bus = service.inbox_tables, PostgresBus(service.dsn, "test")
    consuming = Consuming("svc", service.db, service.dsn, bus, tables, (Topic.REFERRALS,), {})
    subjects = [new_id("ref"), new_id("ref"), new_id("ref")]
    await service.receive(*(record(at, each, 1) for at, each in enumerate(subjects)))

    async def counted() -> float | None:
        async with service.db.transaction() as session:
            await consuming.ages(session)
        return REGISTRY.get_sample_value("hartline_parked_subjects", {"service": "svc"})

    assert await counted() == 0
    await service.execute(
        "UPDATE svc.inbox_streams SET parked_at = clock_timestamp() WHERE subject <> :one",
        one=subjects[0],
    )
    assert await counted() == 2
    async with service.db.transaction() as session:
        await parked.replay(session, tables, subjects[1])
    assert await counted() == 1
    await bus.close()
