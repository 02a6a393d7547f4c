"""Commands that a service's `__main__` mounts: parked subjects, quarantine, replay, prune.

Each with `--dry-run`, which ends with the `--through` that keeps the same command from doing more
than it said; what was done is in the service's table `acts`, with who did it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Table

from shared.contracts.base import Topic
from shared.messaging import parked, resending
from shared.messaging.forks import Numbered, held
from shared.messaging.quarantine_commands import QUARANTINE, run_quarantine
from shared.messaging.retention import RETENTION, count_finished, prune_inbox, prune_outbox
from shared.messaging.tables import InboxTables, OutboxTables
from shared.runtime.acts import account, record
from shared.runtime.db import Database
from shared.runtime.ids import utc_now

COMMANDS = ("parked", QUARANTINE, "bus", "prune")


@dataclass(frozen=True)
class MessagingTables:
    """What of messaging a service owns; the outbox or the inbox may be missing."""

    acts: Table
    outbox: OutboxTables | None = None
    inbox: InboxTables | None = None


async def run_command(service: str, argv: list[str], db: Database, tables: MessagingTables) -> int:
    """Run one of COMMANDS; returns the exit code."""
    if argv[0] == QUARANTINE:
        return await run_quarantine(service, argv, db, tables.inbox, tables.acts)
    parser = _parser(service)
    args = parser.parse_args(argv)
    args.typed = " ".join(argv)
    if getattr(args, "action", None) == "skip" and not (args.by or args.dry_run):
        parser.error("--by is needed: who decides that the event is not handled?")
    if "by" in args:
        args.by = args.by or account()
    if args.command == "parked":
        return await _parked(args, db, tables)
    if args.command == "bus":
        return await _resend(args, db, tables)
    return await _prune(args, db, tables)


def _parser(service: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}")
    commands = parser.add_subparsers(dest="command", required=True)
    actions = commands.add_parser("parked", help="subjects that wait for a person").add_subparsers(
        dest="action", required=True
    )
    actions.add_parser("list", help="every parked subject, the longest first")
    showing = actions.add_parser("show", help="its events, of a fork both, without their content")
    showing.add_argument("subject")
    again = actions.add_parser(
        "replay", help="try a subject's parked event again; go on behind the first of a fork"
    )
    skip = actions.add_parser(
        "skip", help="move on past a subject's parked event; of a fork the same as replay"
    )
    for action in (again, skip):
        action.add_argument("subject")
        _add_care(action)
        action.add_argument(
            "--through", type=_moment, help="no stream that was parked after this moment"
        )
    bus = commands.add_parser("bus").add_subparsers(dest="action", required=True)
    emit = bus.add_parser(
        "replay", help="send events from the outbox once more; inboxes sort it out"
    )
    emit.add_argument("topic", type=Topic, choices=list(Topic))
    emit.add_argument("--subject", help="of this subject only")
    emit.add_argument("--since", type=_moment, help="created at or after, ISO 8601")
    emit.add_argument("--through", type=int, help="no event after this id of the outbox")
    _add_care(emit)
    prune = commands.add_parser("prune", help="remove sent and handled events")
    days = "keep those of the last DAYS days; handled ones for 30 at least"
    prune.add_argument("--days", type=int, default=30, help=days)
    prune.add_argument("--through", type=_moment, help="instead of --days: what arrived before")
    _add_care(prune)
    return parser


def _add_care(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say it, and do nothing")
    who = "who decides this; kept on record; else the login's name"
    parser.add_argument("--by", help=who)


def _moment(written: str) -> datetime:
    return datetime.fromisoformat(written)


async def _parked(args: argparse.Namespace, db: Database, tables: MessagingTables) -> int:
    inbox = tables.inbox
    if inbox is None:
        print("This service consumes nothing, so nothing of it can be parked.")
        return 2
    async with db.transaction() as session:
        found = await parked.list_parked(session, inbox)
        if args.action == "list":
            _show(found)
            return 0
        mine = [each for each in found if each.subject == args.subject]
        if args.action == "show":
            return _show_events(args.subject, mine, await held(session, inbox, args.subject))
        chosen = [each for each in mine if not (args.through and each.parked_at > args.through)]
        if args.dry_run:
            _show(chosen)
            print(f"{len(chosen)} stream(s) would be released.")
            if chosen:
                last = max(each.parked_at for each in chosen)
                print(f"To do this and no more: --through {last.isoformat()}")
            return 0 if chosen else 1
        if args.action == "replay":
            released = await parked.replay(session, inbox, args.subject, args.through, by=args.by)
        else:
            released = await parked.skip(session, inbox, args.subject, args.by, args.through)
        if released:
            await record(session, tables.acts, args.typed, args.by, released)
    print(f"{released} stream(s) released.")
    return 0 if released else 1


def _show(found: list[parked.Parked]) -> None:
    for each in found:
        print(
            f"{each.parked_at:%Y-%m-%dT%H:%M:%SZ} {each.topic} {each.source} "
            f"{each.subject} #{each.sequence} {each.reason}"
        )


def _show_events(subject: str, streams: list[parked.Parked], found: Sequence[Numbered]) -> int:
    if not streams:
        print(f"{subject} is not parked here.")
        return 1
    _show(streams)
    print(*("\n".join(each.describe()) for each in found), sep="\n")
    return 0


async def _resend(args: argparse.Namespace, db: Database, tables: MessagingTables) -> int:
    outbox = tables.outbox
    if outbox is None:
        print("This service emits nothing.")
        return 2
    chosen = resending.Chosen(args.topic, args.subject, args.since, args.through)
    async with db.transaction() as session:
        chosen, count = await resending.bounded(session, outbox, chosen)
    if args.dry_run:
        print(f"{count} event(s) would be sent again.")
        if count:
            print(f"To do this and no more: --through {chosen.through}")
        return 0
    sent, last = 0, 0
    while True:
        async with db.transaction() as session:
            ids = await resending.some(session, outbox, chosen, last)
            if ids:
                await record(session, tables.acts, args.typed, args.by, len(ids))
        if not ids:
            break
        last, sent = ids[-1], sent + len(ids)
        print(f"{sent} of {count} event(s) so far …", flush=True)
    print(f"{sent} event(s) will be sent again.")
    return 0


async def _prune(args: argparse.Namespace, db: Database, tables: MessagingTables) -> int:
    now = utc_now()
    before = args.through or now - timedelta(days=args.days)
    handled = min(before, now - RETENTION)
    if args.dry_run:
        async with db.transaction() as session:
            sent, done = await count_finished(
                session, tables.outbox, tables.inbox, before=before, handled=handled
            )
        print(f"{sent} sent and {done} handled event(s) would be removed.")
        print(f"To do this and no more: --through {before.isoformat()}")
        return 0
    sent = await prune_outbox(db, tables.outbox, before=before) if tables.outbox else 0
    done = await prune_inbox(db, tables.inbox, before=handled) if tables.inbox else 0
    if sent + done:
        async with db.transaction() as session:
            await record(session, tables.acts, args.typed, args.by, sent + done)
    print(f"{sent} sent and {done} handled event(s) removed.")
    return 0
