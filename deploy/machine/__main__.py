"""Hartline on one machine.

python -m deploy.machine up [--bus kafka]      run everything, show one referral, stay up
                            [--sandbox]        … and take nothing but tests, in a home of its own
python -m deploy.machine smoke [--bus kafka]   the same in a temporary home, checked, then stopped
python -m deploy.machine down                  stop what `up` runs
python -m deploy.machine status [--once]       what runs, where, and the way of a referral
python -m deploy.machine doctor [--json] [--all]  what is wrong with it, and what to do
python -m deploy.machine run SERVICE …          a service's command: run notify controls list
python -m deploy.machine token SCOPE …         a bearer token for what runs
"""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.machine import report, running
from deploy.machine.home import ISSUER, ROOT, Home, Ports
from deploy.machine.kafka import KafkaUnavailable
from deploy.machine.machine import BUSES, SERVICES, Machine, NotReady
from deploy.machine.postgres import PostgresFailed
from deploy.machine.running import AlreadyRunning
from deploy.machine.way import Result, Way
from deploy.operations.__main__ import main as operations
from deploy.operations.places import read_env
from shared.runtime.auth import LocalIssuer
from shared.runtime.errors import Misconfigured

SANDBOX = {"HARTLINE_INTAKE_SANDBOX": "true"}


def main(argv: list[str]) -> int:
    """Exit code 0; 1 when something is not as it must be; 2 when it cannot run here."""
    arguments = _parser().parse_args(argv)
    # Until the event loop takes the signals: leave through every `finally`.
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    try:
        match arguments.command:
            case "up":
                return up(arguments.bus, sandbox=arguments.sandbox)
            case "smoke":
                return smoke(arguments.bus)
            case "down":
                return down()
            case "status":
                return status(once=arguments.once)
            case "doctor":
                return doctor(in_json=arguments.json, everything=arguments.all)
            case "run":
                return run(arguments.service, arguments.words)
            case _:
                return token(arguments.scope, arguments.subject, arguments.person)
    except (AlreadyRunning, KafkaUnavailable, Misconfigured, PostgresFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 2


def up(bus: str, *, sandbox: bool = False) -> int:
    """Until Ctrl-C or `down`."""
    base = running.base()
    with running.lock(base):
        ports = Ports().where_taken_another()
        machine = Machine(Home(base / bus), ports, bus=bus)
        if sandbox:
            machine = Machine(Home(base / f"sandbox-{bus}"), ports, bus=bus, environment=SANDBOX)
            print("Sandbox: only referrals marked as tests are taken.", flush=True)
        running.remember(base, machine)
        try:
            return asyncio.run(_up(machine, _prepare(machine, bus)))
        finally:
            running.forget(base)
            machine.stop_servers()
            print("Stopped.")


async def _up(machine: Machine, began: float) -> int:
    stop = _stop_on_signals()
    task = asyncio.create_task(machine.run(stop))
    try:
        if await _or_stopped(machine.wait_ready(), stop):
            print(f"Ready after {time.monotonic() - began:.1f} s.\n", flush=True)
            way = Way(machine)
            if await _or_stopped(way.go(), stop):
                print(report.of_result(way.result), "\n", flush=True)
                print(report.where_to_look(machine, way.result.referral_id), flush=True)
    except NotReady as problem:
        print(f"{problem}\nIt is tried again and again; `make down` stops it.", flush=True)
    await task
    return 0


def smoke(bus: str) -> int:
    """Exit code 0 only if every required recipient verified its notice and every disclosure is
    in the log with a proof that verifies."""
    home = Home(Path(tempfile.mkdtemp(prefix="hartline-smoke-")))
    machine = Machine(home, Ports.free(), bus=bus)
    try:
        result = asyncio.run(_smoke(machine, _prepare(machine, bus)))
    finally:
        machine.stop_servers()
        shutil.rmtree(home.path, ignore_errors=True)
    print(f"smoke ({bus}): {'passed' if result is not None and not result.problems else 'FAILED'}")
    return 0 if result is not None and not result.problems else 1


async def _smoke(machine: Machine, began: float) -> Result | None:
    stop = _stop_on_signals()
    task = asyncio.create_task(machine.run(stop))
    way = Way(machine)
    try:
        if not await _or_stopped(machine.wait_ready(), stop):
            return None
        print(f"Ready after {time.monotonic() - began:.1f} s.\n", flush=True)
        if not await _or_stopped(way.go(), stop):
            return None
        print(report.of_result(way.result), flush=True)
    except NotReady as problem:
        way.result.problems.append(str(problem))
        print(problem, flush=True)
    finally:
        if way.result.problems:
            _print_logs(machine)
        stop.set()
        await task
    return way.result


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
    print()
    return operations(["status", *found.told, *(["--once"] if once else [])])


def doctor(*, in_json: bool, everything: bool) -> int:
    found = running.current(running.base())
    if found is None:
        sys.stderr.write("Nothing is running: `make up` starts it.\n")
        return 2
    flags = {"--json": in_json, "--all": everything}
    return operations(["doctor", *found.told, *(flag for flag, on in flags.items() if on)])


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


def token(scopes: list[str], subject: str, person: bool) -> int:
    found = running.current(running.base())
    if found is None:
        sys.stderr.write("Nothing is running: `make up` starts it.\n")
        return 1
    issuer = LocalIssuer(Home(Path(found.home)).issuer_key, ISSUER)
    print(issuer.token(subject, " ".join(scopes).split(), person=person))
    return 0


def _prepare(machine: Machine, bus: str) -> float:
    """Returns when it began, on the monotonic clock."""
    began = time.monotonic()
    servers = "PostgreSQL" if bus == "postgresql" else "PostgreSQL and Apache Kafka"
    print(f"Hartline on one machine: {servers}, four services and sample agencies.", flush=True)
    machine.prepare()
    return began


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    return stop


async def _or_stopped(work: object, stop: asyncio.Event) -> bool:
    """Do the work, unless asked to stop first. Whether it was done."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return False
        task.result()
        return True
    finally:
        stopping.cancel()
        task.cancel()


def _print_logs(machine: Machine) -> None:
    for path in sorted(machine.home.logs.glob("*.log")):
        lines = path.read_text(errors="replace").splitlines()
        print(f"--- the end of {path.name}", *lines[-15:], sep="\n", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.machine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
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
    asking = commands.add_parser("token")
    asking.add_argument("scope", nargs="+")
    asking.add_argument("--subject", default="one-machine-operator")
    asking.add_argument("--person", action="store_true", help="a natural person holds it")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
