"""Two places and what lies outside of both: the vault, the safe with the keys, the witness."""

import asyncio
import shutil
import signal
from contextlib import suppress
from dataclasses import replace
from os import kill
from pathlib import Path

from deploy.machine.home import ISSUER, Home, Ports, make_reachable
from deploy.machine.kafka import KafkaBroker
from deploy.machine.machine import Machine
from deploy.machine.ports import free_ports
from deploy.machine.postgres import PostgresServer
from deploy.machine.postgres_backup import Vault
from deploy.machine.processes import Supervisor
from shared.runtime.auth import LocalIssuer
from tests.drill.witness import WitnessProcess

OLD_ORIGIN, NEW_ORIGIN = "hartline/audit", "hartline/audit-2"
_SAFE = ("keys", "agencies", "passwords.json")
"""What a home holds beside the database, and a database's backup does not."""


class Site:
    """In one temporary folder: `here`, which is lost; `elsewhere`; `vault`, `safe`, `witness`;
    and `brokers`, if the bus is Kafka."""

    def __init__(self, folder: Path, archive_seconds: int, bus: str) -> None:
        make_reachable(folder)
        self.folder = folder
        self.ports = Ports.free()
        self.brokers = KafkaBroker(folder / "brokers") if bus == "kafka" else None
        self.vault = Vault(folder / "vault")
        self.witness = WitnessProcess(folder / "witness", *free_ports(1))
        (folder / "witnesses").write_text(self.witness.line)
        self.here = self._machine("here", OLD_ORIGIN)
        settings = self.vault.settings(archive_seconds)
        self.here.postgres = PostgresServer(self.here.home.postgres, settings)
        self.elsewhere = self._machine("elsewhere", NEW_ORIGIN)

    def _machine(self, name: str, origin: str) -> Machine:
        extra = {
            "HARTLINE_AUDIT_WITNESSES": str(self.folder / "witnesses"),
            "HARTLINE_AUDIT_ORIGIN": origin,
        }
        # The same addresses in both places: callers and agencies are to notice nothing of it.
        machine = Machine(Home(self.folder / name), self.ports, environment=extra)
        machine.kafka = self.brokers
        return machine

    def issuer(self) -> LocalIssuer:
        """Of tokens. It is another house than either place, with the key of both."""
        return LocalIssuer(self.folder / "safe" / "keys" / "issuer" / "issuer.jwk", ISSUER)

    def fill_safe(self) -> None:
        """Copy what is not in the database: keys, passwords, the superuser's too."""
        safe = self.folder / "safe"
        safe.mkdir(mode=0o700)
        home = self.here.home
        for name in _SAFE:
            _copy(home.path / name, safe / name)
        _copy(home.postgres / "superuser-password", safe / "superuser-password")

    def open_safe(self) -> None:
        """Lay it out elsewhere; no marker of notify's: without one, what is restored is held."""
        safe, home = self.folder / "safe", self.elsewhere.home
        make_reachable(home.path)
        make_reachable(home.postgres)
        for name in _SAFE:
            _copy(safe / name, home.path / name)
        _copy(safe / "superuser-password", home.postgres / "superuser-password")

    def close(self) -> None:
        """Stop what runs in either place, and the witness."""
        self.witness.stop()
        for each in (self.here, self.elsewhere):
            each.stop_servers()


class Running:
    """Programs of a machine under a supervisor of their own, none before the others: on a machine
    that is full anyway, the last would never start."""

    def __init__(self, machine: Machine, *names: str) -> None:
        chosen = [replace(each, nice=0) for each in machine.programs() if each.name in names]
        self._supervisor = Supervisor(chosen, machine.home.logs)
        self._machine = machine
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._supervisor.run(self._stop))

    async def stop(self) -> None:
        self._stop.set()
        await self._task

    def freeze(self, name: str) -> None:
        """It still holds what it has, and reads no more."""
        pid = self._supervisor.pid(name)
        if pid is not None:
            kill(pid, signal.SIGSTOP)

    def lose(self) -> None:
        """The machine and its disk, between two breaths: nobody finishes what they were doing."""
        self._stop.set()
        self._machine.postgres.kill()
        for name in self._supervisor.programs:
            pid = self._supervisor.pid(name)
            if pid is not None:
                with suppress(ProcessLookupError):
                    kill(pid, signal.SIGKILL)
        shutil.rmtree(self._machine.home.path, ignore_errors=True)
        shutil.rmtree(self._machine.home.path, ignore_errors=True)  # What was being written.


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
