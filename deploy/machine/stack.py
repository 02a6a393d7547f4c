"""Everything one machine's Hartline consists of, built in a home and run under the supervisor."""

import asyncio
import http.client
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from urllib.parse import urlsplit

from deploy.machine import bootstrap
from deploy.machine.home import ISSUER, ROOT, Home, Ports, write_private
from deploy.machine.kafka import KafkaBroker, make_topics
from deploy.machine.migrations import upgrade_all
from deploy.machine.postgres import PostgresServer
from deploy.machine.processes import Program, Supervisor
from deploy.machine.samples import write_directory
from services.notify.signing import Signer
from shared.runtime.auth import LocalIssuer

SERVICES = ("intake", "notify", "deadlines", "audit")


class Stack:
    """PostgreSQL, the bus, the services' programs and what they need, in one home."""

    def __init__(self, home: Home, ports: Ports, bus: str) -> None:
        self.home = home
        self.ports = ports
        self.postgres = PostgresServer(home.postgres)
        self.kafka = KafkaBroker(home.kafka) if bus == "kafka" else None

    async def prepare(self) -> None:
        """Start the servers, make roles, schemas, keys and the sample directory. Idempotent."""
        self.home.make()
        self.postgres.start()
        if self.kafka is not None:
            self.kafka.start()
            await _until_topics(self.kafka.bootstrap)
        superuser, passwords = self.postgres.superuser_dsn(), self.home.passwords()
        await bootstrap.make_roles(superuser, passwords)
        await bootstrap.make_database(superuser)
        upgrade_all(bootstrap.schema_dsns(superuser, passwords))
        directory = write_directory(self.home.agencies, self.ports.agencies)
        senders = Signer.load(self.home.keys / "notify").public_keys
        write_private(self.home.agencies / "senders.txt", "\n".join(senders) + "\n")
        await self.run("services.notify", "seed-sample", "--agencies", str(directory))

    def close(self) -> None:
        """Stop the servers; the programs are the supervisor's."""
        if self.kafka is not None:
            self.kafka.stop()
        self.postgres.stop()

    def supervisor(self, extra: Mapping[str, str] | None = None, *, agencies: bool) -> Supervisor:
        """The services, with `extra` environment, and the sample agencies if wanted."""
        environment = self.environment() | dict(extra or {})
        programs = [
            Program(name, (sys.executable, "-m", f"services.{name}"), environment, ROOT)
            for name in SERVICES
        ]
        if agencies:
            argv = ("-m", "deploy.machine.agencies", str(self.home.agencies))
            port = str(self.ports.agencies)
            programs.append(Program("agencies", (sys.executable, *argv, port), environment, ROOT))
        return Supervisor(programs, self.home.logs)

    async def run(self, module: str, *arguments: str) -> None:
        """Run one of our commands to its end; raises CalledProcessError with what it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            env=self.environment(),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        if process.returncode:
            command = " ".join((module, *arguments))
            raise subprocess.CalledProcessError(process.returncode, command, said)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{asdict(self.ports)[name]}"

    def issuer(self) -> LocalIssuer:
        return LocalIssuer(self.home.issuer_key, ISSUER)

    def environment(self) -> dict[str, str]:
        """What every program of ours is started with, and nothing else."""
        dsns = bootstrap.schema_dsns(self.postgres.superuser_dsn(), self.home.passwords())
        ports = asdict(self.ports)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HARTLINE_PROFILE": "development",
            "HARTLINE_BUS": f"kafka://{self.kafka.bootstrap}" if self.kafka else "postgresql",
            "HARTLINE_BUS_DSN": dsns["bus"].app,
            "HARTLINE_ISSUER": ISSUER,
            "HARTLINE_JWKS": str(self.home.jwks),
            "HARTLINE_LOCAL_ISSUER_KEY": str(self.home.issuer_key),
            "HARTLINE_INTAKE_URL": self.url("intake"),
            "HARTLINE_NOTIFY_URL": self.url("notify"),
        }
        for name in SERVICES:
            upper = name.upper()
            environment |= {
                f"HARTLINE_{upper}_DSN": dsns[name].app,
                f"HARTLINE_{upper}_PORT": str(ports[name]),
                f"HARTLINE_{upper}_OPS_PORT": str(ports[f"{name}_ops"]),
                f"HARTLINE_{upper}_KEYS": str(self.home.keys / name),
            }
        return environment


async def _until_topics(bootstrap_servers: str) -> None:
    while not await make_topics(bootstrap_servers):  # noqa: ASYNC110
        await asyncio.sleep(0.2)


async def wait_ready(urls: Mapping[str, str], seconds: float = 60.0) -> None:
    """Until every `/readyz` says 200. Raises TimeoutError naming those that do not."""
    waiting = dict(urls)
    deadline = asyncio.get_running_loop().time() + seconds
    while waiting:
        for name, url in list(waiting.items()):
            if await asyncio.to_thread(_is_ready, url):
                del waiting[name]
        if waiting and asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"not ready: {', '.join(waiting)}")
        await asyncio.sleep(0.05)


def _is_ready(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
