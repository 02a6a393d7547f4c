"""The notify service's processes and commands.

python -m services.notify [ROLE …]                   every role, or only those named
python -m services.notify seed-sample --agencies FILE   load a sample directory (development only)
python -m services.notify routing explain|what-if|replay   see --help
python -m services.notify directory …                import, export, coverage; see --help
python -m services.notify controls …                 list, pause, stop, resume; see --help
python -m services.notify oncall …                   show, import; see --help
python -m services.notify forms …                       render a form as PDF; see --help
python -m services.notify rewrap                     wrap every data key by the newest KEK
python -m services.notify parked …                   see --help; also bus replay, prune
"""

import argparse
import sys
from pathlib import Path

import structlog

from services.notify.controls.commands import CONTROLS, run_controls
from services.notify.directory.commands import DIRECTORY, run_directory
from services.notify.directory.seeding import seed_samples
from services.notify.forms.commands import FORMS, run_forms
from services.notify.holdings import HOLDINGS
from services.notify.models import ACTS, INBOX, OUTBOX
from services.notify.oncall.commands import ONCALL, run_oncall
from services.notify.routing.commands import ROUTING, run_routing
from services.notify.settings import NotifySettings
from services.notify.wiring import NAME, open_app, open_database
from shared.messaging.commands import COMMANDS, MessagingTables, run_command
from shared.runtime import logging, tracing
from shared.runtime.db import Database, UnsafeServer, unavailable
from shared.runtime.ending import end
from shared.runtime.errors import Misconfigured
from shared.runtime.lifecycle import run, run_roles, settle
from shared.runtime.rewrapping import REWRAP, run_rewrap
from shared.runtime.sealing import Keyring, Sealer
from shared.runtime.settings import Profile
from shared.runtime.wakes import Wakes

log = structlog.get_logger()

ROLES = ("api", "consume", "work", "deliver", "page", "relay")
_AWAY = "PostgreSQL does not answer: start it, then try again."
SEED = "seed-sample"


def main(argv: list[str]) -> int:
    """Exit code 2: it cannot start as it is configured; 1: something it needs is away."""
    if argv and argv[0] == FORMS:
        return run_forms(argv[1:])
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
    if argv and argv[0] in (*COMMANDS, SEED, CONTROLS, DIRECTORY, ONCALL, REWRAP, ROUTING):
        return await _command(argv)
    parser = argparse.ArgumentParser(prog=f"python -m services.{NAME}", description=__doc__)
    parser.add_argument("roles", nargs="*", metavar="ROLE", help=", ".join(ROLES))
    chosen = tuple(parser.parse_args(argv).roles) or ROLES
    if unknown := [role for role in chosen if role not in ROLES]:
        parser.error(f"there is no role {unknown[0]}: choose from {', '.join(ROLES)}")
    await _run(NotifySettings.load(), chosen)
    return 0


async def _run(settings: NotifySettings, chosen: tuple[str, ...]) -> None:
    logging.configure(NAME, settings.log_level)
    tracing.configure(NAME, settings)
    async with open_app(settings, alone=set(chosen) == set(ROLES)) as app:
        roles = {name: app.roles[name] for name in chosen}
        settle()
        log.info("started", roles=list(chosen))
        await run_roles({**roles, "operations": app.operations})
        log.info("stopped")


async def _command(argv: list[str]) -> int:
    settings = NotifySettings.load()
    db = open_database(settings, Wakes())
    try:
        if argv[0] in COMMANDS:
            return await run_command(NAME, argv, db, MessagingTables(ACTS, OUTBOX, INBOX))
        if argv[0] == REWRAP:
            sealer = Sealer(Keyring.load(settings.keys))
            return await run_rewrap(NAME, argv[1:], db, sealer, HOLDINGS, ACTS)
        if argv[0] == ROUTING:
            return await run_routing(settings, argv[1:], db)
        if argv[0] == CONTROLS:
            return await run_controls(argv[1:], db)
        if argv[0] == ONCALL:
            return await run_oncall(argv[1:], db, Sealer(Keyring.load(settings.keys)))
        if argv[0] == DIRECTORY:
            samples = settings.profile is Profile.DEVELOPMENT
            return await run_directory(argv[1:], db, samples=samples)
        return await _seed(settings, argv[1:], db)
    finally:
        await db.close()


async def _seed(settings: NotifySettings, argv: list[str], db: Database) -> int:
    parser = argparse.ArgumentParser(prog=f"python -m services.{NAME} {SEED}")
    parser.add_argument("--agencies", type=Path, required=True, help="JSON file of sample agencies")
    path = parser.parse_args(argv).agencies
    if settings.profile is Profile.PRODUCTION:
        raise Misconfigured(
            "HARTLINE_PROFILE is production, which must not route on a sample directory: seed "
            "with HARTLINE_PROFILE=development."
        )
    count, version = await seed_samples(db, path)
    sys.stdout.write(f"{count} sample agencies; the directory is at version {version}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
