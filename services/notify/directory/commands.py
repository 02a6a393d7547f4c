"""Commands on the directory, for whoever keeps it.

python -m services.notify directory import FILE --dry-run        what the file would change
python -m services.notify directory import FILE --by PERSON --reason WHY   propose that
python -m services.notify directory export [--as-of DAY]         the directory as such a file
python -m services.notify directory show AGENCY [--as-of DAY]    one agency: name, contact, way
python -m services.notify directory coverage [--as-of DAY]       which towns nobody lawful serves
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from services.notify.directory import file as directory_file
from services.notify.directory import store as directory_store
from services.notify.directory.agencies import Kind
from services.notify.directory.authority import today
from services.notify.directory.changes import Fields, Invalid, Unsaid, draft, propose
from services.notify.directory.coverage import gaps, report
from services.notify.directory.difference import EntryChange, lines
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.history import in_force
from services.notify.directory.in_force import AsOf, directory_as_of
from services.notify.directory.losses import losses
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import new_id, utc_now
from shared.runtime.two_people import typed_reason

DIRECTORY = "directory"
_SHOWN = ("name", "contact", "agency_id", "code", "kind", "channel", "endpoint", "email")


async def run_directory(argv: Sequence[str], db: Database, *, samples: bool) -> int:
    """Exit code 0: done, or nothing is missing; 1: towns are not covered; 2: it cannot be done."""
    args = _parser().parse_args(argv)
    if args.action == "import":
        return await _import(args, db)
    found = await _as_of(db, args.as_of)
    if args.action == "export":
        sys.stdout.write(directory_file.write(found.entries.values()))
        return 0
    if args.action == "show":
        _print(_shown(found, args.agency))
        return 0
    directory = found.directory() if samples else found.directory().without_samples()
    _print(report(directory, found.day))
    return 1 if gaps(directory, found.day) else 0


async def _import(args: argparse.Namespace, db: Database) -> int:
    """The difference is printed in any case; it is in effect when somebody else has approved."""
    if not args.dry_run and not (args.by and args.reason):
        raise Misconfigured("Give --by and --reason to propose it, or --dry-run to look at it.")
    rows = directory_file.read(args.file)
    now = utc_now()
    effective = args.effective or today(now)
    async with db.transaction() as session:
        known = in_force(await directory_store.terms(session), effective)
        changes = _draft(args.file, known, rows)
        untouched = len(known.keys() - {change.after.agency_id for change in changes})
        if not changes:
            _print([f"Nothing would change; {untouched} agencies are as they are."])
            return 0
        lost = losses(known, changes, max(effective, today(now)))
        words = lines(changes, effective, lost.lines)
        _print([*words, f"{untouched} agencies stay as they are."])
        if unsaid := lost.unsaid(args.leaves_without):
            raise Misconfigured(f"{args.file}: {Unsaid(unsaid)} (--leaves-without KIND).")
        if args.dry_run:
            return 0
        made = await propose(
            session,
            known,
            changes,
            effective,
            reason=args.reason,
            by=args.by,
            now=now,
            leaves_without=args.leaves_without,
        )
    where = f"POST /v1/proposals/{made.proposal_id}/approve"
    _print([f"Proposed as {made.proposal_id}. Another person approves it: {where}"])
    return 0


def _draft(path: Path, known: dict[str, AgencyEntry], rows: Sequence[Fields]) -> list[EntryChange]:
    try:
        return draft(known, rows, lambda: new_id("agy"))
    except Invalid as invalid:
        wrong = [
            f"{path}: row {place + 2}: {'.'.join(map(str, error['loc'])) or 'entry'}: "
            f"{error['msg']}."
            for place, error in invalid.errors
        ]
        raise Misconfigured("\n".join(wrong)) from None


async def _as_of(db: Database, day: date | None) -> AsOf:
    async with db.transaction() as session:
        found = await directory_as_of(session, today(utc_now()), day=day)
    assert found is not None, "the latest version is there"
    return found


def _shown(found: AsOf, agency: str) -> list[str]:
    """Whom to call, then where its notices go. By id or code."""
    for entry in found.entries.values():
        if agency in (entry.agency_id, entry.code):
            stored = entry.stored()
            return [f"{name}: {'-' if stored[name] is None else stored[name]}" for name in _SHOWN]
    raise Misconfigured("No agency on file has that id or code.")


def _print(lines: Sequence[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.notify directory")
    actions = parser.add_subparsers(dest="action", required=True)
    load = actions.add_parser("import", help="propose what a CSV file changes")
    load.add_argument("file", type=Path)
    load.add_argument("--dry-run", action="store_true", help="print the difference only")
    load.add_argument("--by", help="who proposes it: the subject of that person's tokens")
    load.add_argument(
        "--reason", type=typed_reason, help="why, for the record; nothing about a child"
    )
    load.add_argument(
        "--leaves-without",
        type=Kind,
        action="append",
        default=[],
        metavar="KIND",
        help="it may leave nobody of that kind for the whole state: state_police, fbi, …",
    )
    load.add_argument("--effective", type=date.fromisoformat, help="from which day; today")
    for name, help_ in (
        ("export", "print the directory as a CSV file"),
        ("show", "print one agency: whom to call and where its notices go"),
        ("coverage", "say which towns have no lawful recipient, and why"),
    ):
        action = actions.add_parser(name, help=help_)
        action.add_argument("--as-of", type=date.fromisoformat, help="YYYY-MM-DD; today")
        if name == "show":
            action.add_argument("agency", help="agy_…, or its code")
    return parser
