"""A rules file before a second person, with what it would have changed in the last referrals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.notify.directory.authority import today
from services.notify.directory.in_force import Directories
from services.notify.planning.drafting import Clerk
from services.notify.proposals import store as proposal_store
from services.notify.proposals.proposal import OutOfDate, Proposable, Proposal, ProposalKind
from services.notify.routing.rule import Rulebook
from services.notify.routing.rule_checks import Flaw
from services.notify.routing.rule_lines import compose
from services.notify.routing.rulebook import digest_of, load_rulebook, read_rulebook, wrong
from services.notify.rulemaking import store
from services.notify.rulemaking.names import why_taken
from services.notify.rulemaking.replaying import Asked, replay_last
from services.notify.rulemaking.rulebooks import Rulebooks, adopted_after, adopted_on
from shared.runtime.db import Database, Session
from shared.runtime.errors import Misconfigured

REPLAYED_AT_MOST = 10_000
NAME = "the proposed rules"
"""What they are called where something is wrong in them."""


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
    base: Rulebook
    """What it was compared with: what is in force on its day without it."""
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
        """Under the rules that would be in force on its day without it, and the proposed ones, by
        every stage. The facts are opened in memory, and nothing of them is shown. Raises
        Misconfigured for a bad file, and for a version name that is taken."""
        new = read_rulebook(wanted.text, NAME)
        async with self._db.transaction() as session:
            await self._rulebooks.refresh(session)
            old = self._rulebooks.on(wanted.effective)
            if taken := await why_taken(session, new, self._rulebooks.shipped):
                raise wrong(NAME, compose(wanted.text), [Flaw(("version",), taken)])
        asked = Asked(old, new, wanted.last)
        found = await replay_last(self._db, self._directories, self._clerk, asked)
        lines = (*found.lines(), *_end(self._rulebooks, wanted.effective))
        return Replayed(new, old, found.replayed, found.changed, lines)

    async def propose(self, wanted: Wanted, now: datetime) -> tuple[Proposal, Replayed]:
        """Replayed first: whoever approves sees what these rules, and no others, would change."""
        found = await self.replay(wanted)
        body = {
            "version": found.book.version,
            "text": wanted.text,
            "effective": wanted.effective.isoformat(),
            "follows": found.base.version,
            "follows_digest": found.base.digest,
            "replayed": found.replayed,
            "changed": found.changed,
            "difference": list(found.lines),
        }
        async with self._db.transaction() as session:
            made = await proposal_store.propose(
                session,
                ProposalKind.RULES,
                body,
                summary=f"Rules {found.book.version} in place of {found.base.version}.",
                reason=wanted.reason,
                by=wanted.person,
                now=now,
            )
        return made, found


def _end(books: Rulebooks, day: date) -> Iterator[str]:
    """What an approver must know of what comes after."""
    if after := adopted_after(books.adopted, day):
        yield (
            f"Only until {after.effective.isoformat()}: from then on rules {after.version} are in "
            "force, which were adopted before these and have nothing of them."
        )


async def _apply(session: Session, proposal: Proposal, now: datetime) -> None:
    """Only in place of the rules that it was compared with, which must still be those of its day;
    never for a day that is over, nor under a name that another has taken."""
    body = proposal.body
    effective = date.fromisoformat(body["effective"])
    await store.one_at_a_time(session)
    base = adopted_on(await store.adopted(session), effective)
    shipped = load_rulebook()
    digest = shipped.digest if base is None else digest_of(base.text)
    if digest != body.get("follows_digest") or effective < today(now):
        raise OutOfDate
    if await why_taken(session, _still_read(body["text"]), shipped) or not (
        await store.adopt(
            session, body["version"], body["text"], effective, proposal.proposal_id, now
        )
    ):
        raise OutOfDate


def _still_read(text: str) -> Rulebook:
    try:
        return read_rulebook(text, NAME)
    except Misconfigured:
        raise OutOfDate from None


def _describe(body: Mapping[str, Any]) -> list[str]:
    return [
        f"Rules {body['version']} in place of {body['follows']}, from {body['effective']} on.",
        *body["difference"],
    ]


RULES = Proposable(_apply, _describe)
