"""python -m services.deadlines propose FILE --by PERSON --reason WHY

Puts a policy file before a second person, with what it would have made of the past.
"""

import argparse
import math
import sys
from pathlib import Path

from services.deadlines.changes.proposals import Flawed
from services.deadlines.changes.proposing import Changes
from services.deadlines.policy_files import load, load_calendars
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured

PROPOSE = "propose"


async def propose(db: Database, argv: list[str]) -> int:
    """Raises Misconfigured, a line per flaw."""
    args = _parser().parse_args(argv)
    file: Path = args.file
    text = _text(file)
    changes = Changes(db, load(), load_calendars())
    found = await changes.propose(text, str(file), reason=args.reason, by=args.by, seconds=math.inf)
    if isinstance(found, Flawed):
        raise Misconfigured("\n".join(map(str, found.flaws)))
    made = found.proposal
    lines = [
        f"{made.policy.policy} {made.policy.version}: {made.policy.length}, from "
        f"{made.effective_from}",
        *made.difference.lines,
        f"Proposed as {made.proposal_id}. Another person approves it: "
        f"POST /v1/policies/proposals/{made.proposal_id}/approve",
    ]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"{file} cannot be read as text: look at its name.") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.deadlines propose")
    parser.add_argument("file", type=Path, help="a policy file with `effective_from`")
    parser.add_argument("--by", required=True, help="who proposes it: a token's subject")
    parser.add_argument("--reason", required=True, help="why; nothing about a child")
    return parser
