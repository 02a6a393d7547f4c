"""Changing the roster: whoever redirects alarms needs a second person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.notify.oncall import roster_file, roster_store
from services.notify.oncall.holes import here, warnings
from services.notify.oncall.override_store import MadeOverride
from services.notify.oncall.roster import Override
from services.notify.oncall.roster_file import RosterFile, StoredRoster
from services.notify.proposals import store as proposal_store
from services.notify.proposals.proposal import OutOfDate, Proposable, Proposal, ProposalKind
from shared.runtime.db import Session
from shared.runtime.errors import Wrong
from shared.runtime.ids import utc_now
from shared.runtime.sealing import Sealer


async def propose_roster(
    session: Session, sealer: Sealer, file: RosterFile, *, reason: str, by: str, now: datetime
) -> Proposal:
    version, before = await roster_store.newest(session)
    return await proposal_store.propose(
        session,
        ProposalKind.ROSTER,
        {
            "roster": file.stored(sealer),
            "version": version,
            "changes": roster_file.changes(before, file),
        },
        summary=f"A roster of {len(file.people)} people and {len(file.roles)} roles.",
        reason=reason,
        by=by,
        now=now,
    )


async def override(
    session: Session, wanted: Override, *, reason: str, by: str, now: datetime
) -> Proposal | str:
    """In force at once when it takes alarms from nobody: its id; otherwise a proposal.

    Raises Wrong for what is over already, and for a role or a person that the roster does not know.
    """
    _, file = await roster_store.newest(session)
    if wanted.ends_at <= now:
        raise Wrong("ends_at: is over already")
    if file is None or wanted.role not in file.roles:
        raise Wrong("role: the roster has no such role")
    if any(each not in file.people for each in (wanted.person, wanted.instead_of) if each):
        raise Wrong("person: the roster has no such person")
    if wanted.instead_of is None:
        return await roster_store.override(session, wanted, by=by, proposal_id=None, now=now)
    return await proposal_store.propose(
        session,
        ProposalKind.ROSTER,
        {"override": _stored(wanted)},
        summary=f"{wanted.person} takes the alarms of {wanted.instead_of} for a time.",
        reason=reason,
        by=by,
        now=now,
    )


def say_override(made: MadeOverride, now: datetime) -> str:
    """What stands now, in a sentence."""
    wanted = made.override
    place = f"in place of {wanted.instead_of}" if wanted.instead_of else "behind those on call"
    period = f"from {here(wanted.starts_at)} to {here(wanted.ends_at)}"
    said = f"As {wanted.role}, {wanted.person} is paged {place} {period}: "
    if made.ended_at is not None:
        return f"{said}ended by {made.ended_by} on {here(made.ended_at)}."
    if made.in_force(now):
        return f"{said}in force now."
    return f"{said}{'over' if made.over(now) else 'NOT YET in force'}."


async def _apply(session: Session, proposal: Proposal, now: datetime) -> None:
    body = proposal.body
    if "override" in body:
        wanted = _read(body["override"])
        if wanted.ends_at <= now:
            raise OutOfDate
        by, proposal_id = proposal.proposed_by, proposal.proposal_id
        await roster_store.override(session, wanted, by=by, proposal_id=proposal_id, now=now)
        return
    added = await roster_store.add(
        session, body["roster"], body["version"], proposal.proposal_id, now
    )
    if not added:
        raise OutOfDate


def describe(body: Mapping[str, Any], now: datetime) -> list[str]:
    """What a proposal does, for whoever is to approve it: first when nobody would be on call, then
    what changes, then all of it."""
    if "override" in body:
        wanted = _read(body["override"])
        return [
            f"As {wanted.role}, {wanted.person} is paged in place of {wanted.instead_of} from "
            f"{wanted.starts_at:%Y-%m-%dT%H:%M:%SZ} to {wanted.ends_at:%Y-%m-%dT%H:%M:%SZ}."
        ]
    roster = StoredRoster.model_validate(body["roster"])
    said = warnings(roster.roster(), now)
    return [*said, *body.get("changes", ()), *roster_file.describe(roster)]


def _describe(body: Mapping[str, Any]) -> list[str]:
    return describe(body, utc_now())


def _stored(wanted: Override) -> dict[str, Any]:
    return {
        "role": wanted.role,
        "person": wanted.person,
        "instead_of": wanted.instead_of,
        "starts_at": wanted.starts_at.isoformat(),
        "ends_at": wanted.ends_at.isoformat(),
    }


def _read(stored: Mapping[str, Any]) -> Override:
    moments = {name: datetime.fromisoformat(stored[name]) for name in ("starts_at", "ends_at")}
    return Override(**{**stored, **moments})


ROSTERS = Proposable(_apply, _describe)
