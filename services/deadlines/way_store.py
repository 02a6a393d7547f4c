"""SQL of what stands still in deadlines. Nothing here commits."""

from services.deadlines.models import INBOX
from shared.messaging.standing import standing_still
from shared.runtime.db import Database
from shared.runtime.progress import Way


async def way(db: Database) -> Way:
    """No stage of a referral's own; its clocks' ages are metrics."""
    async with db.connection() as session:
        return Way([], await standing_still(session, INBOX))
