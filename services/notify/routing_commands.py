"""python -m services.notify routing explain REFERRAL
python -m services.notify routing what-if [FILE] [--rules RULES]     FILE or standard input, JSON
python -m services.notify routing replay --rules RULES [--last 10000] [--each]

`explain` says why each recipient of a referral was told, or not. `what-if` says who would be told
of a referral that does not exist. `replay` routes the last referrals under a rules file that is
proposed, and says what would differ; the facts are opened in memory and nothing of them is shown.
"""

import argparse
import sys
import time
from pathlib import Path

from pydantic import ValidationError

from services.notify import leg_store, task_store
from services.notify.commitment import Committer
from services.notify.directory import Directories
from services.notify.drafting import Clerk
from services.notify.fates import words
from services.notify.matters import store as matter_store
from services.notify.replay import Past, replay
from services.notify.replay_store import last_plans
from services.notify.routing_api import answer
from services.notify.rulebook import DCF_737, load_rulebook
from services.notify.schemas import ExplainedOut, WhatIfIn
from services.notify.settings import NotifySettings
from services.notify.tasks import TOWNS_AND_NAMES
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
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
        return await _what_if(arguments, directories, db)
    return await _replay(arguments, settings, directories, db)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.notify routing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="what", required=True)
    explain = commands.add_parser("explain", help="why each recipient was told, or not")
    explain.add_argument("referral", help="ref_…")
    what_if = commands.add_parser("what-if", help="who would be told")
    what_if.add_argument("file", nargs="?", type=Path, help="JSON; standard input without one")
    what_if.add_argument("--rules", type=Path, default=DCF_737)
    again = commands.add_parser("replay", help="what other rules would change")
    again.add_argument("--rules", type=Path, required=True, help="the rules file that is proposed")
    again.add_argument("--last", type=int, default=10_000, help="referral versions")
    again.add_argument("--each", action="store_true", help="list every change, by id")
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


async def _what_if(arguments: argparse.Namespace, directories: Directories, db: Database) -> int:
    body = _body(arguments.file)
    async with db.transaction() as session:
        directory = await directories.current(session)
    found = answer(body, directory, load_rulebook(arguments.rules))
    for title, legs in (
        ("At once", found.received),
        ("If it is accepted", found.if_accepted),
        ("If a HART consult is shared", found.if_consult_shared),
    ):
        _write(title, legs)
    for question in found.questions:
        sys.stdout.write(f"To find out: {question}\n")
    return 0


def _body(file: Path | None) -> WhatIfIn:
    try:
        given = sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
        return WhatIfIn.model_validate_json(given)
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read ({error.strerror}).") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise Misconfigured(f"{where or 'The body'}: {first['msg']}.") from None


def _write(title: str, legs: list[ExplainedOut]) -> None:
    sys.stdout.write(f"{title}:\n")
    for leg in legs:
        sys.stdout.write(f"  {leg.child_id} {leg.role}: {leg.sentence}\n")


async def _replay(
    arguments: argparse.Namespace,
    settings: NotifySettings,
    directories: Directories,
    db: Database,
) -> int:
    old, new = load_rulebook(), load_rulebook(arguments.rules)
    clerk = Clerk(Sealer(Keyring.load(settings.keys)), Committer.load(settings.keys))
    began = time.monotonic()
    async with db.transaction() as session:
        directory = await directories.current(session)
        past: list[Past] = [each async for each in last_plans(session, clerk, arguments.last)]

    def progress(done: int) -> None:
        sys.stderr.write(f"\r{done} of {len(past)}, {time.monotonic() - began:.1f} s ")
        sys.stderr.flush()

    found = replay(past, directory, old, new, progress)
    sys.stderr.write("\n")
    sys.stdout.write(f"Rules {old.version} and {new.version}, directory {directory.version}.\n")
    for line in found.lines():
        sys.stdout.write(f"{line}\n")
    for change in found.changes if arguments.each else ():
        sys.stdout.write(
            f"{change.sign} {change.referral_id} v{change.version} {change.child_id} "
            f"{change.fate} {change.agency}\n"
        )
    return 0
