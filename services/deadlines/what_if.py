"""What a policy would have made of the past. Pure; nothing of it is kept."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from services.deadlines.book import PolicyBook
from services.deadlines.openings import matters
from services.deadlines.policy import Policy
from services.deadlines.sla import fold
from services.deadlines.story import Story


@dataclass(frozen=True, slots=True)
class Difference:
    """How the clocks of a duty would have ended, under a policy that is proposed and as it is."""

    clocks: int
    missed: int
    """Not met by their due time, of those that are over by now."""
    clocks_now: int
    missed_now: int
    newly_missed: int
    no_longer_missed: int
    referrals: int = 0
    """How many were asked."""
    complete: bool = True
    """Whether that was all of them."""

    @property
    def lines(self) -> list[str]:
        """In words, without any child or referral."""
        of = "all" if self.complete else "the first"
        return [
            f"Asked of {of} {self.referrals} referrals known: {self.clocks} clocks, "
            f"{self.missed} missed.",
            f"As it is: {self.clocks_now}, {self.missed_now} missed.",
            f"Newly missed {self.newly_missed}, no longer missed {self.no_longer_missed}.",
        ]


def count(
    proposed: Policy, book: PolicyBook, story: Story, now: datetime, counts: Counter[str]
) -> None:
    """Add one referral to the counts, with the children that what is proposed applies to: what
    governs the others stays. Its effective days are left aside: it is asked of all of them."""
    counts["referrals"] += 1
    for child_id, statement in story.statements.items():
        if statement.synthetic or not proposed.applies_to(statement):
            continue
        current = book.governing(proposed.duty, statement, None)
        new = _missed(proposed, child_id, story, now)
        old = {} if current is None else _missed(current, child_id, story, now)
        counts.update(
            clocks=len(new),
            missed=sum(new.values()),
            clocks_now=len(old),
            missed_now=sum(old.values()),
            newly_missed=sum(new[m] and not old.get(m, False) for m in new),
            no_longer_missed=sum(old[m] and not new.get(m, False) for m in old),
        )


def difference(counts: Counter[str], *, complete: bool = True) -> Difference:
    return Difference(
        counts["clocks"],
        counts["missed"],
        counts["clocks_now"],
        counts["missed_now"],
        counts["newly_missed"],
        counts["no_longer_missed"],
        counts["referrals"],
        complete,
    )


def _missed(policy: Policy, child_id: str, story: Story, now: datetime) -> dict[str, bool]:
    """By matter, whether its time went by without being met."""
    found: dict[str, bool] = {}
    for matter in matters(policy, child_id, story):
        standing = fold(policy, child_id, matter, story)
        if standing is not None:
            found[matter] = not standing.in_time and standing.due_at < now
    return found
