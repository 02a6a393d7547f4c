"""`routing what-if` and `routing replay`: by the rules in force on a day, and by a file's."""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from pydantic import ValidationError

from services.notify.directory.authority import today
from services.notify.directory.in_force import Directories, directory_as_of
from services.notify.directory.register import Directory
from services.notify.planning.drafting import Clerk
from services.notify.routing.api import answer, hypothetical, noon
from services.notify.routing.replay import Change, Past, replay
from services.notify.routing.rule import Rulebook
from services.notify.routing.rulebook import load_rulebook
from services.notify.routing.schemas import ExplainedOut, WhatIfIn
from services.notify.rulemaking.replaying import Asked, Fixed, replay_last
from services.notify.rulemaking.rulebooks import Rulebooks
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import utc_now


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Of both."""
    what_if = commands.add_parser("what-if", help="who would be told")
    what_if.add_argument("file", nargs="?", type=Path, help="JSON; standard input without one")
    what_if.add_argument("--rules", type=Path, help="a rules file, and what it would change")
    what_if.add_argument("--as-of", type=date.fromisoformat, help="YYYY-MM-DD; today without")
    again = commands.add_parser("replay", help="what other rules would change")
    again.add_argument("--rules", type=Path, required=True, help="the rules file that is proposed")
    again.add_argument(
        "--as-of",
        type=date.fromisoformat,
        help="YYYY-MM-DD: in place of the rules of that day, and all by its directory",
    )
    which = again.add_mutually_exclusive_group()
    which.add_argument("--last", type=int, default=10_000, help="referral versions")
    which.add_argument("--sample-year", action="store_true", help="212 made-up referrals instead")
    again.add_argument("--each", action="store_true", help="list every change, by id")


async def what_if(arguments: argparse.Namespace, directories: Directories, db: Database) -> int:
    """Who would be told by the rules in force, or by the file and what that changes."""
    body = _body(arguments.file)
    if arguments.as_of is not None:
        body = body.model_copy(update={"as_of": arguments.as_of})
    ground = await _ground(db, directories, body.as_of)
    new = ground.rulebook if arguments.rules is None else load_rulebook(arguments.rules)
    found = answer(body, ground.directory, new)
    sys.stdout.write(f"Rules {found.rules_version}, directory {found.directory_version}.\n")
    for title, legs in (
        ("At once", found.received),
        ("If it is accepted", found.if_accepted),
        ("If a HART consult is shared", found.if_consult_shared),
    ):
        _write(title, legs)
    for question in found.questions:
        sys.stdout.write(f"To find out: {question}\n")
    if arguments.rules is not None:
        for line in _compared(body, ground, new):
            sys.stdout.write(f"{line}\n")
    return 0


async def replay_rules(
    arguments: argparse.Namespace, directories: Directories, clerk: Clerk, db: Database
) -> int:
    """What a file would change in place of the rules in force."""
    new = load_rulebook(arguments.rules)
    ground = await _ground(db, directories, arguments.as_of)
    fixed = None if arguments.as_of is None else Fixed(ground.directory, ground.at)
    last = None if arguments.sample_year else arguments.last
    asked = Asked(ground.rulebook, new, last, fixed)
    progress, changes = _Progress(), list[Change]()
    keep = changes.append if arguments.each else lambda _: None
    found = await replay_last(db, directories, clerk, asked, progress.show, keep)
    sys.stderr.write("\n")
    by = "the directory of its day" if fixed is None else f"the directory of {arguments.as_of}"
    if found.sample:
        by = f"directory {ground.directory.version}"
        if last is not None:
            sys.stdout.write("No referral is on record that can be replayed.\n")
    sys.stdout.write(f"Rules {new.version} in place of {ground.rulebook.version}, each by {by}.\n")
    for line in (*found.lines(), *map(_line, changes)):
        sys.stdout.write(f"{line}\n")
    return 0


@dataclass(frozen=True, slots=True)
class _Ground:
    """What held on a day."""

    directory: Directory
    rulebook: Rulebook
    at: datetime


async def _ground(db: Database, directories: Directories, day: date | None) -> _Ground:
    """Of today, or of a day: by what is known now, so that a day to come can be asked about."""
    now = utc_now()
    rulebooks = Rulebooks(load_rulebook())
    async with db.transaction() as session:
        await rulebooks.refresh(session)
        if day is None:
            return _Ground(await directories.current(session), rulebooks.latest, now)
        found = await directory_as_of(session, today(now), day=day)
    assert found is not None, "the latest version is there"
    return _Ground(directories.allowed(found.directory()), rulebooks.on(day), noon(day))


def _compared(body: WhatIfIn, ground: _Ground, new: Rulebook) -> Iterator[str]:
    facts = hypothetical(body, ground.at)
    past = Past("what_if", 1, facts, ground.at)
    found = replay([past], lambda _: ground.directory, ground.rulebook, new)
    yield f"Compared with rules {ground.rulebook.version}, in force:"
    yield from found.lines()


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


def _line(change: Change) -> str:
    whose = f"{change.referral_id} v{change.version} {change.child_id}"
    return f"{change.sign} {whose} {change.stage.value}: {change.says}"


@dataclass(slots=True)
class _Progress:
    """On standard error, over and over."""

    began: float = field(default_factory=time.monotonic)

    def show(self, done: int, of: int) -> None:
        sys.stderr.write(f"\r{done} of {of}, {time.monotonic() - self.began:.1f} s ")
        sys.stderr.flush()
