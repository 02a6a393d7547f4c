"""All SQL of replays: what the last plans were routed by, sealed as it lies. Nothing commits."""

from collections.abc import AsyncIterator
from itertools import groupby
from typing import Any

from sqlalchemy import text

from services.notify import models
from services.notify.drafting import Clerk
from services.notify.facts import ReferralFacts
from services.notify.facts_read import FACTS, Facts
from services.notify.replay import Past
from shared.contracts.codes import Trigger
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey

_LAST = text(
    "WITH last AS (SELECT referral_id, version, planned_at "
    f"FROM {models.plans.fullname} ORDER BY planned_at DESC, referral_id LIMIT :n) "
    "SELECT DISTINCT ON (l.planned_at, l.referral_id, l.version, n.child_id) "
    "l.referral_id, l.version, l.planned_at, n.child_id, n.trigger, n.received_at, n.synthetic, "
    "c.sealed, k.kek_version, k.wrapped "
    f"FROM last l JOIN {models.notices.fullname} n USING (referral_id, version) "
    f"JOIN {models.copies.fullname} c ON c.child_id = n.child_id AND c.version = n.version "
    f"AND c.profile = '{FACTS}' "
    f"JOIN {models.child_keys.fullname} k ON k.child_id = n.child_id "
    "ORDER BY l.planned_at, l.referral_id, l.version, n.child_id"
)


async def last_plans(session: Session, clerk: Clerk, count: int) -> AsyncIterator[Past]:
    """The last referral versions planned, the oldest first, as they were routed; without those of
    whom nobody could be told, and those of before the facts were kept."""
    rows = (await session.execute(_LAST, {"n": count})).all()
    for (referral_id, version), same in groupby(rows, lambda row: (row.referral_id, row.version)):
        children = list(same)
        first = children[0]
        facts = ReferralFacts(
            Trigger(first.trigger),
            first.received_at,
            tuple(_facts(clerk, row).of(row.child_id) for row in children),
        )
        yield Past(referral_id, version, facts, first.planned_at, first.synthetic)


def _facts(clerk: Clerk, row: Any) -> Facts:
    key = WrappedKey(row.kek_version, row.wrapped)
    opened = clerk.open_copy(key, row.child_id, row.version, FACTS, row.sealed)
    return Facts.model_validate(opened)
