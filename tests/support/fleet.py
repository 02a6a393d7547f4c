"""Several processes of one service side by side, behind one address, each by itself stopped."""

import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from deploy.machine.home import ROOT
from deploy.machine.machine import SERVICES, Machine
from deploy.machine.ports import free_ports
from deploy.machine.processes import die_with_parent

_READY_SECONDS = 60.0
_END_SECONDS = 30.0
_CHUNK = 64 * 1024


class Front:
    """The one address of a service, as a Service of Kubernetes is: each new connection goes to the
    next process, and to another when that one refuses it. Knows nothing of requests."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self._turn = 0
        self._server: asyncio.Server | None = None

    async def listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", port, backlog=1024)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            found = await self._reach()
            if found is not None:
                await asyncio.gather(_pump(reader, found[1]), _pump(found[0], writer))
        finally:
            writer.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        self._turn += 1
        ports = list(self.ports)
        for step in range(len(ports)):
            with suppress(OSError):
                port = ports[(self._turn + step) % len(ports)]
                return await asyncio.open_connection("127.0.0.1", port)
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


@dataclass(frozen=True)
class Instance:
    """One process: a service, or some of its roles."""

    service: str
    roles: tuple[str, ...]
    """None named: all of them."""
    port: int
    ops: int
    process: asyncio.subprocess.Process

    @property
    def name(self) -> str:
        return " ".join((self.service, *self.roles))

    @property
    def answers(self) -> bool:
        """Whether it serves the API."""
        return not self.roles or "api" in self.roles

    def cpu_seconds(self) -> float:
        return sum(psutil.Process(self.process.pid).cpu_times()[:2])


@dataclass(frozen=True)
class Ended:
    """How an instance ended."""

    code: int | None
    """None: it had to be killed."""
    seconds: float


class Fleet:
    """Every process of the services of a machine, whose servers run."""

    def __init__(self, machine: Machine) -> None:
        self.instances: list[Instance] = []
        self._programs = {each.name: each for each in machine.programs()}
        self._logs: Path = machine.home.logs
        self._ports = machine.ports
        self._fronts = {name: Front() for name in SERVICES}

    async def open(self) -> None:
        for name, front in self._fronts.items():
            await front.listen(getattr(self._ports, name))

    async def close(self) -> None:
        """SIGTERM to all, and SIGKILL to what has not ended in time."""
        await asyncio.gather(*(self.end(each) for each in list(self.instances)))
        for front in self._fronts.values():
            await front.close()

    async def start(self, service: str, roles: Sequence[str] = ()) -> Instance:
        """One more process; connections reach it once it says that it is ready."""
        program, (port, ops) = self._programs[service], free_ports(2)
        name = service.upper()
        environment = dict(program.environment) | {
            f"HARTLINE_{name}_PORT": str(port),
            f"HARTLINE_{name}_OPS_PORT": str(ops),
        }
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._logs / f"{'-'.join((service, *roles))}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"services.{service}", *roles),
                env=environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
        made = Instance(service, tuple(roles), port, ops, process)
        self.instances.append(made)
        await self._ready(made)
        if made.answers:
            self._fronts[service].ports.append(port)
        return made

    async def end(self, instance: Instance) -> Ended:
        """SIGTERM. Connections go to it until it refuses them: nobody is told beforehand."""
        began = time.monotonic()
        with suppress(ProcessLookupError):
            instance.process.terminate()
        code: int | None = None
        try:
            code = await asyncio.wait_for(instance.process.wait(), _END_SECONDS)
        except TimeoutError:
            instance.process.kill()
            await instance.process.wait()
        self.instances.remove(instance)
        if instance.answers:
            with suppress(ValueError):
                self._fronts[instance.service].ports.remove(instance.port)
        return Ended(code, time.monotonic() - began)

    async def _ready(self, instance: Instance) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        asked = [instance.ops, instance.port] if instance.answers else [instance.ops]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
            for port in asked:
                while not await _says_ready(session, port):
                    if time.monotonic() > deadline or instance.process.returncode is not None:
                        raise RuntimeError(f"{instance.name} does not start: see {self._logs}.")
                    await asyncio.sleep(0.05)


async def _says_ready(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
