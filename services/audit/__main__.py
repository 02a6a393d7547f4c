"""The audit service's processes and commands.

python -m services.audit [ROLE …]      every role, or only those named
python -m services.audit export DIR    write the log to a folder, for the offline verifier
python -m services.audit evidence …    some entries with proofs, for a court: see --help
python -m services.audit recover …     go on after a restore: see --help
python -m services.audit key           print the log's public keys
python -m services.audit parked …      see --help; also prune
python -m services.audit.verify DIR    verify an exported folder, with nothing else of ours
"""

import argparse
import sys
from pathlib import Path

import structlog

from services.audit import commands, export
from services.audit.models import ACTS, INBOX
from services.audit.sealer import Forked
from services.audit.settings import AuditSettings, load_signers
from services.audit.wiring import NAME, open_app, open_database
from shared.messaging.commands import COMMANDS, MessagingTables, run_command
from shared.runtime import logging, tracing
from shared.runtime.db import UnsafeServer, unavailable
from shared.runtime.ending import end
from shared.runtime.errors import Misconfigured
from shared.runtime.lifecycle import run, run_roles, settle
from shared.runtime.wakes import Wakes

log = structlog.get_logger()

ROLES = ("api", "consume", "work", "seal", "reconcile")
_AWAY = "PostgreSQL does not answer: start it, then try again."


def main(argv: list[str]) -> int:
    """Exit code 2: it cannot start as it is configured; 1: something it needs is away."""
    in_log = not argv or argv[0] in ROLES
    try:
        return run(_main(argv))
    except (Misconfigured, UnsafeServer, Forked) as error:
        return end(str(error), 2, in_log=in_log)
    except Exception as error:
        if unavailable(error):
            return end(_AWAY, 1, in_log=in_log)
        raise


async def _main(argv: list[str]) -> int:
    if argv and argv[0] in (*COMMANDS, "export", "key", "recover", "evidence"):
        return await _command(argv)
    parser = argparse.ArgumentParser(prog=f"python -m services.{NAME}", description=__doc__)
    parser.add_argument("roles", nargs="*", metavar="ROLE", help=", ".join(ROLES))
    chosen = tuple(parser.parse_args(argv).roles) or ROLES
    if unknown := [role for role in chosen if role not in ROLES]:
        parser.error(f"there is no role {unknown[0]}: choose from {', '.join(ROLES)}")
    await _run(AuditSettings.load(), chosen)
    return 0


async def _run(settings: AuditSettings, chosen: tuple[str, ...]) -> None:
    logging.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings)
    async with open_app(settings, alone=set(chosen) == set(ROLES)) as app:
        if "seal" in chosen:
            await app.sealer.check()
        roles = {name: app.roles[name] for name in chosen}
        settle()
        log.info("started", roles=list(chosen))
        await run_roles({**roles, "operations": app.operations})
        log.info("stopped")


async def _command(argv: list[str]) -> int:
    settings = AuditSettings.load()
    keys = [signer.public for signer in load_signers(settings)]
    if argv[0] == "key":
        sys.stdout.write("".join(f"{key.vkey}\n" for key in keys))
        return 0
    db = open_database(settings, Wakes())
    try:
        if argv[0] in COMMANDS:
            return await run_command(NAME, argv, db, MessagingTables(ACTS, inbox=INBOX))
        if argv[0] == "recover":
            return await commands.recover(argv[1:], settings, db, keys)
        if argv[0] == "evidence":
            return await commands.evidence(argv[1:], db, keys)
        parser = argparse.ArgumentParser(prog=f"python -m services.{NAME} export")
        parser.add_argument("directory", type=Path, help="a new folder")
        directory = parser.parse_args(argv[1:]).directory
        checkpoint = await export.export(db, directory, keys)
    finally:
        await db.close()
    sys.stdout.write(f"{checkpoint.size} entries written to {directory}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
