"""Everything of Hartline on one machine: made ready in one place, then run under a supervisor."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx

from deploy.machine import bootstrap
from deploy.machine.bootstrap import SchemaDsns
from deploy.machine.home import ISSUER, KEYS, ROOT, Home, Ports, write_private
from deploy.machine.kafka import KafkaBroker
from deploy.machine.migrations import upgrade_all
from deploy.machine.postgres import PostgresServer
from deploy.machine.processes import Program, Supervisor
from deploy.machine.samples import write_directory
from deploy.operations.asking import silence
from deploy.operations.places import write_env
from services.notify.delivery.signing import Signer
from services.notify.directory.seeding import seed_samples
from shared.runtime.db import Database
from shared.runtime.wakes import Wakes

SERVICES = ("intake", "notify", "deadlines", "audit")
_WATCH_SECONDS = 0.25
_READY_SECONDS = 120.0
"""On a full machine deadlines and audit come last (`_NICE`), also while they start."""


class NotReady(Exception):
    """Something did not come up. The text says what, and where its log is."""


_NICE = {"notify": 10, "deadlines": 19, "audit": 19}
"""On a full machine the caller on the line comes first, then the notices, then their record."""


class Machine:
    """One machine's Hartline in one home. `prepare`, then `run`; all in the main thread."""

    def __init__(
        self,
        home: Home,
        ports: Ports,
        *,
        bus: str = "postgresql",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`bus` is `postgresql` or `kafka`; `environment` is added to every service's."""
        self.home = home
        self.ports = ports
        self.postgres = PostgresServer(home.postgres)
        self.kafka = KafkaBroker(home.kafka) if bus == "kafka" else None
        self._extra = dict(environment or {})
        self._name = secrets.token_hex(8)
        self._dsns: Mapping[str, SchemaDsns] = {}
        self.supervisor = Supervisor([], home.logs)

    def prepare(self) -> None:
        """Start the servers and make what is missing: database, keys, migrations, samples.

        Blocks for a second or two, with Kafka some more. Raises PostgresFailed, KafkaUnavailable.
        """
        self.home.make()
        if self.kafka is not None and not self.kafka.alive:
            self.kafka.launch()
        self.postgres.start()
        directory = write_directory(self.home.agencies, f"http://127.0.0.1:{self.ports.agencies}")
        senders = Signer.load(self.home.keys / "notify").public_keys
        (self.home.agencies / "senders.txt").write_text("\n".join(senders) + "\n")
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, self._bootstrap()).result()
            upgrade_all(self._dsns)
            thread.submit(asyncio.run, self._seed(str(directory))).result()
        if self.kafka is not None:
            self.kafka.wait_ready()
        self._write_settings()
        self.supervisor = Supervisor(self.programs(), self.home.logs)

    def _write_settings(self) -> None:
        for service in SERVICES:
            file = self.home.settings / f"{service}.env"
            write_private(file, write_env(self.environment(service)))

    async def _bootstrap(self) -> None:
        superuser, passwords = self.postgres.superuser_dsn(), self.home.passwords()
        await bootstrap.make_roles(superuser, passwords)
        await bootstrap.make_database(superuser)
        self._dsns = bootstrap.schema_dsns(superuser, passwords)

    async def _seed(self, directory: str) -> None:
        db = Database.open(self._dsns["notify"].app, Wakes(), name="seed-sample", pool_size=1)
        try:
            await seed_samples(db, self.home.agencies / directory)
        finally:
            await db.close()

    @property
    def dsns(self) -> Mapping[str, SchemaDsns]:
        """By schema; known once `prepare` has run."""
        return self._dsns

    def programs(self) -> list[Program]:
        """Every process but the servers."""
        services = [
            Program(
                name,
                [sys.executable, "-m", f"services.{name}"],
                self.environment(name),
                ROOT,
                nice=_NICE.get(name, 0),
            )
            for name in SERVICES
        ]
        folder, port = str(self.home.agencies), str(self.ports.agencies)
        argv = [sys.executable, "-m", "deploy.machine.agencies", folder, port]
        return [Program("agencies", argv, _plain_environment(), ROOT), *services]

    def environment(self, service: str) -> dict[str, str]:
        """All that one service may know: its own DSN and keys, nobody else's."""
        name, ports = service.upper(), self.ports
        settings = {
            "PROFILE": "development",
            "BUS": self.kafka.address if self.kafka else "postgresql",
            "ISSUER": ISSUER,
            "JWKS": str(self.home.jwks),
            "LOCAL_ISSUER_KEY": str(self.home.issuer_key),
            "HOST": "127.0.0.1",
            "RUN": self._name,
            "INTAKE_URL": f"http://127.0.0.1:{ports.intake}",
            "NOTIFY_URL": f"http://127.0.0.1:{ports.notify}",
            f"{name}_DSN": self._dsns[service].app,
            f"{name}_PORT": str(getattr(ports, service)),
            f"{name}_OPS_PORT": str(getattr(ports, f"{service}_ops")),
        }
        if self.kafka is None:
            settings["BUS_DSN"] = self._dsns["bus"].app
        if service == "notify":
            settings["NOTIFY_MARKER"] = str(self.home.path / "notify-marker")
            settings["NOTIFY_TASKS_URL"] = f"http://127.0.0.1:{ports.notify}/v1/tasks"
        if service in KEYS:
            settings[f"{name}_KEYS"] = str(self.home.keys / service)
        ours = {f"HARTLINE_{key}": value for key, value in settings.items()}
        return _plain_environment() | ours | self._extra

    async def run(self, stop: asyncio.Event) -> None:
        """Run every program until `stop`; a server that dies is started again too."""
        watching = asyncio.create_task(self._keep_servers(stop))
        try:
            await self.supervisor.run(stop)
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def _keep_servers(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if not self.postgres.alive:
                self.postgres.start()
            if self.kafka is not None and not self.kafka.alive:
                self.kafka.launch()
            await asyncio.sleep(_WATCH_SECONDS)

    async def wait_ready(self, seconds: float = _READY_SECONDS) -> None:
        """Until every process says that it can do its work. Raises NotReady."""
        deadline = time.monotonic() + seconds
        ports, says = self.ports, self._name
        waiting = [
            *(
                (f"{name}'s operations port", getattr(ports, f"{name}_ops"), says)
                for name in SERVICES
            ),
            *((name, getattr(ports, name), None) for name in SERVICES),
            ("agencies", ports.agencies, None),
        ]
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            for name, port, run in waiting:
                while problem := await _problem(client, port, run):
                    if time.monotonic() > deadline:
                        raise NotReady(f"{name}: {problem}. Its log is in {self.home.logs}.")
                    await asyncio.sleep(0.05)

    def stop_servers(self) -> None:
        """After `run` has returned."""
        if self.kafka is not None:
            self.kafka.stop()
        self.postgres.stop()


async def _problem(client: httpx.AsyncClient, port: int, run: str | None) -> str | None:
    """`run`: of which the answer must say that it is; None where none is said."""
    try:
        answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        answers_for = None if run is None else answer.json().get("run")
    except httpx.HTTPError as error:
        return f"does not answer: {silence(error)}"
    except ValueError:
        return "another program answers there"
    if answers_for != run:
        return f"another process answers on port {port}: stop this run, and start it anew"
    return None if answer.status_code == 200 else f"is not ready ({answer.text[:300]})"


def _plain_environment() -> dict[str, str]:
    """What any process needs. Nothing of ours that happens to be set in this shell."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    return inherited | {"PYTHONUNBUFFERED": "1", "TZ": "UTC"}
