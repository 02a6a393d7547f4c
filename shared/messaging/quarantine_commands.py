"""`quarantine list` and `quarantine release PLACE --by PERSON`, of a service that consumes."""

import argparse
import sys
from collections.abc import Sequence

from sqlalchemy import Table

from shared.messaging import quarantined
from shared.messaging.quarantined import Quarantined
from shared.messaging.tables import InboxTables
from shared.runtime.acts import record
from shared.runtime.db import Database

QUARANTINE = "quarantine"


async def run_quarantine(
    service: str, argv: Sequence[str], db: Database, inbox: InboxTables | None, acts: Table
) -> int:
    """Exit code 1: there is no such record to release; 2: this service consumes nothing."""
    parser = _parser(service)
    args = parser.parse_args(argv)
    if args.action == "release" and not (args.by or args.dry_run):
        parser.error("--by is needed: who says that it is understood?")
    if inbox is None:
        _say("This service consumes nothing, so nothing of it can be in quarantine.")
        return 2
    async with db.transaction() as session:
        found = await quarantined.list_quarantined(session, inbox)
        if args.action == "list":
            _show(found)
            return 0
        chosen = [each for each in found if each.place == args.place]
        forks = [each for each in chosen if each.reason == quarantined.FORK]
        if forks:
            _say("It is a fork: decide its subject (parked list), and it is released with it.")
            return 1
        if args.dry_run:
            _show(chosen)
            _say(f"{len(chosen)} record(s) would be released.")
            return 0 if chosen else 1
        released = await quarantined.release(session, inbox, args.place, args.by)
        if released:
            await record(session, acts, " ".join(argv), args.by, released)
    _say(f"{released} record(s) released.")
    return 0 if released else 1


def _parser(service: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}")
    commands = parser.add_subparsers(dest="command", required=True)
    actions = commands.add_parser(QUARANTINE).add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="every record that could not be read, the oldest first")
    release = actions.add_parser("release", help="it is understood: nothing more is to be done")
    release.add_argument("place", help="as `list` has it: TOPIC/PARTITION/OFFSET")
    release.add_argument("--by", help="who decides this; kept on record")
    release.add_argument("--dry-run", action="store_true", help="say it, and do nothing")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _show(found: Sequence[Quarantined]) -> None:
    for each in found:
        _say(
            f"{each.at:%Y-%m-%dT%H:%M:%SZ} {each.place} {each.reason} "
            f"{each.length} bytes, SHA-256 {each.sha256}"
        )
