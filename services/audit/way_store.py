"""SQL of the end of the way: what is in the log. Nothing here commits."""

from sqlalchemy import text

from services.audit import models
from shared.messaging.standing import standing_still
from shared.runtime.db import Database
from shared.runtime.progress import DAY, Stage, Way

_LOGGED = text(
    f"SELECT (SELECT count(*) FROM {models.entries.fullname} WHERE sequenced_at > "
    "clock_timestamp() - make_interval(secs => :day)) AS done, count(*) AS waiting, "
    "coalesce(extract(epoch FROM clock_timestamp() - min(submitted_at)), 0) AS oldest "
    f"FROM {models.submissions.fullname}"
)


async def way(db: Database) -> Way:
    async with db.connection() as session:
        row = (await session.execute(_LOGGED, {"day": DAY})).one()
        logged = Stage("in the log", row.done, row.waiting, float(row.oldest))
        return Way([logged], await standing_still(session, models.INBOX))
