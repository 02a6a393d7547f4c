"""P9: what waits in notify's areas is asked for at once, so that a scrape is short."""

from prometheus_client import REGISTRY

from services.notify import areas
from tests.support.deliveries import World

_TRIPS = "hartline_database_round_trips_total"


async def test_p9_every_areas_age_comes_in_one_round_trip(world: World) -> None:
    async with world.db.connection() as session:
        before = REGISTRY.get_sample_value(_TRIPS) or 0.0
        found = await areas.ages(session)
        trips = (REGISTRY.get_sample_value(_TRIPS) or 0.0) - before
    assert trips == 1
    assert found == dict.fromkeys(
        (
            "held",
            "task_unpaged",
            "redrive",
            "unread",
            "unacknowledged",
            "shredding",
            "substitution",
            "oral_entry",
            "related",
        ),
        0.0,
    )
