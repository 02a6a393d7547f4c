"""Commands that a service's `__main__` mounts: parked subjects, replay, prune."""

import argparse
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from shared.contracts.base import Topic
from shared.messaging import parked
from shared.messaging.retention import RETENTION, prune_inbox, prune_outbox
from shared.messaging.tables import InboxTables, OutboxTables
from shared.runtime.db import Database

COMMANDS = ("parked", "bus", "prune")
_BATCH = 1000


@dataclass(frozen=True)
class MessagingTables:
    """What of messaging a service owns; either may be missing."""

    outbox: OutboxTables | None = None
    inbox: InboxTables | None = None


async def run_command(service: str, argv: list[str], db: Database, tables: MessagingTables) -> int:
    """Run one of COMMANDS; returns the exit code."""
    args = _parser(service).parse_args(argv)
    if args.command == "parked":
        return await _parked(args, db, tables.inbox)
    if args.command == "bus":
        return await _replay(args, db, tables.outbox)
    return await _prune(args, db, tables)


def _parser(service: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}")
    commands = parser.add_subparsers(dest="command", required=True)
    actions = commands.add_parser("parked", help="subjects that wait for a person").add_subparsers(
        dest="action", required=True
    )
    actions.add_parser("list", help="every parked subject, the longest first")
    again = actions.add_parser("replay", help="try a subject's parked event again")
    again.add_argument("subject")
    skip = actions.add_parser("skip", help="move on past a subject's parked event")
    skip.add_argument("subject")
    skip.add_argument("--by", required=True, help="who decides this; kept with the event")
    bus = commands.add_parser("bus").add_subparsers(dest="action", required=True)
    emit = bus.add_parser(
        "replay", help="send events from the outbox once more; inboxes sort it out"
    )
    emit.add_argument("topic", type=Topic, choices=list(Topic))
    emit.add_argument("--subject", help="of this subject only")
    emit.add_argument("--since", type=datetime.fromisoformat, help="created at or after, ISO 8601")
    emit.add_argument("--dry-run", action="store_true", help="count, and send nothing")
    prune = commands.add_parser("prune", help="remove sent and handled events")
    days = "keep those of the last DAYS days; handled ones for 30 at least"
    prune.add_argument("--days", type=int, default=30, help=days)
    return parser


async def _parked(args: argparse.Namespace, db: Database, tables: InboxTables | None) -> int:
    if tables is None:
        print("This service consumes nothing, so nothing of it can be parked.")
        return 2
    async with db.transaction() as session:
        if args.action == "list":
            for each in await parked.list_parked(session, tables):
                print(
                    f"{each.parked_at:%Y-%m-%dT%H:%M:%SZ} {each.topic} {each.source} "
                    f"{each.subject} #{each.sequence} {each.reason}"
                )
            return 0
        if args.action == "replay":
            released = await parked.replay(session, tables, args.subject)
        else:
            released = await parked.skip(session, tables, args.subject, args.by)
    print(f"{released} stream(s) released.")
    return 0 if released else 1


async def _replay(args: argparse.Namespace, db: Database, tables: OutboxTables | None) -> int:
    if tables is None:
        print("This service emits nothing.")
        return 2
    chosen = (
        "topic = :topic AND (CAST(:subject AS text) IS NULL OR subject = :subject) "
        "AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since)"
    )
    values = {"topic": args.topic.value, "subject": args.subject, "since": args.since}
    outbox = tables.outbox.fullname
    last, sent = 0, 0
    while True:
        select = (
            f"SELECT id FROM {outbox} WHERE id > :last AND sent_at IS NOT NULL AND {chosen} "
            "ORDER BY id LIMIT :batch"
        )
        async with db.transaction() as session:
            rows = await session.execute(text(select), {**values, "last": last, "batch": _BATCH})
            ids = list(rows.scalars())
            if ids and not args.dry_run:
                await session.execute(
                    text(f"UPDATE {outbox} SET sent_at = NULL WHERE id = ANY(:ids)"), {"ids": ids}
                )
        if not ids:
            break
        last, sent = ids[-1], sent + len(ids)
        print(f"{sent} event(s) so far …")
    print(f"{sent} event(s) {'would be' if args.dry_run else 'will be'} sent again.")
    return 0


async def _prune(args: argparse.Namespace, db: Database, tables: MessagingTables) -> int:
    keep = timedelta(days=args.days)
    sent = await prune_outbox(db, tables.outbox, keep) if tables.outbox else 0
    done = await prune_inbox(db, tables.inbox, max(keep, RETENTION)) if tables.inbox else 0
    print(f"{sent} sent and {done} handled event(s) removed.")
    return 0
