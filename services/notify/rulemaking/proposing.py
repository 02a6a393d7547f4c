"""A rules file before a second person, with what it would have changed in the last referrals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.notify import proposal_store
from services.notify.authority import today
from services.notify.directory import Directories
from services.notify.drafting import Clerk
from services.notify.proposals import OutOfDate, Proposable, Proposal, ProposalKind
from services.notify.rule import Rulebook
from services.notify.rulebook import read_rulebook
from services.notify.rulemaking import store
from services.notify.rulemaking.replaying import Asked, replay_last
from services.notify.rulemaking.rulebooks import Rulebooks
from shared.runtime.db import Database, Session

REPLAYED_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Rules that a person proposes, from a day in Connecticut on."""

    text: str
    effective: date
    reason: str
    person: str
    last: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the proposed rules would have changed. Totals by agency; nobody's referral."""

    book: Rulebook
    follows: str
    replayed: int
    changed: int
    lines: tuple[str, ...]


class Rulemaking:
    """Replays rules and puts them before a second person."""

    def __init__(
        self, db: Database, clerk: Clerk, directories: Directories, rulebooks: Rulebooks
    ) -> None:
        self._db = db
        self._clerk = clerk
        self._directories = directories
        self._rulebooks = rulebooks

    async def replay(self, wanted: Wanted) -> Replayed:
        """Under the rules in force and the proposed ones, through every stage. The facts are opened
        in memory, and nothing of them is shown. Raises Misconfigured for a bad file."""
        new = read_rulebook(wanted.text, "the proposed rules")
        async with self._db.transaction() as session:
            old = await self._rulebooks.current(session)
        asked = Asked(old, new, wanted.last)
        found = await replay_last(self._db, self._directories, self._clerk, asked)
        return Replayed(new, old.version, found.replayed, found.changed, tuple(found.lines()))

    async def propose(self, wanted: Wanted, now: datetime) -> tuple[Proposal, Replayed]:
        """Replayed first: whoever approves sees what these rules, and no others, would change."""
        found = await self.replay(wanted)
        body = {
            "version": found.book.version,
            "text": wanted.text,
            "effective": wanted.effective.isoformat(),
            "follows": found.follows,
            "replayed": found.replayed,
            "changed": found.changed,
            "difference": list(found.lines),
        }
        async with self._db.transaction() as session:
            made = await proposal_store.propose(
                session,
                ProposalKind.RULES,
                body,
                summary=f"Rules {found.book.version} in place of {found.follows}.",
                reason=wanted.reason,
                by=wanted.person,
                now=now,
            )
        return made, found


async def _apply(session: Session, proposal: Proposal, now: datetime) -> None:
    """Only in place of the rules that it was compared with, and never for a day that is over."""
    body = proposal.body
    effective = date.fromisoformat(body["effective"])
    await store.one_at_a_time(session)
    history = await store.adopted(session)
    follows = history[-1].version if history else None
    if (follows is not None and follows != body["follows"]) or effective < today(now):
        raise OutOfDate
    read_rulebook(body["text"], "the proposed rules")
    if not await store.adopt(
        session, body["version"], body["text"], effective, proposal.proposal_id, now
    ):
        raise OutOfDate


def _describe(body: Mapping[str, Any]) -> list[str]:
    return [
        f"Rules {body['version']} in place of {body['follows']}, from {body['effective']} on.",
        *body["difference"],
    ]


RULES = Proposable(_apply, _describe)
