"""Hartline on one machine.

./hartline up [--bus kafka]         run everything, show one referral, stay up
              [--sandbox]           … and take nothing but tests, in a home of its own
./hartline smoke [--bus kafka]      the same in a temporary home, checked, then stopped
./hartline down                     stop what `up` runs
./hartline status [--once]          what runs, where, and the way of a referral
./hartline doctor [--json] [--all]  what is wrong with it, and what to do
./hartline run SERVICE …            a service's command: run notify controls list
./hartline ask SERVICE METHOD PATH [JSON] [--as NAME]   ask its API, as a person
./hartline restart NAME             end a process that hangs; it starts again by itself
./hartline token SCOPE …            a bearer token for what runs
./hartline -m MODULE …              whatever else the pages write as `python -m …`
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from deploy.machine import running
from deploy.machine.ask_words import AskParser, add_words, understood
from deploy.machine.children import children
from deploy.machine.children import restart as end_all
from deploy.machine.home import BUSES, ISSUER, ROOT, Home
from deploy.machine.host import OneMachine
from deploy.machine.postgres_wheel import PostgresFailed
from deploy.machine.running import AlreadyRunning
from deploy.operations.__main__ import main as operations
from deploy.operations.places import SERVICES, read_env
from shared.runtime.auth import LocalIssuer
from shared.runtime.errors import Misconfigured


def main(argv: list[str]) -> int:
    """Exit code 0; 1 when something is not as it must be; 2 when it cannot run here."""
    arguments = understood(_parser(), argv)
    # Until the event loop takes the signals: leave through every `finally`.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    try:
        match arguments.command:
            case "up" | "smoke":
                return start(arguments)
            case "down":
                return down()
            case "status":
                return status(once=arguments.once)
            case "doctor":
                return doctor(in_json=arguments.json, everything=arguments.all)
            case "run":
                return run(arguments.service, arguments.words)
            case "ask":
                return ask(arguments)
            case "restart":
                return restart(arguments.name)
            case _:
                return token(arguments.scope, arguments.subject, arguments.person)
    except (AlreadyRunning, Misconfigured, PostgresFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def start(arguments: argparse.Namespace) -> int:
    """`up` or `smoke`."""
    # Here, so that whoever asks what is wrong does not wait seconds for what only starts things.
    from deploy.machine import starting

    try:
        if arguments.command == "up":
            return starting.up(arguments.bus, sandbox=arguments.sandbox)
        return starting.smoke(arguments.bus)
    except starting.KafkaUnavailable as error:
        sys.stderr.write(f"{error}\n")
        return 2


def down() -> int:
    """Ask what runs to stop, and wait until it has."""
    stopped = running.stop(running.base())
    print("Stopped." if stopped else "Nothing is running.")
    return 0


def status(*, once: bool) -> int:
    """What runs, and the way of a referral: live on a terminal, or once."""
    found = running.current(running.base())
    print(found.describe() if found else "Nothing is running: `make up` starts it.", flush=True)
    if found is None:
        return 1
    host = OneMachine(found)
    print(*host.processes(), "", sep="\n", flush=True)
    words = ["status", *found.told, *(["--once"] if once else [])]
    return operations(words, host)


def doctor(*, in_json: bool, everything: bool) -> int:
    found = running.current(running.base())
    if found is None:
        sys.stderr.write("Nothing is running: `make up` starts it.\n")
        return 2
    flags = {"--json": in_json, "--all": everything}
    words = ["doctor", *found.told, *(flag for flag, on in flags.items() if on)]
    return operations(words, OneMachine(found))


def run(service: str, words: list[str]) -> int:
    """`python -m services.SERVICE WORDS` with the settings of what runs."""
    found = running.current(running.base())
    if found is None:
        sys.stderr.write("Nothing is running: `make up` starts it.\n")
        return 2
    settings = read_env(Home(Path(found.home)).settings / f"{service}.env")
    argv = [sys.executable, "-m", f"services.{service}", *words]
    done = subprocess.run(argv, env={**os.environ, **settings}, cwd=ROOT, check=False)
    return done.returncode


def ask(arguments: argparse.Namespace) -> int:
    """Exit code 0 when it was done, 1 when it was refused or nobody answers."""
    # Here, for the same reason as in `start`.
    import httpx

    from deploy.machine import asking
    from deploy.operations.asking import silence

    found = running.current(running.base())
    if found is None:
        sys.stderr.write("Nothing is running: `make up` starts it.\n")
        return 2
    issuer = LocalIssuer(Home(Path(found.home)).issuer_key, ISSUER)
    base = f"http://127.0.0.1:{found.ports[arguments.service]}"
    asked = (arguments.method, arguments.path, arguments.json, arguments.person)
    try:
        status, said = asking.ask(issuer, base, *asked)
    except httpx.HTTPError as error:
        sys.stderr.write(f"{base} does not answer: {silence(error)}.\n")
        return 1
    print(said)
    if status >= httpx.codes.BAD_REQUEST:
        said_so = asking.refusal(status, arguments.path, arguments.person)
        sys.stderr.write(f"{said_so}\n")
        return 1
    return 0


def restart(name: str) -> int:
    """End what is called so."""
    found = running.current(running.base())
    if found is None:
        sys.stderr.write("Nothing is running: `make up` starts it.\n")
        return 2
    ended = end_all(found.pid, name)
    if not ended:
        names = ", ".join(each.label for each in children(found.pid))
        sys.stderr.write(f"There is nothing called {name}; there are: {names}.\n")
        return 2
    for each in ended:
        print(f"Ended {each.label}, process {each.pid}; it starts again by itself.")
    return 0


def token(scopes: list[str], subject: str, person: bool) -> int:
    found = running.current(running.base())
    if found is None:
        sys.stderr.write("Nothing is running: `make up` starts it.\n")
        return 1
    issuer = LocalIssuer(Home(Path(found.home)).issuer_key, ISSUER)
    print(issuer.token(subject, " ".join(scopes).split(), person=person))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./hartline",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=AskParser)
    for name in ("up", "smoke"):
        starting = commands.add_parser(name)
        starting.add_argument("--bus", choices=BUSES, default=BUSES[0])
        if name == "up":
            starting.add_argument("--sandbox", action="store_true", help="take only tests")
    commands.add_parser("down")
    showing = commands.add_parser("status")
    showing.add_argument("--once", action="store_true", help="print it once")
    examining = commands.add_parser("doctor")
    examining.add_argument("--json", action="store_true", help="every finding, for programs")
    examining.add_argument("--all", action="store_true", help="say what is well too")
    commanding = commands.add_parser("run")
    commanding.add_argument("service", choices=SERVICES)
    commanding.add_argument("words", nargs=argparse.REMAINDER)
    restarting = commands.add_parser("restart")
    restarting.add_argument(
        "name", help="as `status` has it: notify, postgresql, 'audit (seal)', …"
    )
    minting = commands.add_parser("token")
    minting.add_argument("scope", nargs="+")
    minting.add_argument("--subject", default="one-machine-operator")
    minting.add_argument("--person", action="store_true", help="a natural person holds it")
    add_words(commands.add_parser("ask"))
    return parser


def _piped(argv: list[str]) -> int:
    """As `main`; whoever reads no further, as `head` does, has seen what they wanted."""
    try:
        code = main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(_piped(sys.argv[1:]))
