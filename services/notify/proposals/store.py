"""All SQL of proposals. Nothing here commits."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text

from services.notify.proposals import tables as proposal_tables
from services.notify.proposals.proposal import (
    AlreadyDecided,
    Decided,
    Decision,
    Proposables,
    Proposal,
    ProposalKind,
    ProposalState,
    SamePerson,
    Unknown,
    new_state,
)
from shared.runtime.db import Session
from shared.runtime.ids import new_id

_PROPOSALS = proposal_tables.proposals.fullname


async def propose(
    session: Session,
    kind: ProposalKind,
    body: Mapping[str, Any],
    *,
    summary: str,
    reason: str,
    by: str,
    now: datetime,
) -> Proposal:
    """Put it before a second person. `body` is JSON; it holds nothing about any child."""
    rows = await session.execute(
        text(
            f"INSERT INTO {_PROPOSALS} (proposal_id, kind, summary, body, reason, state, "
            "proposed_by, proposed_at) VALUES (:id, :kind, :summary, "
            "CAST(CAST(:body AS text) AS jsonb), :reason, 'open', :by, :now) RETURNING *"
        ),
        {
            "id": new_id("prp"),
            "kind": kind.value,
            "summary": summary,
            "body": json.dumps(body),
            "reason": reason,
            "by": by,
            "now": now,
        },
    )
    return _proposal(rows.one())


async def get(session: Session, proposal_id: str, *, lock: bool = False) -> Proposal | None:
    rows = await session.execute(
        text(f"SELECT * FROM {_PROPOSALS} WHERE proposal_id = :id{' FOR UPDATE' if lock else ''}"),
        {"id": proposal_id},
    )
    return None if not rows else _proposal(rows.one())


async def list_proposals(
    session: Session, *, only_open: bool, after: str | None, limit: int
) -> list[Proposal]:
    """The oldest first, from behind the proposal `after`."""
    rows = await session.execute(
        text(
            f"SELECT * FROM {_PROPOSALS} WHERE (NOT :only_open OR state = 'open') "
            "AND (CAST(:after AS text) IS NULL OR (proposed_at, proposal_id) > "
            f"(SELECT proposed_at, proposal_id FROM {_PROPOSALS} WHERE proposal_id = :after)) "
            "ORDER BY proposed_at, proposal_id LIMIT :limit"
        ),
        {"only_open": only_open, "after": after, "limit": limit},
    )
    return [_proposal(row) for row in rows]


async def decide(
    session: Session,
    proposal_id: str,
    *,
    approve: bool,
    by: str,
    decision: str,
    now: datetime,
    proposables: Proposables,
) -> Decision:
    """Approve, which applies it in this transaction; or reject, or take back one's own.

    Raises OutOfDate from the applier: roll back.
    """
    proposal = await get(session, proposal_id, lock=True)
    if proposal is None:
        return Unknown()
    if proposal.state is not ProposalState.OPEN:
        return AlreadyDecided(proposal)
    state = new_state(proposal, by, approve=approve)
    if state is None:
        return SamePerson()
    if state is ProposalState.APPROVED:
        await proposables[proposal.kind].apply(session, proposal, now)
    rows = await session.execute(
        text(
            f"UPDATE {_PROPOSALS} SET state = :state, decided_by = :by, decided_at = :now, "
            "decision = :decision WHERE proposal_id = :id RETURNING *"
        ),
        {"id": proposal_id, "state": state.value, "by": by, "now": now, "decision": decision},
    )
    return Decided(_proposal(rows.one()))


def _proposal(row: Any) -> Proposal:
    fields = dict(row)
    fields["kind"] = ProposalKind(row.kind)
    fields["state"] = ProposalState(row.state)
    return Proposal(**fields)
