"""The deadlines service's processes and commands.

python -m services.deadlines [ROLE …]         every role, or only those named
python -m services.deadlines policies [DIR]   check the policy files, and show what they say
python -m services.deadlines rebuild [--check]  fold every clock again from the stored facts
python -m services.deadlines what-if FILE     what a policy file would have made of the past
python -m services.deadlines parked …         see --help; also bus replay, prune
"""

import argparse
import sys
from pathlib import Path

import structlog

from services.deadlines.commands import REBUILD, WHAT_IF, rebuild, what_if
from services.deadlines.keeper import Keeper
from services.deadlines.models import ACTS, INBOX, OUTBOX
from services.deadlines.policy_files import SHIPPED, load
from services.deadlines.policy_register import open_book
from services.deadlines.settings import DeadlinesSettings
from services.deadlines.wiring import NAME, open_app, open_database
from shared.contracts.base import Source
from shared.messaging.commands import COMMANDS, MessagingTables, run_command
from shared.messaging.outbox import Outbox
from shared.runtime import logging, tracing
from shared.runtime.db import UnsafeServer, unavailable
from shared.runtime.ending import end
from shared.runtime.errors import Misconfigured
from shared.runtime.lifecycle import run, run_roles, settle
from shared.runtime.wakes import Wakes

log = structlog.get_logger()

ROLES = ("api", "consume", "work", "sweep", "relay")
_AWAY = "PostgreSQL does not answer: start it, then try again."


def main(argv: list[str]) -> int:
    """Exit code 2: it cannot start as it is configured; 1: something it needs is away."""
    in_log = not argv or argv[0] in ROLES
    try:
        return run(_main(argv))
    except (Misconfigured, UnsafeServer) as error:
        return end(str(error), 2, in_log=in_log)
    except Exception as error:
        if unavailable(error):
            return end(_AWAY, 1, in_log=in_log)
        raise


async def _main(argv: list[str]) -> int:
    if argv and argv[0] in COMMANDS:
        return await _command(argv)
    if argv and argv[0] == "policies":
        return _policies(argv[1:])
    if argv and argv[0] in (REBUILD, WHAT_IF):
        return await _past(argv)
    parser = argparse.ArgumentParser(prog=f"python -m services.{NAME}", description=__doc__)
    parser.add_argument("roles", nargs="*", metavar="ROLE", help=", ".join(ROLES))
    chosen = tuple(parser.parse_args(argv).roles) or ROLES
    if unknown := [role for role in chosen if role not in ROLES]:
        parser.error(f"there is no role {unknown[0]}: choose from {', '.join(ROLES)}")
    await _run(DeadlinesSettings.load(), chosen)
    return 0


async def _run(settings: DeadlinesSettings, chosen: tuple[str, ...]) -> None:
    logging.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings)
    async with open_app(settings, alone=set(chosen) == set(ROLES)) as app:
        roles = {name: app.roles[name] for name in chosen}
        settle()
        log.info("started", roles=list(chosen))
        await run_roles({**roles, "policies": app.policies, "operations": app.operations})
        log.info("stopped")


async def _command(argv: list[str]) -> int:
    db = open_database(DeadlinesSettings.load(), Wakes())
    try:
        return await run_command(NAME, argv, db, MessagingTables(ACTS, outbox=OUTBOX, inbox=INBOX))
    finally:
        await db.close()


async def _past(argv: list[str]) -> int:
    db = open_database(DeadlinesSettings.load(), Wakes())
    try:
        book = await open_book(db, load())
        if argv[0] == WHAT_IF:
            return await what_if(db, book, argv[1:])
        return await rebuild(db, Keeper(book, Outbox(OUTBOX, Source.DEADLINES)), argv[1:])
    finally:
        await db.close()


def _policies(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"python -m services.{NAME} policies")
    parser.add_argument("folder", nargs="?", type=Path, default=SHIPPED, help="with *.yaml files")
    for policy in load(parser.parse_args(argv).folder):
        law = policy.citation or "no citation: a policy of ours"
        head = f"{policy.policy} {policy.version}: {policy.length} for {policy.duty}"
        sys.stdout.write(f"{head} ({law}).\n    {policy.words}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
