"""All SQL of matters. Nothing here commits."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import text

from services.notify.matters.tables import matters
from services.notify.planning.drafting import Draft
from services.notify.planning.occasion import Row
from services.notify.routing.rule import Effect
from shared.runtime.bulk import Into
from shared.runtime.db import Session

INTO = Into(matters, tuple(column.name for column in matters.columns), once=True)
"""Each once, however often it is planned."""
_READ = text(
    "SELECT child_id, version, role, rule, effect, because, rules_version, directory_version "
    f"FROM {matters.fullname} WHERE referral_id = :referral_id "
    "ORDER BY version, revision, child_id, role, rule"
)


@dataclass(frozen=True, slots=True)
class PlannedMatter:
    """A review item or a question, by the rules that made it."""

    child_id: str
    version: int
    role: str
    rule: str
    effect: Effect
    because: str
    rules_version: str
    directory_version: int


async def matters_of(session: Session, referral_id: str) -> list[PlannedMatter]:
    """Of a referral, oldest version first."""
    found = await session.execute(_READ, {"referral_id": referral_id})
    return [PlannedMatter(**{**dict(row), "effect": Effect(row.effect)}) for row in found]


def rows(draft: Draft) -> Iterator[Row]:
    """What a plan asks or puts up, for `INTO`."""
    occasion = draft.occasion
    for each in draft.matters:
        yield {
            "referral_id": occasion.referral_id,
            "series": occasion.series,
            "version": occasion.version,
            "revision": occasion.revision,
            "child_id": each.child_id,
            "rule": each.rule,
            "role": each.role.value,
            "effect": each.effect.value,
            "because": each.because,
            "rules_version": occasion.rules_version,
            "directory_version": occasion.directory_version,
            "planned_at": occasion.now,
        }
