"""What reports ask of clocks: all SQL of it. Nothing commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from services.deadlines import rows
from services.deadlines.clocks import Clock
from services.deadlines.policy import Policy
from services.deadlines.sayings import BREACHED
from services.deadlines.store import CLOCKS
from shared.contracts.codes import Role
from shared.runtime.db import Session


@dataclass(frozen=True, slots=True)
class Whose:
    """Of which role the duty is, and to which office the child is assigned: the Regional Office or
    Special Investigative Unit that it is routed to since it was accepted. None: of all."""

    role: Role | None = None
    office: str | None = None


_OF_ROLE = "AND (CAST(:role AS text) IS NULL OR c.role = :role) "
_OF_OFFICE = (
    "AND (CAST(:office AS text) IS NULL OR 'notice.planned' = (SELECT f.kind "
    "FROM deadlines.facts f WHERE f.referral_id = c.referral_id AND f.child_id = c.child_id "
    "AND f.role IN ('regional_office', 'siu') AND f.agency_id = :office "
    "AND f.kind IN ('notice.planned', 'notice.left') "
    "ORDER BY f.occurred_at DESC, f.version DESC, f.place DESC LIMIT 1)) "
)
_OF_POLICIES = (
    "AND (c.policy, c.policy_version) IN (SELECT policy, version FROM "
    "unnest(CAST(:policies AS text[]), CAST(:versions AS text[])) AS p(policy, version)) "
)


async def missed(
    session: Session, policies: Sequence[Policy], whose: Whose, limit: int
) -> list[Clock]:
    """Clocks announced as breached of which something is still owed, the newest first."""
    found = await session.execute(
        text(
            f"{CLOCKS} WHERE c.state = 'breached' AND c.lacking IS NOT NULL AND NOT c.synthetic "
            f"{_OF_ROLE}{_OF_OFFICE}{_OF_POLICIES} "
            "ORDER BY c.due_at DESC, c.clock_id DESC LIMIT :limit"
        ),
        {"role": whose.role, "office": whose.office, "limit": limit, **_keys(policies)},
    )
    return [rows.clock(row) for row in found]


async def open_until(
    session: Session, until: datetime, policies: Sequence[Policy], whose: Whose, limit: int
) -> list[Clock]:
    """Open clocks of which something is owed and that fall due by then, the first first."""
    found = await session.execute(
        text(
            f"{CLOCKS} WHERE c.state = 'open' AND c.lacking IS NOT NULL AND NOT c.synthetic "
            f"AND c.due_at <= :until {_OF_ROLE}{_OF_OFFICE}{_OF_POLICIES} "
            "ORDER BY c.due_at, c.clock_id LIMIT :limit"
        ),
        {
            "until": until,
            "role": whose.role,
            "office": whose.office,
            "limit": limit,
            **_keys(policies),
        },
    )
    return [rows.clock(row) for row in found]


async def breached_between(
    session: Session, since: datetime, until: datetime, after: str, limit: int
) -> list[Clock]:
    """Clocks announced as breached with a due time from `since` to before `until`, corrected ones
    too, by clock id from behind `after`. Synthetic ones are left out."""
    found = await session.execute(
        text(
            f"{CLOCKS} WHERE c.clock_id IN (SELECT clock_id FROM deadlines.announcements WHERE "
            f"due_at >= :since AND due_at < :until AND kind LIKE '{BREACHED}%') "
            "AND b.due_at >= :since AND b.due_at < :until AND NOT c.synthetic "
            "AND c.clock_id > :after ORDER BY c.clock_id LIMIT :limit"
        ),
        {"since": since, "until": until, "after": after, "limit": limit},
    )
    return [rows.clock(row) for row in found]


async def referrals_due_between(
    session: Session, since: datetime, until: datetime, after: str, limit: int
) -> list[str]:
    """Referrals with a clock that fell due then, or was announced as such, by id from behind
    `after`."""
    found = await session.execute(
        text(
            "SELECT referral_id FROM deadlines.clocks WHERE due_at >= :since "
            "AND due_at < :until AND NOT synthetic AND referral_id > :after "
            "UNION SELECT c.referral_id FROM deadlines.announcements a "
            "JOIN deadlines.clocks c ON c.clock_id = a.clock_id "
            f"WHERE a.kind LIKE '{BREACHED}%' AND a.due_at >= :since AND a.due_at < :until "
            "AND NOT c.synthetic AND c.referral_id > :after "
            "ORDER BY referral_id LIMIT :limit"
        ),
        {"since": since, "until": until, "after": after, "limit": limit},
    )
    return list(found.scalars())


async def referrals_with_facts(session: Session, after: str, limit: int) -> list[str]:
    """Whatever facts speak of, by id from behind `after`: one step of the index for each."""
    found = await session.execute(
        text(
            "WITH RECURSIVE r AS ((SELECT referral_id FROM deadlines.facts "
            "WHERE referral_id > :after ORDER BY referral_id LIMIT 1) UNION ALL "
            "SELECT (SELECT f.referral_id FROM deadlines.facts f "
            "WHERE f.referral_id > r.referral_id ORDER BY f.referral_id LIMIT 1) "
            "FROM r WHERE r.referral_id IS NOT NULL) "
            "SELECT referral_id FROM r WHERE referral_id IS NOT NULL LIMIT :limit"
        ),
        {"after": after, "limit": limit},
    )
    return list(found.scalars())


def _keys(policies: Sequence[Policy]) -> dict[str, list[str]]:
    return {
        "policies": [policy.policy for policy in policies],
        "versions": [policy.version for policy in policies],
    }
