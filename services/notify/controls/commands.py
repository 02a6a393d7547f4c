"""Commands that stop and resume deliveries, for when the API cannot be had.

python -m services.notify controls list
python -m services.notify controls pause AGENCY --by PERSON --reason WHY
python -m services.notify controls stop --by PERSON --reason WHY
python -m services.notify controls resume HALT --by PERSON --reason WHY

With `--dry-run` the last three say how many notices they are about, and do nothing.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import assert_never

from services.notify.controls import halt_store, halting
from services.notify.controls.halts import (
    Cause,
    Halt,
    Lifted,
    LiftedBefore,
    Lifting,
    NeedsSecond,
    NoSuchHalt,
)
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import utc_now
from shared.runtime.two_people import typed_reason

CONTROLS = "controls"


async def run_controls(argv: Sequence[str], db: Database) -> int:
    """Exit code 0: done; 2: there is nothing of that name. Whoever runs it is believed."""
    args = _parser().parse_args(argv)
    if args.action == "list":
        return await _list(db)
    if args.dry_run:
        return await _dry_run(args, db)
    if args.action == "resume":
        async with db.transaction() as session:
            outcome = await halting.lift(
                session, args.halt, by=args.by, why=args.reason, now=utc_now()
            )
        return _say(_resumed(outcome))
    cause = Cause.PAUSE if args.action == "pause" else Cause.STOP
    async with db.transaction() as session:
        made = await halting.halt(
            session,
            cause,
            args.agency if cause is Cause.PAUSE else None,
            reason=args.reason,
            by=args.by,
            now=utc_now(),
        )
    if made is None:
        raise Misconfigured("There is no such agency: give its agency_id.")
    return _say(_line(made))


async def _list(db: Database) -> int:
    async with db.transaction() as session:
        found = await halt_store.list_halts(session, only_open=True, limit=1000)
    return _say(*[_line(each) for each in found] or ["Nothing is paused or stopped."])


async def _dry_run(args: argparse.Namespace, db: Database) -> int:
    async with db.transaction() as session:
        if args.action != "resume":
            agency = args.agency if args.action == "pause" else None
            waiting = await halt_store.waiting(session, agency)
            return _say(f"Would hold {waiting} notice(s) on their way to {agency or 'everybody'}.")
        found = await halt_store.list_halts(session, only_open=True, limit=1000)
        halts = [each for each in found if each.halt_id == args.halt]
        if not halts:
            raise Misconfigured("There is no such open halt: see `controls list`.")
        waiting = await halt_store.waiting(session, halts[0].agency_id)
    how = "propose to another person to let" if halts[0].takes_two else "let"
    return _say(_line(halts[0]), f"Would {how} {waiting} notice(s) go on, where no other halt is.")


def _resumed(outcome: Lifting) -> str:
    match outcome:
        case Lifted(halt):
            return f"{halt.halt_id} is lifted."
        case LiftedBefore(halt):
            return f"{halt.halt_id} was lifted by {halt.lifted_by}."
        case NeedsSecond(proposal_id):
            return (
                f"Proposed as {proposal_id}. Another person approves it: "
                f"POST /v1/proposals/{proposal_id}/approve"
            )
        case NoSuchHalt():
            raise Misconfigured("There is no such halt: see `controls list`.")
        case _:
            assert_never(outcome)


def _line(halt: Halt) -> str:
    return (
        f"{halt.halt_id}  {halt.cause.value}  {halt.agency_id or 'everybody'}  "
        f"since {halt.set_at:%Y-%m-%dT%H:%M:%SZ} by {halt.set_by}: {halt.reason}"
    )


def _say(*lines: str) -> int:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m services.notify {CONTROLS}")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="what is paused or stopped")
    pause = actions.add_parser("pause", help="hold one agency's deliveries")
    pause.add_argument("agency", help="its agency_id")
    stop = actions.add_parser("stop", help="hold every delivery")
    resume = actions.add_parser("resume", help="lift a pause or a stop")
    resume.add_argument("halt", help="its id, as `list` has it")
    for each in (pause, stop, resume):
        each.add_argument("--by", required=True, help="who: the subject of that person's tokens")
        each.add_argument(
            "--reason", required=True, type=typed_reason, help="why; nothing about a child"
        )
        each.add_argument("--dry-run", action="store_true", help="say it, and do nothing")
    return parser
