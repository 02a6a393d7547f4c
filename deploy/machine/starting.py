"""`up` and `smoke`: everything of one machine started, shown one referral, and stopped."""

import asyncio
import shutil
import signal
import tempfile
import time
from pathlib import Path

from deploy.machine import report, running
from deploy.machine.home import Home, Ports
from deploy.machine.kafka import KafkaUnavailable as KafkaUnavailable
from deploy.machine.machine import Machine, NotReady
from deploy.machine.way import Result, Way

SANDBOX = {"HARTLINE_INTAKE_SANDBOX": "true"}


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
