"""A later version that implicates a recipient silences what waits beside the version's own plan.

Related notices, of this referral or naming it, and recalls: no version replaces them, and who has
a conflict of interest gets nothing further, by whatever series (P3). What went stays as it is.
"""

from datetime import datetime

from services.notify.delivery.refusing_store import suppress
from services.notify.directory.register import Directory
from services.notify.related import store
from services.notify.related.store import Beside
from services.notify.routing.routes import Route
from shared.runtime.db import Session


async def silence(
    session: Session, referral_id: str, route: Route, directory: Directory, now: datetime
) -> None:
    """Its deliveries are locked already, and so nothing is planned beside it meanwhile."""
    waiting = await store.beside(session, referral_id)
    barred = [each for each in waiting if is_barred(each, route, directory)]
    if not barred:
        return
    await store.try_no_more(session, [each.notice_id for each in barred if each.in_flight])
    await suppress(session, [each for each in barred if not each.in_flight], now)


def is_barred(each: Beside, route: Route, directory: Directory) -> bool:
    """A link binds all children of both its ends; a recall speaks of its own."""
    if each.of_a_link:
        return any(route.bars(child, each.agency_id, directory) for child in route.children)
    return route.bars(each.child_id, each.agency_id, directory, asking_back=True)
