"""python -m services.notify routing explain REFERRAL
python -m services.notify routing what-if [FILE] [--as-of DAY] [--rules RULES]   JSON
python -m services.notify routing replay --rules RULES [--as-of DAY] [--last N | --sample-year]

`explain` says why each recipient of a referral was told, or not. `what-if` says who would be told
of a referral that does not exist, by the rules in force today or on a day; with a rules file, by
that, and what it would change. `replay` routes the last referrals, or a made-up year where there
are none, under the rules in force and under a file, and says what would differ at every stage; the
facts are opened in memory and nothing of them is shown.
"""

import argparse
import sys

from services.notify import leg_store
from services.notify.delivery.commitment import Committer
from services.notify.directory.in_force import Directories
from services.notify.fates import words
from services.notify.matters import store as matter_store
from services.notify.planning.drafting import Clerk
from services.notify.rulemaking.commands import add_parsers, replay_rules, what_if
from services.notify.settings import NotifySettings
from services.notify.tasks import store as task_store
from services.notify.tasks.task import TOWNS_AND_NAMES
from shared.runtime.db import Database
from shared.runtime.sealing import Keyring, Sealer
from shared.runtime.settings import Profile

ROUTING = "routing"


async def run_routing(settings: NotifySettings, argv: list[str], db: Database) -> int:
    """Exit code 1: there is no such referral."""
    arguments = _parser().parse_args(argv)
    directories = Directories(samples=settings.profile is Profile.DEVELOPMENT)
    if arguments.what == "explain":
        return await _explain(arguments.referral, db)
    if arguments.what == "what-if":
        return await what_if(arguments, directories, db)
    clerk = Clerk(Sealer(Keyring.load(settings.keys)), Committer.load(settings.keys))
    return await replay_rules(arguments, directories, clerk, db)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.notify routing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="what", required=True)
    explain = commands.add_parser("explain", help="why each recipient was told, or not")
    explain.add_argument("referral", help="ref_…")
    add_parsers(commands)
    return parser


async def _explain(referral_id: str, db: Database) -> int:
    async with db.transaction() as session:
        legs = await leg_store.legs_of(session, referral_id, None)
        matters = await matter_store.matters_of(session, referral_id)
        questions = await task_store.details(session, referral_id, TOWNS_AND_NAMES)
    if not legs:
        sys.stderr.write("There is no such referral here.\n")
        return 1
    for leg in legs:
        sys.stdout.write(f"v{leg.version} {leg.child_id} {leg.role}: {words(leg)}\n")
    for each in matters:
        what = f"v{each.version} {each.child_id} {each.role}: {each.effect.value}"
        sys.stdout.write(f"{what}: {each.because}.\n")
    for question in questions:
        sys.stdout.write(f"To find out: {question}\n")
    return 0
