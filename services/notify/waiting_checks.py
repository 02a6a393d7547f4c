"""What waits for a person or a partner: said at once, and not when its alert is due.

An alert has patience, so that nobody is woken for what mends itself; whoever asks has none.
"""

from collections.abc import Sequence

from services.notify import waiting_store
from services.notify.delivery.answers import in_words
from services.notify.oral import decision_store
from services.notify.oral.entering import PATIENCE
from services.notify.tasks.urgency import URGENT
from services.notify.waiting_store import Open, Refusing
from shared.runtime.db import Database
from shared.runtime.findings import Finding, act, look, well
from shared.runtime.ids import utc_now

_TRIED, _AGAIN_AND_AGAIN = 2, 5
"""An attempt that failed once is ordinary; at the fifth somebody was paged."""
_SHOWN = 5


async def deliveries(db: Database) -> list[Finding]:
    async with db.connection() as session:
        return of_refusing(await waiting_store.refusing(session))


def of_refusing(found: Sequence[Refusing]) -> list[Finding]:
    """A finding for each agency that takes none of what it is sent."""
    about = "notify, deliveries"
    again = [each for each in found if each.attempts >= _TRIED]
    if not again:
        return [well(about, "No agency refuses what it is sent.")]
    return [_refusing(about, each) for each in again[:_SHOWN]]


def _refusing(about: str, agency: Refusing) -> Finding:
    """A person's decision that its notices wait for is for now, however seldom they were tried."""
    page = "docs/runbook.md#deliveries-a-notice-that-is-not-over"
    if agency.mend is not None:
        do = (
            f"{page}: {agency.mend}, open, changes its endpoint or key: another person than its "
            "proposer looks whether it mends this (GET /v1/proposals?open=true) and decides it "
            "now. Tell it by telephone when a clock is near."
        )
        return act(about, _refuses(agency), do)
    do = (
        f"{page}: what the last answer means is said there; call the agency; it is tried again "
        "by itself. Tell it by telephone when a clock is near."
    )
    level = act if agency.attempts >= _AGAIN_AND_AGAIN else look
    return level(about, _refuses(agency), do)


def _refuses(agency: Refusing) -> str:
    return (
        f"{agency.name} ({agency.contact or 'no contact on file'}; {agency.agency_id}) has not "
        f"taken {agency.notices} notice(s), that of {agency.referral_id} (the nearest due, "
        f"{agency.due_at:%Y-%m-%dT%H:%M:%SZ}) after {agency.tried} attempts"
        f"{_answered(agency)}{_next(agency)}.{_changed(agency)}"
    )


def _answered(agency: Refusing) -> str:
    return "" if agency.answer is None else f"; {in_words(agency.answer)}"


def _changed(agency: Refusing) -> str:
    if agency.changed is None:
        return ""
    return f" {agency.changed} changed its endpoint or key within the last day."


def _next(agency: Refusing) -> str:
    return "" if agency.next_at is None else f"; the next one is due at {agency.next_at:%H:%M:%SZ}"


async def tasks(db: Database) -> list[Finding]:
    async with db.connection() as session:
        return of_tasks(await waiting_store.tasks(session))


def of_tasks(found: Sequence[Open]) -> list[Finding]:
    """One finding for what a person has to do and nobody has taken."""
    about = "notify, tasks"
    if not found:
        return [well(about, "None waits for a person.")]
    kinds = ", ".join(f"{each.tasks} {each.kind}{_over(each)}" for each in found)
    urgent = any(each.kind in URGENT and each.over < each.tasks for each in found)
    do = (
        "GET /v1/tasks?open says what to do for each; do it, then acknowledge it "
        "(docs/runbook.md#tasks-a-person-has-to-look)."
    )
    return [(act if urgent else look)(about, f"Nobody has acknowledged: {kinds}.", do)]


def _over(found: Open) -> str:
    return f" ({found.over} of them over by now)" if found.over else ""


async def calls(db: Database) -> list[Finding]:
    async with db.connection() as session:
        found = await decision_store.overdue(session, utc_now() - PATIENCE)
    return of_calls([(each.entry_id, each.referral_id) for each in found])


def of_calls(found: Sequence[tuple[str, str]]) -> list[Finding]:
    """(entry, referral) of calls that no notice has come for, whether or not their task was
    acknowledged."""
    about = "notify, calls"
    if not found:
        return [well(about, "No call that was entered waits for its notice for long.")]
    do = (
        "Another person than who made the call decides it "
        "(docs/runbook.md#oral_entry-a-call-without-a-notice)."
    )
    return [act(about, f"On record as no disclosure, and nothing comes: {_first(found)}.", do)]


async def proposals(db: Database) -> list[Finding]:
    async with db.connection() as session:
        return of_proposals(await waiting_store.proposals(session))


def of_proposals(found: Sequence[tuple[str, str]]) -> list[Finding]:
    """What somebody proposed and nobody else has decided."""
    about = "notify, proposals"
    if not found:
        return [well(about, "None waits for a second person.")]
    do = (
        "GET /v1/proposals?open=true shows each; another person than its proposer "
        "decides it (docs/runbook.md#proposal-a-change-waits-for-a-second-person)."
    )
    return [look(about, f"A second person has not decided {_first(found)}.", do)]


def _first(found: Sequence[tuple[str, str]]) -> str:
    """Each with what it is about, and how many more there are."""
    some = ", ".join(f"{each} ({about})" for each, about in found[:_SHOWN])
    return f"{some} and {len(found) - _SHOWN} more" if len(found) > _SHOWN else some
