"""The one-machine run for the chaos and load programs: with agencies of their own."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from deploy.machine.home import ISSUER, ROOT, Home, Ports
from deploy.machine.machine import Machine
from shared.runtime.auth import LocalIssuer


@contextmanager
def prepared(
    bus: str,
    environment: Mapping[str, str] | None = None,
    *,
    keep: bool = False,
    within: Path | None = None,
    agencies: bool = False,
) -> Iterator[Machine]:
    """A machine in a temporary home with its servers started; sample agencies if asked for."""
    folder = Path(tempfile.mkdtemp(prefix="hartline-run-", dir=within))
    folder.chmod(0o711)
    machine = Machine(Home(folder), Ports.free(), bus=bus, environment=environment)
    try:
        machine.prepare()
        if not agencies:
            machine.supervisor.programs.pop("agencies")
        yield machine
    finally:
        machine.stop_servers()
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def running(machine: Machine) -> AsyncIterator[None]:
    """The services run, and are ready."""
    stop = asyncio.Event()
    task = asyncio.create_task(machine.run(stop))
    try:
        await machine.wait_ready()
        yield
    finally:
        stop.set()
        await task


def url(machine: Machine, service: str) -> str:
    return f"http://127.0.0.1:{getattr(machine.ports, service)}"


def token(machine: Machine, *scopes: str, subject: str = "test") -> str:
    return LocalIssuer(machine.home.issuer_key, ISSUER).token(subject, scopes, person=True)


async def export(machine: Machine, folder: Path) -> None:
    """Write the audit log to `folder`, which is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.audit", "export", str(folder)),
        env=machine.environment("audit"),
        cwd=ROOT,
    )
    if await process.wait():
        raise RuntimeError("the audit log could not be exported: see above")
