"""The commands of deadlines that read the past.

python -m services.deadlines rebuild [--check]   fold every clock again from the stored facts
python -m services.deadlines what-if FILE        what a policy file would have made of the past
"""

import argparse
import sys
import time
from pathlib import Path

from services.deadlines import report_store, store
from services.deadlines.book import PolicyBook
from services.deadlines.clocks import Clock
from services.deadlines.keeper import Folded, Keeper
from services.deadlines.policy import Policy
from services.deadlines.policy_files import load_calendars, read
from services.deadlines.reports import STEP, over_the_past
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import utc_now

REBUILD = "rebuild"
WHAT_IF = "what-if"


async def rebuild(db: Database, keeper: Keeper, argv: list[str]) -> int:
    """Exit code 1 with --check: some clock is not as its facts have it."""
    parser = argparse.ArgumentParser(prog="python -m services.deadlines rebuild")
    parser.add_argument("--check", action="store_true", help="only compare, and write nothing")
    check: bool = parser.parse_args(argv).check
    began, after, done, differing, clocks = time.monotonic(), "", 0, 0, 0
    while True:
        async with db.transaction() as session:
            ids = await report_store.referrals_with_facts(session, after, STEP)
            await store.hold_referrals(session, ids)
            folded = await keeper.fold(session, ids)
            differing += len(different(folded))
            if not check:
                await keeper.write(session, folded.clocks, folded, utc_now())
        done, clocks = done + len(ids), clocks + len(folded.clocks)
        pace = done / max(0.001, time.monotonic() - began)
        sys.stderr.write(f"\r{done} referrals, {clocks} clocks, {differing} differ; {pace:.0f}/s")
        if len(ids) < STEP:
            break
        after = ids[-1]
    sys.stderr.write("\n")
    said = f"{clocks} clocks of {done} referrals; {differing} were not as their facts have it\n"
    sys.stdout.write(said)
    return 1 if check and differing else 0


def different(folded: Folded) -> list[Clock]:
    """Clocks that stand otherwise than they are stored; when to look is the sweeper's affair."""

    def bare(clock: Clock) -> Clock:
        return clock._replace(look_at=None, waiting_since=None)

    stored = {clock_id: bare(clock) for clock_id, clock in folded.stored.items()}
    return [clock for clock in folded.clocks if stored.get(clock.clock_id) != bare(clock)]


async def what_if(db: Database, book: PolicyBook, argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.deadlines what-if")
    parser.add_argument("file", type=Path, help="a policy file")
    file: Path = parser.parse_args(argv).file
    policy = read(file, load_calendars())
    if not isinstance(policy, Policy):
        raise Misconfigured("\n".join(map(str, policy)))
    found = await over_the_past(db, book, policy)
    sys.stdout.write(f"{policy.policy} {policy.version}\n")
    sys.stdout.writelines(f"{line}\n" for line in found.lines)
    return 0
