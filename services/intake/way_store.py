"""SQL of intake's part of the way: accepted and relayed. Nothing here commits."""

from sqlalchemy import text

from services.intake import models
from shared.contracts.base import Topic
from shared.messaging.standing import relayed
from shared.runtime.db import Database
from shared.runtime.progress import DAY, Stage, Way

_ACCEPTED = text(
    f"SELECT count(*) FROM {models.referral_versions.fullname} "
    "WHERE recorded_at > clock_timestamp() - make_interval(secs => :day)"
)


async def way(db: Database) -> Way:
    """Versions of referrals accepted, and their events on the bus."""
    async with db.connection() as session:
        accepted = Stage("accepted", await session.scalar(_ACCEPTED, {"day": DAY}))
        return Way([accepted, await relayed(session, models.OUTBOX, Topic.REFERRALS, "relayed")])
