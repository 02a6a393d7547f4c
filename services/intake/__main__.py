"""The intake service's processes and commands.

python -m services.intake [ROLE …]      every role, or only those named
python -m services.intake bus replay …  see --help; also prune
python -m services.intake rewrap        wrap every data key by the newest KEK
"""

import argparse
import sys

import structlog

from services.intake.holdings import HOLDINGS
from services.intake.models import ACTS, OUTBOX
from services.intake.settings import IntakeSettings
from services.intake.wiring import NAME, open_app, open_database
from shared.messaging.commands import COMMANDS, MessagingTables, run_command
from shared.runtime import logging, tracing
from shared.runtime.db import UnsafeServer, unavailable
from shared.runtime.ending import end
from shared.runtime.errors import Misconfigured
from shared.runtime.lifecycle import run, run_roles, settle
from shared.runtime.rewrapping import REWRAP, run_rewrap
from shared.runtime.sealing import Keyring, Sealer
from shared.runtime.wakes import Wakes

log = structlog.get_logger()

ROLES = ("api", "sweep", "relay")
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
    if argv and argv[0] in (*COMMANDS, REWRAP):
        return await _command(argv)
    parser = argparse.ArgumentParser(prog=f"python -m services.{NAME}", description=__doc__)
    parser.add_argument("roles", nargs="*", metavar="ROLE", help=", ".join(ROLES))
    chosen = tuple(parser.parse_args(argv).roles) or ROLES
    if unknown := [role for role in chosen if role not in ROLES]:
        parser.error(f"there is no role {unknown[0]}: choose from {', '.join(ROLES)}")
    await _run(IntakeSettings.load(), chosen)
    return 0


async def _run(settings: IntakeSettings, chosen: tuple[str, ...]) -> None:
    logging.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings)
    async with open_app(settings, alone=set(chosen) == set(ROLES)) as app:
        roles = {name: app.roles[name] for name in chosen}
        settle()
        log.info("started", roles=list(chosen))
        await run_roles({**roles, "operations": app.operations})
        log.info("stopped")


async def _command(argv: list[str]) -> int:
    settings = IntakeSettings.load()
    db = open_database(settings, Wakes())
    try:
        if argv[0] == REWRAP:
            sealer = Sealer(Keyring.load(settings.keys))
            return await run_rewrap(NAME, argv[1:], db, sealer, HOLDINGS, ACTS)
        return await run_command(NAME, argv, db, MessagingTables(ACTS, outbox=OUTBOX))
    finally:
        await db.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
