"""Which policy takes a clock over that began under another (`rewrites`). Pure.

It is asked of the facts alone, and of every fold anew: the same facts come to the same policy,
however often and in whatever order they were folded (P6).
"""

from services.deadlines.book import PolicyBook
from services.deadlines.calendars import local_day, midnight
from services.deadlines.openings import beginning
from services.deadlines.policy import Policy
from services.deadlines.sla import fold
from services.deadlines.story import Story


def heir_of(book: PolicyBook, policy: Policy, about: tuple[str, str, str], story: Story) -> Policy:
    """The last heir of a policy that found this clock running on its first day, or the policy.

    `about` is the clock's referral, child and matter.
    """
    for heir in book.heirs(policy):
        if not _takes_over(heir, policy, about, story):
            break
        policy = heir
    return policy


def _takes_over(heir: Policy, policy: Policy, about: tuple[str, str, str], story: Story) -> bool:
    """A clock that was over before the heir's first day stays as it ended: nothing changes
    backwards. One of a report that came on that day or later is governed by what then is in force.
    """
    _, child_id, matter = about
    statement = story.statements[child_id]
    standing = fold(policy, child_id, matter, story)
    if standing is None or beginning(heir, child_id, matter, story) is None:
        return False
    if not heir.applies_to(statement) or local_day(standing.basis_at) > heir.ends:
        return False
    if heir.effective_from is None:
        return True
    over_at = standing.satisfied_at
    still_ran = over_at is None or over_at >= midnight(heir.effective_from)
    return still_ran and not heir.began_by(statement.received_at)
