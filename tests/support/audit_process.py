"""`python -m services.audit` as a process of its own, over the test's database and its bus."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.machine.ports import free_ports
from shared.contracts.base import Event, EventData, Source
from shared.messaging.bus import Outgoing
from shared.messaging.postgres.bus import PostgresBus
from shared.runtime.ids import new_event_id, utc_now
from tests.support import warm
from tests.support.databases import FreshDatabase
from tests.support.warm import WarmProcess

ROOT = Path(__file__).parents[2]
ISSUER = "https://issuer.test"
_READY_SECONDS = 90.0


@dataclass
class AuditProcess:
    """One process; `start` it again after it died. Its stderr goes to one file."""

    environment: dict[str, str]
    port: int
    ops_port: int
    stderr: Path
    failpoints: Path
    process: WarmProcess | None = None

    def spawn(self, *roles: str) -> WarmProcess:
        with self.stderr.open("ab") as stderr:
            return warm.start("services.audit.__main__", roles, self.environment, stderr=stderr)

    async def start(self, *roles: str) -> None:
        self.process = self.spawn(*roles)
        deadline = time.monotonic() + _READY_SECONDS
        async with httpx.AsyncClient() as client:
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    if (await client.get(f"{self.ops_url}/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
        raise AssertionError(f"audit did not start: {self.stderr.read_text()}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ops_url(self) -> str:
        return f"http://127.0.0.1:{self.ops_port}"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the service, to its end."""
        return warm.run("services.audit", arguments, self.environment)

    def verify(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The offline verifier, as whoever was handed an export starts it."""
        return subprocess.run(
            [sys.executable, "-m", "services.audit.verify", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

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


def audit_process(
    database: FreshDatabase, keys: Path, jwks: Path, home: Path, more: Mapping[str, str]
) -> AuditProcess:
    """Not started yet."""
    port, ops_port = free_ports(2)
    failpoints = home / "failpoints"
    failpoints.mkdir()
    inherited = {name: value for name, value in os.environ.items() if "HARTLINE" not in name}
    settings = {
        "HARTLINE_PROFILE": "development",
        "HARTLINE_BUS_DSN": database.dsns["bus"].app,
        "HARTLINE_ISSUER": ISSUER,
        "HARTLINE_JWKS": str(jwks),
        "HARTLINE_LOCAL_ISSUER_KEY": str(jwks.with_name("issuer.jwk")),
        "HARTLINE_INTAKE_URL": "http://127.0.0.1:9",
        "HARTLINE_NOTIFY_URL": "http://127.0.0.1:9",
        "HARTLINE_AUDIT_DSN": database.dsns["audit"].app,
        "HARTLINE_AUDIT_KEYS": str(keys),
        "HARTLINE_AUDIT_PORT": str(port),
        "HARTLINE_AUDIT_OPS_PORT": str(ops_port),
        "HARTLINE_FAILPOINT_DIR": str(failpoints),
    }
    environment = inherited | settings | dict(more)
    return AuditProcess(environment, port, ops_port, home / "stderr.log", failpoints)


async def publish(database: FreshDatabase, source: Source, events: Sequence[EventData]) -> None:
    """Put events on the PostgreSQL bus, each the first of its subject."""
    bus = PostgresBus(database.dsns["bus"].app, "audit tests")
    try:
        publisher = await bus.publisher()
        batch = [_outgoing(source, data) for data in events]
        assert all(await publisher.publish(batch))
        await publisher.close()
    finally:
        await bus.close()


def _outgoing(source: Source, data: EventData) -> Outgoing:
    event = Event(
        id=new_event_id(),
        source=source,
        type=data.type,
        subject=data.subject,
        time=utc_now(),
        sequence=1,
        data=data.model_dump(mode="json"),
    )
    return Outgoing(data.topic, data.subject, event.model_dump_json().encode())
