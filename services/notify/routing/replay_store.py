"""All SQL of replays: what the last plans were routed by, sealed as it lies. Nothing commits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from sqlalchemy import text

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.barred import OF_ONE
from services.notify.planning.drafting import Clerk
from services.notify.routing.facts import Asserted, ReferralFacts
from services.notify.routing.facts_read import FACTS, Facts
from services.notify.routing.replay import Past
from services.notify.stages import tables as stage_tables
from shared.contracts.codes import Stage, Trigger
from shared.runtime.db import Session
from shared.runtime.sealing import WrappedKey

_PLANS = models.plans.fullname
_NOTICES = models.notices.fullname
_REFUSALS = models.refusals.fullname

_LAST = (
    "WITH last AS (SELECT referral_id, version, planned_at, directory_version "
    f"FROM {_PLANS} p WHERE NOT EXISTS (SELECT FROM {_NOTICES} s "
    "WHERE s.referral_id = p.referral_id AND s.synthetic) "
    "ORDER BY planned_at DESC, referral_id LIMIT :n)"
)
_SEALED = text(
    f"{_LAST}, headed AS (SELECT DISTINCT ON (referral_id, version) referral_id, version, trigger, "
    f"received_at FROM last JOIN {_NOTICES} n USING (referral_id, version) "
    "ORDER BY referral_id, version), "
    "of_children AS (SELECT referral_id, version, n.child_id "
    f"FROM last JOIN {_NOTICES} n USING (referral_id, version) "
    "UNION SELECT referral_id, version, r.child_id "
    f"FROM last JOIN {_REFUSALS} r USING (referral_id, version)), "
    "whole AS (SELECT referral_id, version "
    f"FROM of_children JOIN {models.child_keys.fullname} USING (child_id) "
    "GROUP BY referral_id, version HAVING bool_and(wrapped <> '')) "
    "SELECT l.referral_id, l.version, l.planned_at, l.directory_version, o.child_id, h.trigger, "
    "h.received_at, c.sealed, k.kek_version, k.wrapped "
    "FROM last l JOIN headed h USING (referral_id, version) "
    "JOIN whole USING (referral_id, version) "
    "JOIN of_children o USING (referral_id, version) "
    f"JOIN {models.copies.fullname} c ON c.child_id = o.child_id AND c.version = l.version "
    f"AND c.profile = '{FACTS}' "
    f"JOIN {models.child_keys.fullname} k ON k.child_id = o.child_id "
    "ORDER BY l.planned_at, l.referral_id, l.version, o.child_id"
)
_COUNT = text(f"{_LAST} SELECT count(*) FROM last")
_CONFLICTS = text(
    f"{_LAST} SELECT DISTINCT c.referral_id, c.agency_id, c.child_id, c.ground IN {OF_ONE} "
    f"AS alone FROM {conflict_tables.conflicts.fullname} c JOIN last USING (referral_id) "
    "WHERE c.lifted_at IS NULL"
)
_REACHED = text(
    f"{_LAST} SELECT s.referral_id, s.version, s.stage FROM {stage_tables.staged_plans.fullname} s "
    "JOIN last USING (referral_id, version) WHERE s.accepted "
    "UNION SELECT w.referral_id, w.version, 'withdrawn' "
    f"FROM {stage_tables.withdrawals.fullname} w JOIN last USING (referral_id, version)"
)

_Version = tuple[str, int]


@dataclass(frozen=True, slots=True)
class SealedPlans:
    """The last referral versions planned, as they lie, and what else they are routed by. None of a
    synthetic referral: those come all day long and would push out the real ones."""

    rows: Sequence[Any]
    """By version, the oldest first: one for each child whose facts lie here. None of a version
    in which the content of one was destroyed: what it would change cannot be told whole."""
    conflicts: Mapping[str, frozenset[Asserted]]
    """Asserted and not lifted, by referral."""
    reached: Mapping[_Version, frozenset[Stage]]
    planned: int
    """Also those of whom nobody could be told, those of before the facts were kept, and those
    whose content was destroyed."""

    @property
    def versions(self) -> int:
        return len({(row.referral_id, row.version) for row in self.rows})


async def last_plans(session: Session, count: int) -> SealedPlans:
    """Nothing is opened here."""
    last = {"n": count}
    conflicts = [
        (row.referral_id, Asserted(row.agency_id, row.child_id, row.alone))
        for row in await session.execute(_CONFLICTS, last)
    ]
    reached = [
        ((row.referral_id, row.version), Stage(row.stage))
        for row in await session.execute(_REACHED, last)
    ]
    return SealedPlans(
        rows=(await session.execute(_SEALED, last)).all(),
        conflicts=_by(conflicts),
        reached=_by(reached),
        planned=await session.scalar(_COUNT, last) or 0,
    )


K = TypeVar("K")
V = TypeVar("V")


def _by(pairs: Iterable[tuple[K, V]]) -> dict[K, frozenset[V]]:
    found: dict[K, set[V]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in found.items()}


def opened(sealed: SealedPlans, clerk: Clerk) -> Iterator[Past]:
    """As they were routed, one after another. Raises Unsealable."""
    for version, same in groupby(sealed.rows, lambda row: (row.referral_id, row.version)):
        children = list(same)
        first = children[0]
        facts = ReferralFacts(
            Trigger(first.trigger),
            first.received_at,
            tuple(_facts(clerk, row).of(row.child_id) for row in children),
            conflicts=sealed.conflicts.get(first.referral_id, frozenset()),
        )
        yield Past(
            first.referral_id,
            first.version,
            facts,
            first.planned_at,
            first.directory_version,
            sealed.reached.get(version, frozenset()) | {Stage.RECEIVED},
        )


def _facts(clerk: Clerk, row: Any) -> Facts:
    key = WrappedKey(row.kek_version, row.wrapped)
    opened = clerk.open_copy(key, row.child_id, row.version, FACTS, row.sealed)
    return Facts.model_validate(opened)
