"""Facts, clocks, announcements and policy versions: all SQL that keeps them. Nothing commits."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from services.deadlines import models, rows
from services.deadlines.clocks import Announced, Clock
from services.deadlines.facts import Fact
from services.deadlines.policy import Policy
from services.deadlines.sayings import BREACHED, CORRECTED
from shared.runtime.db import Session


async def hold_referrals(session: Session, referral_ids: Iterable[str]) -> None:
    """Let nobody else fold these referrals' facts until the transaction ends.

    A lock of its own, because at first a referral has no clock whose row could be locked. Taken
    in one order, so that two who hold several cannot wait for each other.
    """
    await session.execute(
        _HOLD,
        {"keys": [_lock_key(referral_id) for referral_id in referral_ids]},
    )


async def try_hold_referrals(session: Session, referral_ids: Iterable[str]) -> list[str]:
    """Those of these referrals that nobody else is folding, now held."""
    found = await session.execute(
        text(
            "SELECT id FROM unnest(CAST(:ids AS text[]), CAST(:keys AS text[])) AS r(id, key) "
            "WHERE pg_try_advisory_xact_lock(hashtextextended(key, 0))"
        ),
        {
            "ids": (ids := sorted(set(referral_ids))),
            "keys": [_lock_key(referral_id) for referral_id in ids],
        },
    )
    return list(found.scalars())


def _lock_key(referral_id: str) -> str:
    return f"hartline deadlines {referral_id}"


async def hold_and_add(
    session: Session, referral_ids: Iterable[str], facts: Sequence[Fact]
) -> None:
    """Hold referrals and keep facts, each once by its event and place in it: in one statement,
    because where events come one at a time statements are most of what they cost."""
    keys = [_lock_key(referral_id) for referral_id in referral_ids]
    await session.execute(_HOLD_AND_ADD, {"keys": keys, **rows.fact_columns(facts)})


async def facts_of(session: Session, referral_ids: Sequence[str]) -> Mapping[str, Sequence[Fact]]:
    """Every fact of these referrals, by referral, in no order."""
    found = await session.execute(_FACTS, {"ids": list(referral_ids)})
    by_referral: dict[str, list[Fact]] = defaultdict(list)
    for fact in map(rows.fact, found):
        by_referral[fact.referral_id].append(fact)
    return by_referral


async def knows(session: Session, referral_id: str) -> bool:
    """Whether any fact speaks of this referral."""
    found = await session.execute(
        text("SELECT 1 FROM deadlines.facts WHERE referral_id = :id LIMIT 1"), {"id": referral_id}
    )
    return found.first() is not None


async def clocks_of(
    session: Session, referral_ids: Sequence[str], *, lock: bool = False
) -> Mapping[str, Sequence[Clock]]:
    """Every clock of these referrals, by referral; with `lock`, their rows locked."""
    query = _CLOCKS_LOCKED if lock else _CLOCKS
    found = await session.execute(query, {"ids": list(referral_ids)})
    by_referral: dict[str, list[Clock]] = defaultdict(list)
    for clock in map(rows.clock, found):
        by_referral[clock.referral_id].append(clock)
    return by_referral


async def save(session: Session, clocks: Sequence[Clock]) -> None:
    """Insert or update clocks."""
    if not clocks:
        return
    await session.execute(_SAVE, rows.clock_columns(clocks))


async def announce(
    session: Session, said: Sequence[tuple[str, str, Announced]]
) -> set[tuple[str, str]]:
    """Record announcements, each of a clock and a kind; those of which this is the first."""
    if not said:
        return set()
    said = sorted(said, key=lambda each: each[:2])
    found = await session.execute(
        _ANNOUNCE,
        {
            "ids": [clock_id for clock_id, _, _ in said],
            "kinds": [kind for _, kind, _ in said],
            "dues": [each.due_at for _, _, each in said],
            "satisfied": [each.satisfied_at for _, _, each in said],
            "discovered": [each.discovered_at for _, _, each in said],
            "reasons": [each.reason for _, _, each in said],
        },
    )
    return {(row.clock_id, row.kind) for row in found}


async def used_policies(session: Session) -> list[Policy]:
    """Every policy version under which clocks may run."""
    found = await session.scalars(select(models.policies.c.body))
    return [Policy.model_validate(body) for body in found]


async def add_policies(session: Session, policies: Sequence[Policy]) -> None:
    """Keep policy versions that are not known yet."""
    await session.execute(
        insert(models.policies).on_conflict_do_nothing(),
        [
            {
                "policy": policy.policy,
                "version": policy.version,
                "body": policy.model_dump(mode="json"),
            }
            for policy in policies
        ],
    )


_HOLD_SQL = (
    "SELECT pg_advisory_xact_lock(lock) FROM (SELECT DISTINCT hashtextextended(key, 0) "
    "AS lock FROM unnest(CAST(:keys AS text[])) AS r(key) ORDER BY lock) AS locks"
)

_HOLD = text(_HOLD_SQL)
_HOLD_AND_ADD = text(
    f"WITH held AS MATERIALIZED ({_HOLD_SQL}) "
    "INSERT INTO deadlines.facts (event_id, place, kind, referral_id, occurred_at, version, "
    "child_id, role, agency_id, notice_id, stage, matter, statement) SELECT event_id, place, kind, "
    "referral_id, occurred_at, version, child_id, role, agency_id, notice_id, stage, matter, "
    "CAST(statement AS jsonb) "
    "FROM unnest(CAST(:event_ids AS text[]), CAST(:places AS integer[]), CAST(:kinds AS text[]), "
    "CAST(:referral_ids AS text[]), CAST(:times AS timestamptz[]), CAST(:versions AS integer[]), "
    "CAST(:child_ids AS text[]), CAST(:roles AS text[]), CAST(:agency_ids AS text[]), "
    "CAST(:notice_ids AS text[]), CAST(:stages AS text[]), CAST(:matters AS text[]), "
    "CAST(:statements AS text[])) AS f(event_id, place, kind, referral_id, occurred_at, version, "
    "child_id, role, agency_id, notice_id, stage, matter, statement) "
    "WHERE (SELECT count(*) FROM held) > 0 ON CONFLICT DO NOTHING"
)

_FACTS = text(
    "SELECT event_id, place, kind, referral_id, occurred_at, version, child_id, role, agency_id, "
    "notice_id, CAST(statement AS text), stage, matter FROM deadlines.facts "
    "WHERE referral_id = ANY(CAST(:ids AS text[]))"
)

CLOCKS = (
    "SELECT c.clock_id, c.referral_id, c.child_id, c.duty, c.matter, c.role, c.policy, "
    "c.policy_version, c.synthetic, c.basis_at, c.due_at, c.satisfied_at, c.lacking, c.released, "
    "c.state, c.look_at, c.waiting_since, c.warned, b.kind, b.due_at, b.discovered_at, b.reason, "
    "k.due_at, k.discovered_at, k.satisfied_at FROM deadlines.clocks c "
    "LEFT JOIN LATERAL (SELECT * FROM deadlines.announcements a WHERE a.clock_id = c.clock_id "
    f"AND (a.kind = '{BREACHED}' OR a.kind LIKE '{BREACHED} %') "
    "ORDER BY length(a.kind) DESC, a.kind DESC LIMIT 1) b ON true "
    "LEFT JOIN deadlines.announcements k ON k.clock_id = c.clock_id "
    f"AND k.kind = '{CORRECTED}' || substr(b.kind, {len(BREACHED) + 1}) "
)
"""Clocks `c`, each with its latest breach `b` and the correction `k` of that (`rows.clock`)."""

_CLOCKS_SQL = (
    f"{CLOCKS} WHERE c.referral_id = ANY(CAST(:ids AS text[])) "
    "ORDER BY c.referral_id, c.child_id, c.duty, c.matter"
)
_CLOCKS = text(_CLOCKS_SQL)
_CLOCKS_LOCKED = text(f"{_CLOCKS_SQL} FOR UPDATE OF c")

_ANNOUNCE = text(
    "INSERT INTO deadlines.announcements (clock_id, kind, due_at, satisfied_at, discovered_at, "
    "reason) SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:kinds AS text[]), "
    "CAST(:dues AS timestamptz[]), CAST(:satisfied AS timestamptz[]), "
    "CAST(:discovered AS timestamptz[]), CAST(:reasons AS text[])) "
    "ON CONFLICT DO NOTHING RETURNING clock_id, kind"
)

_SAVE = text(
    "INSERT INTO deadlines.clocks AS c (clock_id, referral_id, child_id, duty, role, policy, "
    "policy_version, synthetic, basis_at, due_at, satisfied_at, lacking, state, look_at, "
    "waiting_since, matter, released, warned) SELECT * FROM unnest(CAST(:clock_ids AS text[]), "
    "CAST(:referral_ids AS text[]), CAST(:child_ids AS text[]), CAST(:duties AS text[]), "
    "CAST(:roles AS text[]), CAST(:policies AS text[]), CAST(:versions AS text[]), "
    "CAST(:synthetic AS boolean[]), CAST(:bases AS timestamptz[]), CAST(:dues AS timestamptz[]), "
    "CAST(:satisfied AS timestamptz[]), CAST(:lacking AS text[]), CAST(:states AS text[]), "
    "CAST(:looks AS timestamptz[]), CAST(:waiting AS timestamptz[]), CAST(:matters AS text[]), "
    "CAST(:released AS boolean[]), CAST(:warned AS text[])) "
    "ON CONFLICT (clock_id) DO UPDATE SET role = excluded.role, policy = excluded.policy, "
    "policy_version = excluded.policy_version, synthetic = excluded.synthetic, "
    "basis_at = excluded.basis_at, due_at = excluded.due_at, "
    "satisfied_at = excluded.satisfied_at, lacking = excluded.lacking, state = excluded.state, "
    "look_at = excluded.look_at, waiting_since = excluded.waiting_since, "
    "released = excluded.released, warned = excluded.warned"
)
