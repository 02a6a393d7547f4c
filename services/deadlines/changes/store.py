"""All SQL of proposed policies. Nothing here commits."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.deadlines.changes.proposals import Proposal, ProposalState
from services.deadlines.policy import Policy
from services.deadlines.what_if import Difference
from shared.runtime.db import Session

_COLUMNS = (
    "proposal_id, CAST(body AS text) AS body, text, against, "
    "CAST(difference AS text) AS difference, effective_from, reason, state, proposed_by, "
    "proposed_at, decided_by, decided_at, decision"
)
_LOCK = 0x484C0D04


async def one_at_a_time(session: Session) -> None:
    """Decide alone until this transaction ends: two approvals would not see each other."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


async def add(session: Session, proposal: Proposal) -> None:
    """Put an open proposal before a second person."""
    await session.execute(
        text(
            "INSERT INTO deadlines.policy_proposals (proposal_id, policy, version, text, body, "
            "against, difference, effective_from, reason, state, proposed_by, proposed_at) VALUES "
            "(:id, :policy, :version, :text, CAST(CAST(:body AS text) AS jsonb), "
            "CAST(:against AS text[]), CAST(CAST(:difference AS text) AS jsonb), "
            "CAST(:effective AS date), :reason, 'open', :by, :at)"
        ),
        {
            "id": proposal.proposal_id,
            "policy": proposal.policy.policy,
            "version": proposal.policy.version,
            "text": proposal.text,
            "body": proposal.policy.model_dump_json(),
            "against": list(proposal.against),
            "difference": json.dumps(asdict(proposal.difference)),
            "effective": proposal.effective_from,
            "reason": proposal.reason,
            "by": proposal.proposed_by,
            "at": proposal.proposed_at,
        },
    )


async def get(session: Session, proposal_id: str, *, lock: bool = False) -> Proposal | None:
    found = await session.execute(
        text(
            f"SELECT {_COLUMNS} FROM deadlines.policy_proposals WHERE proposal_id = :id"
            f"{' FOR UPDATE' if lock else ''}"
        ),
        {"id": proposal_id},
    )
    return None if not found else _proposal(found.one())


async def listed(
    session: Session, *, only_open: bool, after: str | None, limit: int
) -> list[Proposal]:
    """The oldest first, from behind the proposal `after`."""
    found = await session.execute(
        text(
            f"SELECT {_COLUMNS} FROM deadlines.policy_proposals "
            "WHERE (NOT :only_open OR state = 'open') AND (CAST(:after AS text) IS NULL "
            "OR (proposed_at, proposal_id) > (SELECT proposed_at, proposal_id "
            "FROM deadlines.policy_proposals WHERE proposal_id = :after)) "
            "ORDER BY proposed_at, proposal_id LIMIT :limit"
        ),
        {"only_open": only_open, "after": after, "limit": limit},
    )
    return [_proposal(row) for row in found]


async def close(
    session: Session,
    proposal_id: str,
    state: ProposalState,
    by: str,
    decision: str,
    now: datetime,
) -> Proposal:
    found = await session.execute(
        text(
            "UPDATE deadlines.policy_proposals SET state = :state, decided_by = :by, "
            "decided_at = :now, decision = :decision WHERE proposal_id = :id "
            f"RETURNING {_COLUMNS}"
        ),
        {"id": proposal_id, "state": state.value, "by": by, "now": now, "decision": decision},
    )
    return _proposal(found.one())


async def approved(session: Session) -> list[Policy]:
    """Every policy that two people put in force, or will be, as it was registered then."""
    found = await session.execute(
        text(
            "SELECT CAST(p.body AS text) AS body FROM deadlines.policy_proposals c "
            "JOIN deadlines.policies p USING (policy, version) WHERE c.state = 'approved'"
        )
    )
    return [Policy.model_validate_json(row.body) for row in found]


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version of a policy, and whose decision it was if two people made it."""

    policy: Policy
    known_since: datetime
    proposal_id: str | None
    proposed_by: str | None
    approved_by: str | None


async def history(session: Session) -> list[Version]:
    """By policy, the oldest first."""
    found = await session.execute(
        text(
            "SELECT CAST(p.body AS text) AS body, p.first_used_at, c.proposal_id, c.proposed_by, "
            "c.decided_by FROM deadlines.policies p LEFT JOIN deadlines.policy_proposals c "
            "ON c.policy = p.policy AND c.version = p.version AND c.state = 'approved' "
            "ORDER BY p.policy, p.first_used_at, p.version"
        )
    )
    return [
        Version(
            Policy.model_validate_json(row.body),
            row.first_used_at,
            row.proposal_id,
            row.proposed_by,
            row.decided_by,
        )
        for row in found
    ]


async def approvals(session: Session) -> int:
    """How many there are: more than before means that something changed."""
    return int(
        await session.scalar(
            text("SELECT count(*) FROM deadlines.policy_proposals WHERE state = 'approved'")
        )
    )


async def rewind(session: Session, today: date, now: datetime, limit: int) -> bool:
    """Have clocks looked at soon whose version a policy now in force rewrites; True if more wait.

    Not at once: by then every process has read the policy (`watching.EVERY`).
    """
    found = await session.execute(_NEXT, {"today": today})
    if not found:
        return False
    row = found.one()
    values = {
        "policy": row.policy,
        "versions": row.rewrites,
        "after": row.rewound_to,
        "at": now + SOON,
        "limit": limit,
    }
    taken: Sequence[str] = (await session.execute(_REWIND, values)).scalars()
    done = {"id": row.proposal_id, "to": max(taken, default=row.rewound_to)}
    finished = now if len(taken) < limit else None
    await session.execute(_REWOUND, {**done, "finished": finished})
    return True


SOON = timedelta(seconds=20)

_NEXT = text(
    "SELECT c.proposal_id, c.policy, c.rewound_to, ARRAY(SELECT jsonb_array_elements_text("
    "p.body->'rewrites')) AS rewrites FROM deadlines.policy_proposals c "
    "JOIN deadlines.policies p USING (policy, version) WHERE c.state = 'approved' "
    "AND c.rewound_at IS NULL AND c.effective_from <= CAST(:today AS date) "
    "AND jsonb_array_length(p.body->'rewrites') > 0 "
    "ORDER BY c.effective_from LIMIT 1 FOR UPDATE OF c SKIP LOCKED"
)
_REWIND = text(
    "UPDATE deadlines.clocks SET look_at = :at WHERE clock_id = ANY(ARRAY(SELECT clock_id "
    "FROM deadlines.clocks WHERE policy = :policy AND policy_version = "
    "ANY(CAST(:versions AS text[])) AND clock_id > :after ORDER BY clock_id LIMIT :limit)) "
    "RETURNING clock_id"
)
_REWOUND = text(
    "UPDATE deadlines.policy_proposals SET rewound_to = :to, "
    "rewound_at = CAST(:finished AS timestamptz) WHERE proposal_id = :id"
)


def _proposal(row: Any) -> Proposal:
    fields = dict(row)
    fields["policy"] = Policy.model_validate_json(fields.pop("body"))
    fields["against"] = tuple(row.against)
    fields["difference"] = Difference(**json.loads(row.difference))
    fields["state"] = ProposalState(row.state)
    return Proposal(**fields)
