"""Commands on the on-call roster.

python -m services.notify oncall show [--at TIME]                who is on call
python -m services.notify oncall import FILE --dry-run           what the file says, checked
python -m services.notify oncall import FILE --by PERSON --reason WHY   propose it
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from services.notify.oncall import roster_file, roster_store, rostering
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
    _say(*roster_file.describe(file))
    if args.dry_run:
        return 0
    async with db.transaction() as session:
        made = await rostering.propose_roster(
            session, sealer, file, reason=args.reason, by=args.by, now=utc_now()
        )
    where = f"POST /v1/proposals/{made.proposal_id}/approve"
    _say(f"Proposed as {made.proposal_id}. Another person approves it: {where}")
    return 0


async def _show(db: Database, at: datetime) -> int:
    async with db.transaction() as session:
        roster = await roster_store.in_force(session, min(at, utc_now()))
    found = {role: roster.on_call(role, at) for role in sorted(roster.shifts)}
    _say(
        *(f"{role}: {', '.join(people) or 'NOBODY'}" for role, people in found.items()),
        f"otherwise: {', '.join(roster.fallbacks()) or 'what the settings name'}",
    )
    return 0 if found and all(found.values()) else 1


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
