"""WebhookX as a peer on this machine: its program, Redis, and PostgreSQL with our settings.

Its own defaults, but for what it would not be fast with: it logs warnings only, no access log, no
anonymous reports, and Redis writes its log each second and no snapshots. It may call loopback. A
source answers once the event is committed to PostgreSQL, as ours does (its faster kind answers from
Redis, which can lose a second), and each delivery is signed.
"""

import asyncio
import json
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from sqlalchemy import make_url

from deploy.machine.home import make_reachable, write_private
from deploy.machine.ports import claim_ports
from deploy.machine.postgres import PostgresServer
from deploy.machine.processes import die_with_parent
from tests.load.costs import cpu_of, families
from tests.load.peer_calls import EVENT
from tests.load.receiver import path_of
from tests.load.sides import FAN_OUT

NAME = "webhookx"
_READY_SECONDS = 30.0
_END_SECONDS = 10.0


class PeerFailed(Exception):
    """The peer did not come up. The text says why."""


@dataclass(frozen=True)
class Programs:
    """What it takes, by path."""

    webhookx: Path
    redis: Path


@dataclass(frozen=True)
class Ports:
    receivers: int
    proxy: int
    admin: int
    redis: int


@dataclass
class Peer:
    """It runs, with its servers, in one folder."""

    programs: Programs
    folder: Path
    ports: Ports = field(default_factory=lambda: Ports(*claim_ports(4)))
    secret: str = field(default_factory=secrets.token_hex)
    """With which it signs."""
    pids: dict[str, int] = field(default_factory=dict)
    _password: str = field(default_factory=secrets.token_hex)

    def cpu_seconds(self) -> dict[str, float]:
        return cpu_of(families(self.pids))

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def start(self, stack: ExitStack) -> None:
        """What it starts ends with the stack. Raises PeerFailed, PostgresFailed."""
        postgres = PostgresServer(self.folder / "postgres")
        postgres.start()
        stack.callback(postgres.stop)
        asyncio.run(self._make_database(postgres.superuser_dsn()))
        settings = self.folder / "webhookx.yml"  # JSON is YAML.
        write_private(settings, json.dumps(self._settings(postgres)))
        redis = stack.enter_context(self._running("redis", self._redis()))
        self._migrate(settings)
        argv = [str(self.programs.webhookx), "start", "--config", str(settings)]
        webhookx = stack.enter_context(self._running(NAME, argv))
        self.pids = {NAME: webhookx.pid, "redis": redis.pid, "postgresql": postgres.pid}
        self._configure(webhookx)

    async def _make_database(self, superuser: str) -> None:
        connection = await asyncpg.connect(superuser)
        try:
            await connection.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD '{self._password}'")
            await connection.execute(f"CREATE DATABASE {NAME} OWNER {NAME}")
        finally:
            await connection.close()

    def _settings(self, postgres: PostgresServer) -> dict[str, Any]:
        socket = make_url(postgres.superuser_dsn()).query["host"]
        redis = {"host": "127.0.0.1", "port": self.ports.redis}
        return {
            "log": {"level": "warn"},
            "access_log": {"enabled": False},
            "anonymous_reports": False,
            "database": {
                "username": NAME,
                "password": self._password,
                "database": NAME,
                "parameters": f"host={socket}&sslmode=disable&application_name={NAME}",
            },
            "redis": redis,
            "proxy": {
                "listen": f"127.0.0.1:{self.ports.proxy}",
                "queue": {"type": "redis", "redis": redis},
            },
            "admin": {"listen": f"127.0.0.1:{self.ports.admin}"},
            "status": {"listen": "off"},
            "worker": {"deliverer": {"acl": {"deny": []}}},
        }

    def _redis(self) -> list[str]:
        return [
            *(str(self.programs.redis), "--bind", "127.0.0.1", "--port", str(self.ports.redis)),
            *("--dir", str(self.folder), "--daemonize", "no", "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "everysec"),
        ]

    def _migrate(self, settings: Path) -> None:
        argv = [str(self.programs.webhookx), "db", "up", "--config", str(settings)]
        made = subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise PeerFailed(f"webhookx db up failed: {made.stderr.strip()}")

    def _configure(self, webhookx: subprocess.Popen[bytes]) -> None:
        """One source and five endpoints of its one event type, once it answers."""
        admin = f"http://127.0.0.1:{self.ports.admin}"
        deadline = time.monotonic() + _READY_SECONDS
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            while True:
                with suppress(httpx.TransportError):
                    client.get(admin).raise_for_status()
                    break
                if webhookx.poll() is not None or time.monotonic() > deadline:
                    raise PeerFailed(f"webhookx does not start: {self._log(NAME).read_text()}")
                time.sleep(0.05)
            # As JSON it is refused: the program reads the body twice. As YAML it is taken.
            content = json.dumps(entities(self.ports.receivers, self.secret))
            answer = client.post(f"{admin}/workspaces/default/config/sync", content=content)
        if answer.status_code != 200:
            raise PeerFailed(f"webhookx refuses its endpoints: {answer.text}")

    @contextmanager
    def _running(self, name: str, argv: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env={"PATH": "/usr/bin:/bin", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGTERM),
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def entities(port: int, secret: str) -> Mapping[str, Any]:
    signing = {"name": "webhookx-signature", "config": {"signing_secret": secret}}
    endpoints = [
        {
            "name": f"endpoint-{number}",
            "request": {
                "url": f"http://127.0.0.1:{port}{path_of(str(number)).decode()}",
                "method": "POST",
                "timeout": 10_000,
            },
            "retry": {"strategy": "fixed", "config": {"attempts": [0, 5, 5]}},
            "events": [EVENT],
            "plugins": [signing],
        }
        for number in range(FAN_OUT)
    ]
    answer = {"code": 201, "content_type": "application/json", "body": "{}"}
    source = {
        "name": "source",
        "type": "http",
        "config": {"http": {"path": "/", "methods": ["POST"], "response": answer}},
    }
    return {"sources": [source], "endpoints": endpoints}


@contextmanager
def running(programs: Programs) -> Iterator[Peer]:
    """In a temporary folder. Call it in the main thread, outside of an event loop."""
    folder = Path(tempfile.mkdtemp(prefix="hartline-peer-"))
    make_reachable(folder)
    try:
        with ExitStack() as stack:
            peer = Peer(programs, folder)
            peer.start(stack)
            yield peer
    finally:
        shutil.rmtree(folder, ignore_errors=True)
