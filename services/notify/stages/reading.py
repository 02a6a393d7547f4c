"""The route of a referral's latest version, of the facts that lie sealed: who has a conflict."""

from dataclasses import replace
from datetime import datetime

from services.notify import shredding_store
from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.store import SealedPart
from services.notify.directory.register import Directory
from services.notify.planning.drafting import Clerk
from services.notify.routing.facts import ReferralFacts
from services.notify.routing.facts_read import Facts
from services.notify.routing.fanout import route
from services.notify.routing.routes import Route
from services.notify.routing.rule import Rulebook
from services.notify.stages.store import Headed
from shared.runtime.db import Session


async def latest_route(
    session: Session,
    referral_id: str,
    headed: Headed,
    directory: Directory,
    rulebook: Rulebook,
    clerk: Clerk,
    now: datetime,
    *,
    given_back: bool = True,
) -> Route:
    """As of now, with the conflicts that persons have asserted since. `given_back`: and with the
    holds that recipients set themselves, who said that the matter is not theirs. Children whose
    content was destroyed are left out of it, and named in it. Raises Unsealable."""
    asserted = await conflict_store.in_force(session, referral_id)
    parts = await conflict_store.sealed_parts(session, referral_id, headed.version)
    destroyed = await shredding_store.destroyed(session, referral_id)
    facts = ReferralFacts(
        headed.trigger,
        headed.received_at,
        tuple(
            _facts(clerk, part, headed.version).of(part.child_id)
            for part in parts
            if part.holds_facts and part.child_id not in destroyed
        ),
        conflicts=frozenset(each for each in asserted if given_back or not each.alone),
    )
    return replace(route(facts, directory, rulebook, now), destroyed=destroyed)


def _facts(clerk: Clerk, part: SealedPart, version: int) -> Facts:
    opened = clerk.open_copy(part.key, part.child_id, version, part.profile, part.sealed)
    return Facts.model_validate(opened)
