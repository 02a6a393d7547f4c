"""What whoever is on duty runs.

python -m deploy.operations doctor [--json] [--all]   what is wrong, and what to do
python -m deploy.operations status [--once]           the way of a referral, live

  --settings FOLDER   with SERVICE.env for each service, and hartline.environment for all;
                      without it, the settings of this process's own environment
  --at SERVICE=URL    where that service's operations port is; may be given again

Exit code of doctor, and of status --once: 0 all is well, 1 something is to be looked at in the
next working hour, 2 something is wrong now; 3 the doctor itself failed, which says nothing of
Hartline. Both only look: nothing is changed.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.operations.asking import Seen, ask_all
from deploy.operations.doctor import examine, old
from deploy.operations.hosting import Host, Unknown
from deploy.operations.looking import ITSELF, broken
from deploy.operations.places import Place, places
from deploy.operations.saying import EXITS, in_words
from deploy.operations.status import stopped_lines, view
from deploy.operations.thresholds import Threshold, thresholds
from shared.runtime.errors import Misconfigured
from shared.runtime.findings import Finding, Level, act, look, worst
from shared.runtime.ids import utc_now

_EVERY_SECONDS = 2.0
_HOME_AND_CLEAR = "\x1b[H\x1b[J"


def main(argv: Sequence[str], host: Host | None = None) -> int:
    """`host`: who has started the services, if they run here."""
    host = host or Unknown()
    arguments = _parser().parse_args(argv)
    try:
        found = places(arguments.settings, arguments.at)
        if arguments.command == "doctor":
            in_json, everything = arguments.json, arguments.all
            return asyncio.run(_doctor(found, host, in_json=in_json, everything=everything))
        live = sys.stdout.isatty() and not arguments.once
        return asyncio.run(_live(found, host) if live else _once(found, host))
    except Misconfigured as error:
        if arguments.command == "doctor" and arguments.json:
            found_none = act("the doctor", str(error), "Mend it: nothing was looked at.")
            print(json.dumps([found_none.as_json()], indent=2))
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 0


async def _doctor(where: Sequence[Place], host: Host, *, in_json: bool, everything: bool) -> int:
    try:
        found = await examine(where, host)
    except Exception as error:
        said = broken(error)
        print(json.dumps([said.as_json()], indent=2) if in_json else f"{said.says}\n{said.do}")
        return ITSELF
    _say(found, in_json=in_json, everything=everything)
    return int(worst(found))


def _say(found: Sequence[Finding], *, in_json: bool, everything: bool) -> None:
    if in_json:
        print(json.dumps([finding.as_json() for finding in found], indent=2))
    else:
        print("\n".join(in_words(found, everything=everything)))


async def _once(where: Sequence[Place], host: Host) -> int:
    limits = thresholds()
    seen, frozen = await ask_all(where, checks=False), stopped_lines(host)
    print("\n".join(_typed(view(seen, limits, utc_now(), frozen), host)))
    found = Level.ACT if frozen else max(_level(one, limits) for one in seen)
    if found is not Level.WELL:
        print(f"\nWhat stands above the table is for somebody.{EXITS[found]}")
    return int(found)


def _typed(lines: Sequence[str], host: Host) -> list[str]:
    """With their commands as one types them where the services run."""
    return [host.typed(look("notify", line, "")).says for line in lines]


def _level(seen: Seen, limits: dict[str, Threshold]) -> Level:
    if seen.silent is not None or seen.problems or (seen.way is not None and seen.way.stopped):
        return Level.ACT
    return worst(old(seen, limits))


async def _live(where: Sequence[Place], host: Host) -> int:
    """Until Ctrl-C. One screen, written anew every two seconds."""
    limits = thresholds()
    while True:
        seen = await ask_all(where, checks=False)
        lines = _typed(view(seen, limits, utc_now(), stopped_lines(host)), host)
        sys.stdout.write(_HOME_AND_CLEAR + "\n".join([*lines, "", "Ctrl-C ends this."]) + "\n")
        sys.stdout.flush()
        await asyncio.sleep(_EVERY_SECONDS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.operations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="what is wrong, and what to do")
    doctor.add_argument("--json", action="store_true", help="every finding, for programs")
    doctor.add_argument("--all", action="store_true", help="say what is well too")
    status = commands.add_parser("status", help="the way of a referral, live")
    status.add_argument("--once", action="store_true", help="print it once")
    for command in (doctor, status):
        command.add_argument("--settings", type=Path, help="folder with SERVICE.env")
        command.add_argument("--at", action="append", default=[], metavar="SERVICE=URL")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
