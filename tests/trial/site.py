"""The run that is broken on purpose: one machine in a temporary home, a phone, and a pager.

`make doctor`, `make status` and `./hartline run …` find it as they find `make up`.
Settings are read from the home's files at each start, as systemd reads them: what an operator
changes there, holds at the next start.
"""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from aiohttp import web

from deploy.machine.home import ROOT, Home, Ports
from deploy.machine.machine import Machine
from deploy.machine.ports import free_ports
from deploy.machine.processes import Program, Supervisor
from deploy.machine.way import sample_referral
from deploy.operations.places import read_env
from tests.support.machines import token, url

WITNESS = (sys.executable, "-m", "services.audit.witness")
_APART = ("api", "consume", "work", "reconcile")


class FromFile(Mapping[str, str]):
    """An environment whose settings are read anew whenever a process starts."""

    def __init__(self, plain: Mapping[str, str], file: Path, **instead: str) -> None:
        self._plain, self._file, self._instead = plain, file, instead

    def _now(self) -> dict[str, str]:
        plain = {k: v for k, v in self._plain.items() if not k.startswith("HARTLINE_")}
        return {**plain, **read_env(self._file), **self._instead}

    def __getitem__(self, name: str) -> str:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


def on_the_pager(page: Mapping[str, Any]) -> list[str]:
    """What is shown of one page: a line for each task, with its link."""
    alerts = page.get("alerts", [])
    told = [f"  {each['annotations']['summary']} {each['generatorURL']}" for each in alerts]
    return [f"PAGER  {time.strftime('%H:%M:%S')}, one page about {len(told)} task(s):", *told]


class Site:
    """Make it, `prepare`, then use `machine`. `refer` keeps trying, as the phone's spool does."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o711)
        self.home = Home(folder)
        pager, self._witness_port = free_ports(2)
        self.pager_port = pager
        self._witness = folder / "witness"
        extra = {
            "HARTLINE_AUDIT_WITNESSES": str(folder / "witnesses"),
            "HARTLINE_NOTIFY_PAGER_FALLBACK": f"http://127.0.0.1:{pager}/page",
            "HARTLINE_NOTIFY_PAGER_NETWORKS": "127.0.0.0/8",
        }
        self.machine = Machine(self.home, Ports().where_taken_another(), environment=extra)
        self.tasks: set[asyncio.Task[None]] = set()
        self._calls = folder / "referrals.jsonl"

    def prepare(self) -> None:
        """Start PostgreSQL; the sealer and the witness are processes of their own."""
        made = self._command(*WITNESS, "make", str(self._witness), "witness.example/trial")
        (self.home.path / "witnesses").write_text(f"http://127.0.0.1:{self._witness_port} {made}\n")
        self.machine.prepare()
        key = self._command(
            *(sys.executable, "-m", "services.audit", "key"), env=self.machine.environment("audit")
        )
        (self._witness / "logs.vkey").write_text(f"{key}\n")
        programs = [each for program in self.machine.programs() for each in self._from(program)]
        argv = [*WITNESS, "run", str(self._witness), "--port", str(self._witness_port)]
        programs.append(Program("witness", argv, programs[0].environment, ROOT))
        self.machine.supervisor = Supervisor(programs, self.home.logs)

    def _from(self, program: Program) -> list[Program]:
        file = self.home.settings / f"{program.name}.env"
        if not file.exists():
            return [program]
        own = replace(program, environment=FromFile(program.environment, file), nice=0)
        if program.name != "audit":
            return [own]
        port = str(free_ports(1)[0])
        apart = FromFile(program.environment, file, HARTLINE_AUDIT_OPS_PORT=port)
        sealing = replace(own, name="audit-seal", argv=[*own.argv, "seal"], environment=apart)
        return [replace(own, argv=[*own.argv, *_APART]), sealing]

    def send(self, name: str, signum: signal.Signals) -> None:
        pid = self.machine.supervisor.pid(name)
        if pid is not None:
            os.kill(pid, signum)

    def refer(self, *, hours_ago: float = 0.0) -> None:
        """Begin a referral; it is tried until intake has it, and then known to the reckoning."""
        task = asyncio.create_task(self._refer(datetime.now(UTC) - timedelta(hours=hours_ago)))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _refer(self, at: datetime) -> None:
        # Of invented people, but not marked so: a breach of what is marked pages nobody.
        body, key = sample_referral(at) | {"synthetic": False}, secrets.token_hex(16)
        while True:
            headers = {"Idempotency-Key": key}
            with suppress(httpx.HTTPError):
                said = await self.ask("intake", "POST", "/v1/referrals", body, headers=headers)
                with self._calls.open("a") as file:
                    file.write(json.dumps(said) + "\n")
                return
            await asyncio.sleep(1.0)

    def referrals(self) -> list[str]:
        """The ids of those that intake has accepted."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [json.loads(line)["referral_id"] for line in lines]

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str = "colleague",
        scope: str = "referrals:create",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """What the API answers. Raises httpx.HTTPError, for a refusal too."""
        bearer = {"Authorization": f"Bearer {token(self.machine, *scope.split(), subject=who)}"}
        async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
            where = f"{url(self.machine, service)}{path}"
            answer = await client.request(
                method, where, json=body, headers={**bearer, **(headers or {})}
            )
        return answer.raise_for_status().json()

    async def sql(self, statement: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(self.machine.postgres.superuser_dsn("hartline"))
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def listen(self) -> web.AppRunner:
        """The pager in the operator's pocket: what it was sent is printed here."""

        async def page(request: web.Request) -> web.Response:
            print("\n".join(on_the_pager(await request.json())), flush=True)
            return web.Response()

        app = web.Application()
        app.router.add_post("/page", page)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.pager_port).start()
        return runner

    @staticmethod
    def _command(*argv: str, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            argv, env=env, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout.strip()
