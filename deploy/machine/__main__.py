"""Hartline on one machine.

python -m deploy.machine up [--bus kafka]      start everything, send one referral, stay up
python -m deploy.machine smoke [--bus kafka]   the same in a temporary home; then stop
python -m deploy.machine down | status         stop it; what runs, and where
python -m deploy.machine token SCOPE …         a bearer token for trying the APIs
"""

import argparse
import asyncio
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from deploy.machine.home import Home, Ports
from deploy.machine.kafka import KafkaUnavailable
from deploy.machine.postgres import PostgresFailed
from deploy.machine.stack import Stack, wait_ready
from deploy.machine.way import show, walk


def main(argv: list[str]) -> int:
    args = _parser().parse_args(argv)
    try:
        if args.command == "up":
            return _up(args.bus)
        if args.command == "smoke":
            return _smoke(args.bus)
        return (
            {"down": _down, "status": _status}[args.command]()
            if args.command != "token"
            else (_token(args.scopes))
        )
    except (KafkaUnavailable, PostgresFailed, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd} failed:\n{(error.output or b'').decode()}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.machine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "smoke"):
        command = commands.add_parser(name)
        command.add_argument("--bus", choices=("postgresql", "kafka"), default="postgresql")
    commands.add_parser("down")
    commands.add_parser("status")
    commands.add_parser("token").add_argument("scopes", nargs="+", metavar="SCOPE")
    return parser


def _up(bus: str) -> int:
    home = Home.default()
    home.path.mkdir(mode=0o711, parents=True, exist_ok=True)
    with home.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("It is up already: `make status` says where, `make down` stops it.")
            return 1
        return asyncio.run(_run(Stack(home, Ports().where_taken_another(), bus), stay=True))


def _smoke(bus: str) -> int:
    folder = Path(tempfile.mkdtemp(prefix="hartline-smoke-"))
    folder.chmod(0o711)
    try:
        return asyncio.run(_run(Stack(Home(folder), Ports.free(), bus), stay=False))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(stack: Stack, *, stay: bool) -> int:
    """Start, walk one referral, and stay until told to stop. 0 only if nothing was missing."""
    started = time.monotonic()
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    try:
        await stack.prepare()
        print(f"Servers, schemas and keys are there ({time.monotonic() - started:.1f} s).")
        supervisor = stack.supervisor(agencies=True)
        running = asyncio.create_task(supervisor.run(stop))
        try:
            await wait_ready({name: stack.url(name) for name in supervisor.programs})
            print(f"Ready after {time.monotonic() - started:.1f} s.\n")
            walked = await walk(stack)
            print(show(walked))
            if stay and not stop.is_set():
                await _stay(stack, stop)
            return 1 if walked.problems else 0
        finally:
            stop.set()
            await running
    finally:
        stack.home.running.unlink(missing_ok=True)
        stack.close()


async def _stay(stack: Stack, stop: asyncio.Event) -> None:
    where = {"pid": os.getpid(), "ports": asdict(stack.ports), "logs": str(stack.home.logs)}
    stack.home.running.write_text(json.dumps(where))
    print(f"\n{_where(where)}", flush=True)
    await stop.wait()
    print("Stopping …", flush=True)


def _where(where: dict[str, object]) -> str:
    ports = where["ports"]
    assert isinstance(ports, dict)
    lines = ["It stays up. Where to look:", ""]
    for name in ("intake", "notify", "deadlines", "audit"):
        api, ops = ports[name], ports[f"{name}_ops"]
        lines.append(
            f"  {name:<10} http://127.0.0.1:{api}   metrics http://127.0.0.1:{ops}/metrics"
        )
    lines += [
        f"  what the sample agencies got: http://127.0.0.1:{ports['agencies']}/received",
        f"  logs: {where['logs']}",
        "",
        '  a token:  make token SCOPE="referrals:create notices:read"',
        "  to stop:  make down (or Ctrl-C here)",
    ]
    return "\n".join(lines)


def _running() -> dict[str, object] | None:
    try:
        where: dict[str, object] = json.loads(Home.default().running.read_text())
        os.kill(int(str(where["pid"])), 0)
    except (FileNotFoundError, ProcessLookupError, json.JSONDecodeError):
        return None
    return where


def _status() -> int:
    where = _running()
    print(_where(where) if where else "Nothing runs: `make up` starts it.")
    return 0 if where else 1


def _down() -> int:
    where = _running()
    if where is None:
        print("Nothing runs.")
        return 0
    pid = int(str(where["pid"]))
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 40
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    print("Stopped.")
    return 0


def _token(scopes: list[str]) -> int:
    home = Home.default()
    if not home.issuer_key.exists():
        print("There is no issuer yet: run `make up` first.", file=sys.stderr)
        return 1
    print(Stack(home, Ports(), "postgresql").issuer().token("somebody", scopes, person=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
