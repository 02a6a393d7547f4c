"""Commands on the on-call roster.

python -m services.notify oncall show [--at TIME]                who is on call
python -m services.notify oncall import FILE --dry-run           what it would change, checked
python -m services.notify oncall import FILE --by PERSON --reason WHY   propose it
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.notify.oncall import roster_file, roster_store, rostering
from services.notify.oncall.holes import here, warnings
from services.notify.oncall.roster import Override, Roster
from services.notify.oncall.roster_file import RosterFile, StoredRoster
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import utc_now
from shared.runtime.sealing import Sealer
from shared.runtime.two_people import typed_reason

ONCALL = "oncall"


async def run_oncall(argv: Sequence[str], db: Database, sealer: Sealer) -> int:
    """Exit code 0: done; 1: for some role nobody is on call; 2: the file is wrong."""
    args = _parser().parse_args(argv)
    if args.action == "show":
        return await _show(db, args.at or utc_now())
    if not args.dry_run and not (args.by and args.reason):
        raise Misconfigured("Give --by and --reason to propose it, or --dry-run to look at it.")
    file = roster_file.read(args.file)
    now = utc_now()
    async with db.transaction() as session:
        version, before = await roster_store.newest(session)
        _say(*_foreseen(version, before, file, now))
        if args.dry_run:
            return 0
        made = await rostering.propose_roster(
            session, sealer, file, reason=args.reason, by=args.by, now=now
        )
    where = f"POST /v1/proposals/{made.proposal_id}/approve"
    _say(f"Proposed as {made.proposal_id}. Another person approves it: {where}")
    return 0


def _foreseen(
    version: int, before: StoredRoster | None, file: RosterFile, now: datetime
) -> list[str]:
    """All of it, what would change, and last, where it is seen, when nobody would be on call."""
    against = f"Would change, against version {version}, which is in force:"
    return [
        *roster_file.describe(file),
        "",
        *([] if before is None else [against]),
        *roster_file.changes(before, file),
        *(warnings(file.roster(), now) or ["Somebody would be on call whenever it must be."]),
    ]


async def _show(db: Database, at: datetime) -> int:
    async with db.transaction() as session:
        roster = await roster_store.in_force(session, min(at, utc_now()))
    if not roster.shifts:
        _say("There is no roster: pages go to HARTLINE_NOTIFY_PAGER_FALLBACK, if it is set.")
        return 1
    found = {role: roster.on_call(role, at) for role in sorted(roster.shifts)}
    other = roster.otherwise.role
    _say(
        *(f"{role}: {_people(roster, role, at) or 'NOBODY'}" for role in found),
        f"otherwise: {other} ({', '.join(found[other]) or 'NOBODY'})",
        f"fallback: {', '.join(roster.fallbacks()) or 'HARTLINE_NOTIFY_PAGER_FALLBACK'}",
        *warnings(roster, at),
    )
    return 0 if all(found.values()) else 1


def _people(roster: Roster, role: str, at: datetime) -> str:
    """Each with whether it stands there by override, and until when."""
    by_override = roster.stand_ins(role, at)
    return ", ".join(
        person if person not in by_override else f"{person} ({_standing(by_override[person])})"
        for person in roster.on_call(role, at)
    )


def _standing(made: Override) -> str:
    instead = f" instead of {made.instead_of}" if made.instead_of else ""
    return f"by override{instead}, until {here(made.ends_at)}"


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _moment(written: str) -> datetime:
    moment = datetime.fromisoformat(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m services.notify {ONCALL}")
    actions = parser.add_subparsers(dest="action", required=True)
    show = actions.add_parser("show", help="who is on call")
    show.add_argument("--at", type=_moment, help="another moment, as 2026-12-24T22:00:00-05:00")
    load = actions.add_parser("import", help="propose what a YAML file says")
    load.add_argument("file", type=Path)
    load.add_argument("--dry-run", action="store_true", help="check and print it only")
    load.add_argument("--by", help="who proposes it: the subject of that person's tokens")
    load.add_argument("--reason", type=typed_reason, help="why, for the record")
    return parser
