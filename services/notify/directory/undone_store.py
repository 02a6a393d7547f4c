"""SQL of which approved change a further one takes back. It only reads."""

from collections.abc import Sequence

from sqlalchemy import text

from services.notify.directory.difference import EntryChange, puts_back
from services.notify.proposals import tables as proposal_tables
from services.notify.proposals.proposal import ProposalKind
from shared.runtime.db import Session

_LAST = text(
    f"SELECT p.proposal_id, p.body FROM {proposal_tables.proposals.fullname} p "
    f"WHERE p.kind = '{ProposalKind.DIRECTORY.value}' AND p.state = 'approved' "
    "AND p.body->'changes' @> jsonb_build_array(jsonb_build_object('after', "
    "jsonb_build_object('agency_id', CAST(:agency_id AS text)))) "
    "ORDER BY p.decided_at DESC, p.proposal_id LIMIT 1"
)


async def undone_by(session: Session, changes: Sequence[EntryChange]) -> dict[str, str]:
    """By agency, the proposal whose change of it is taken back; only that approved last counts."""
    found = {}
    for change in changes:
        agency_id = change.after.agency_id
        for last in await session.execute(_LAST, {"agency_id": agency_id}):
            [made] = [c for c in last.body["changes"] if c["after"]["agency_id"] == agency_id]
            if puts_back(change, made["before"], made["after"]):
                found[agency_id] = last.proposal_id
    return found
