"""Whether notify can tell whom it must: the looks that no other service has."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from services.notify.controls import halt_store
from services.notify.controls.halts import Halt
from services.notify.directory.authority import today
from services.notify.directory.coverage import Gap, gaps
from services.notify.directory.endpoint_tls import ends_of
from services.notify.directory.endpoint_tls_store import in_force as transports_in_force
from services.notify.directory.in_force import Directories
from services.notify.enrolment import expiry_store
from services.notify.enrolment.expiry import mend
from services.notify.oncall import drill_store, roster_store
from services.notify.oncall.holes import holes
from services.notify.oncall.roster import Roster
from services.notify.settings import NotifySettings
from shared.runtime.db import Database
from shared.runtime.errors import Retryable
from shared.runtime.findings import SOON, Finding, act, look, well
from shared.runtime.ids import utc_now
from shared.runtime.settings import Profile

_SILENT = timedelta(minutes=5)
_SHOWN = 5
ON_CALL = "notify, on call"
_SOMEBODY = (
    "docs/runbook.md, pages that do not get through: one person alone sets an override, at once; "
    "then two approve a roster without the hole (docs/oncall.md)."
)


async def towns(settings: NotifySettings, db: Database) -> list[Finding]:
    """Whether each of the towns has somebody lawful to tell."""
    samples = settings.profile is Profile.DEVELOPMENT
    day = today(utc_now())
    async with db.transaction() as session:
        try:
            directory = await Directories(samples=samples).current(session)
        except Retryable:
            do = "Load the directory (docs/directory.md): nobody is told anything."
            return [act("notify, towns", "The directory holds no agency.", do)]
    return of_gaps(len(directory.districts), gaps(directory, day))


def of_gaps(count: int, found: list[Gap]) -> list[Finding]:
    about = "notify, towns"
    if not found:
        return [well(about, f"All {count} have lawful police and MDT recipients.")]
    some = "; ".join(map(str, found[:_SHOWN]))
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    do = "python -m services.notify directory coverage lists them; docs/directory.md mends them."
    return [act(about, f"{some}{more}.", do)]


async def running_out(settings: NotifySettings, db: Database) -> list[Finding]:
    """Authorities, MOUs, keys and certificates of agencies."""
    now = utc_now()
    async with db.transaction() as session:
        lasting = await expiry_store.lasting(session)
        ids = [each.agency_id for each in lasting]
        transports = await transports_in_force(session, ids, now)
    names = {each.agency_id: each.named for each in lasting}
    ends = [(each.named, what, day) for each in lasting for what, day in each.ends()]
    ends += [
        (names[agency_id], what, day)
        for agency_id, transport in transports.items()
        for what, day in ends_of(transport, settings.keys)
    ]
    return of_ends(ends, today(now))


def of_ends(ends: Iterable[tuple[str, str, date]], day: date) -> list[Finding]:
    """A finding for each that is over or near, the first to end first."""
    near = sorted((each for each in ends if each[2] <= day + SOON), key=lambda each: each[2])
    if not near:
        return [well("notify, what runs out", "Nothing of an agency ends within 30 days.")]
    return [
        (act if ends_on < day else look)(
            "notify, what runs out",
            f"The {what} of {agency} {'ended' if ends_on < day else 'ends'} on {ends_on}.",
            f"{mend(what)}, or no notice goes to it from then on.",
        )
        for agency, what, ends_on in near
    ]


async def drilled(settings: NotifySettings, db: Database) -> list[Finding]:
    async with db.connection() as session:
        last = await drill_store.last_passed(session)
    return of_drill(last, utc_now(), sent=settings.synthetic, profile=settings.profile)


def of_drill(
    last: datetime | None, now: datetime, *, sent: bool, profile: Profile
) -> list[Finding]:
    """The last synthetic referral that went the whole way."""
    about = "notify, synthetic referral"
    if not sent:
        if profile is Profile.DEVELOPMENT:
            return [well(about, "None is sent (HARTLINE_NOTIFY_SYNTHETIC is off).")]
        do = "Set HARTLINE_NOTIFY_SYNTHETIC=true: nothing else proves the whole way alive."
        return [look(about, "None is sent.", do)]
    do = "docs/runbook.md, SyntheticSilent: every stage of the way is a candidate."
    if last is None:
        return [act(about, "None has ever gone the whole way.", do)]
    seconds = (now - last).total_seconds()
    says = f"The last one went the whole way {seconds:.0f} s ago."
    return [act(about, says, do) if now - last > _SILENT else well(about, says)]


async def on_call(settings: NotifySettings, db: Database) -> list[Finding]:
    now = utc_now()
    async with db.connection() as session:
        roster = await roster_store.in_force(session, now)
    return of_roster(roster, now, settings)


def of_roster(roster: Roster, now: datetime, settings: NotifySettings) -> list[Finding]:
    """Whether somebody is on call for every role of the roster, now and for a week."""
    about = ON_CALL
    do = "Have a roster approved (docs/oncall.md)."
    if not roster.shifts and settings.profile is Profile.DEVELOPMENT:
        return [well(about, "There is no roster, and none is needed here.")]
    if not roster.shifts:
        level = look if settings.pager_fallback else act
        return [level(about, "There is no roster: only the fallback is paged, if any.", do)]
    found = holes(roster, now)
    if not found:
        return [well(about, "Somebody is on call for every role, now and for a week.")]
    first = found[0].begins
    says = "; ".join(each.says(now) for each in found if each.begins == first)
    if len({each.begins for each in found}) > 1:
        says += "; and again within the week (oncall show)"
    return [(act if first <= now else look)(about, f"{says}.", _SOMEBODY)]


async def halted(settings: NotifySettings, db: Database) -> list[Finding]:
    async with db.connection() as session:
        found = await halt_store.list_halts(session, only_open=True, limit=_SHOWN)
    return of_halts(found, settings)


def of_halts(found: Iterable[Halt], settings: NotifySettings) -> list[Finding]:
    """What holds notices back by decision, and whether a restore would be noticed."""
    about = "notify, halts"
    do = (
        "python -m services.notify controls list says who and why, and "
        "docs/runbook.md#held-notices-that-a-pause-or-a-stop-keeps-back who decides; "
        "GET /v1/halts/{halt_id}/notices lists whom to telephone meanwhile."
    )
    halts = [
        act(
            about,
            f"{h.halt_id} ({h.cause.value}) holds notices since {h.set_at:%Y-%m-%dT%H:%MZ}.",
            do.format(halt_id=h.halt_id),
        )
        for h in found
    ]
    if halts:
        return halts
    if settings.marker is None and settings.profile is Profile.PRODUCTION:
        do = "Set HARTLINE_NOTIFY_MARKER (docs/settings.md)."
        return [look(about, "A restored database would not start held.", do)]
    return [well(about, "Nothing is paused or stopped.")]
