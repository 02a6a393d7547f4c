"""`python -m services.intake` as a process of its own, over the test's database."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.machine.ports import free_ports
from tests.support import warm
from tests.support.databases import FreshDatabase
from tests.support.intake import ISSUER, Keys
from tests.support.warm import WarmProcess

_READY_SECONDS = 90.0


@dataclass
class IntakeProcess:
    """One process; `start` it again after it died. Its stderr goes to one file."""

    environment: Mapping[str, str]
    port: int
    ops_port: int
    stderr: Path
    failpoints: Path
    process: WarmProcess | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ops_url(self) -> str:
        return f"http://127.0.0.1:{self.ops_port}"

    async def start(self, *roles: str) -> None:
        self.process = self._spawn(*roles)
        deadline = time.monotonic() + _READY_SECONDS
        async with httpx.AsyncClient() as client:
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    if (await client.get(f"{self.ops_url}/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
        raise AssertionError(f"intake did not start: {self.stderr.read_text()}")

    def _spawn(self, *roles: str) -> WarmProcess:
        with self.stderr.open("ab") as stderr:
            return warm.start("services.intake.__main__", roles, self.environment, stderr=stderr)

    def arm(self, failpoint: str) -> None:
        (self.failpoints / failpoint).touch()

    async def died(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, 15)

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.terminate()
        return await self.died()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def intake_process(database: FreshDatabase, made: Keys, home: Path) -> IntakeProcess:
    """Not started yet."""
    port, ops_port = free_ports(2)
    failpoints = home / "failpoints"
    failpoints.mkdir()
    inherited = {name: value for name, value in os.environ.items() if "HARTLINE" not in name}
    settings = {
        "HARTLINE_PROFILE": "development",
        "HARTLINE_BUS_DSN": database.dsns["bus"].app,
        "HARTLINE_ISSUER": ISSUER,
        "HARTLINE_JWKS": str(made.jwks),
        "HARTLINE_INTAKE_DSN": database.dsns["intake"].app,
        "HARTLINE_INTAKE_KEYS": str(made.directory),
        "HARTLINE_INTAKE_PORT": str(port),
        "HARTLINE_INTAKE_OPS_PORT": str(ops_port),
        "HARTLINE_FAILPOINT_DIR": str(failpoints),
    }
    return IntakeProcess(inherited | settings, port, ops_port, home / "stderr.log", failpoints)
