"""Real faults in the one-machine run page somebody, and the page ends when they are mended (P9).

One run, because an alert waits a minute or two before it fires: the faults are made together and
mended together. That every other alert fires and ends is tried by promtool's own tests.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from deploy.machine.home import ROOT, Home, Ports, write_private
from deploy.machine.machine import SERVICES, Machine
from deploy.machine.ports import free_ports
from deploy.machine.processes import Supervisor
from deploy.machine.way import Way, sample_referral
from tests.architecture.test_runbook import BOOK
from tests.support.alerting import Receiver, watching
from tests.support.machines import running, token, url
from tests.support.prometheus import PROMETHEUS, program, promtool

pytestmark = [pytest.mark.alerts, pytest.mark.slow, pytest.mark.timeout(420)]

APART = {"intake": "relay", "audit": "seal"}
"""The role of each that runs as a process of its own, so that it can be stopped alone."""
SOON, PATIENCE = 60.0, 150.0
"""Seconds: for an alert that fires at once, and for one that waits a minute and a half."""
_SAID_AGAIN = 2 * 60.0
"""What Prometheus could not hand over it says again after a minute."""


@dataclass
class Run:
    machine: Machine
    receiver: Receiver

    def stop(self, name: str) -> None:
        """It hangs: it answers nothing, lets go of nothing, and is not started again."""
        self._signal(name, signal.SIGSTOP)

    def kill(self, name: str) -> None:
        """Its supervisor starts it again."""
        self._signal(name, signal.SIGKILL)

    def _signal(self, name: str, signum: signal.Signals) -> None:
        pid = self.machine.supervisor.pid(name)
        assert pid is not None
        os.kill(pid, signum)

    async def refer(self) -> str:
        """A referral that intake has accepted."""
        headers = {
            "Authorization": f"Bearer {token(self.machine, 'referrals:create')}",
            "Idempotency-Key": secrets.token_hex(16),
        }
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as client:
            answer = await client.post(
                f"{url(self.machine, 'intake')}/v1/referrals",
                json=sample_referral(datetime.now(UTC)),
                headers=headers,
            )
        return str(answer.raise_for_status().json()["referral_id"])

    async def sql(self, statement: str, *values: object) -> list[Any]:
        connection = await asyncpg.connect(self.machine.postgres.superuser_dsn("hartline"))
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def until(self, statement: str, *values: object) -> Any:
        """The first row, once there is one."""
        deadline = time.monotonic() + SOON
        while not (rows := await self.sql(statement, *values)):
            assert time.monotonic() < deadline, statement
            await asyncio.sleep(0.2)
        return rows[0]

    async def command(self, line: str) -> tuple[int, str]:
        """`python -m services.X …` as its operator runs it, and what it said."""
        words = re.findall(r'"[^"]*"|\S+', line)
        service = words[2].split(".")[1]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(word.strip('"') for word in words[1:]),
            env=self.machine.environment(service),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), SOON)
        return process.returncode or 0, said.decode()


@asynccontextmanager
async def machine_watched(folder: Path, *, apart: bool = True) -> AsyncIterator[Run]:
    """`apart`: the roles of APART run as processes of their own, which nobody scrapes."""
    machine = Machine(Home(folder / "home"), Ports.free())
    try:
        machine.prepare()
        if apart:
            machine.supervisor = Supervisor(_apart(machine), machine.home.logs)
        async with running(machine), watching(machine.ports, folder) as receiver:
            yield Run(machine, receiver)
    finally:
        machine.stop_servers()


def _apart(machine: Machine) -> list[Any]:
    roles = {"intake": ("api", "sweep"), "audit": ("api", "consume", "work", "reconcile")}
    programs = []
    for each in machine.programs():
        if each.name in APART:
            role, [port] = APART[each.name], free_ports(1)
            own = {**each.environment, f"HARTLINE_{each.name.upper()}_OPS_PORT": str(port)}
            argv = [*each.argv, role]
            programs.append(replace(each, name=f"{each.name}-{role}", argv=argv, environment=own))
            each = replace(each, argv=[*each.argv, *roles[each.name]])
        programs.append(each)
    return programs


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own, which root's PostgreSQL, run by somebody else, cannot reach."""
    made = Path(tempfile.mkdtemp(prefix="hartline-alerts-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


async def test_faults_page_somebody_and_the_pages_end_when_they_are_mended(folder: Path) -> None:
    """P9"""
    program(PROMETHEUS)
    async with machine_watched(folder) as run:
        await nobody_is_paged_while_all_is_well(run)
        await what_is_scraped_is_as_prometheus_asks(run.machine)
        await the_runbook_asks_only_what_is_answered(run.machine)
        receiver = run.receiver

        run.stop("audit-seal")
        refusing = await an_agency_refuses(run)
        await receiver.until("firing", "DeliveryWaits", "notify", within=SOON)
        await an_event_is_forged(run, refusing)
        run.stop("deadlines")
        run.stop("intake-relay")
        await run.refer()
        for name, service in (("SubjectParked", "notify"), ("RecordQuarantined", "notify")):
            await receiver.until("firing", name, service, within=SOON)

        for line in commands():
            await follow(run, line, refusing)
        restore_the_agency(run)
        late = (("OutboxWaits", "intake"), ("AuditLag", "audit"), ("ProcessDown", "deadlines"))
        for name, service in late:
            await receiver.until("firing", name, service, within=PATIENCE)

        for name in ("intake-relay", "audit-seal", "deadlines"):
            run.kill(name)
        await pass_the_forged_event(run, refusing)
        for name, service in (*late, ("SubjectParked", "notify"), ("RecordQuarantined", "notify")):
            await receiver.until("resolved", name, service, within=PATIENCE)
        for service in ("notify", "deadlines"):
            if receiver.status("SubjectParked", service) is not None:
                await receiver.until("resolved", "SubjectParked", service, within=PATIENCE)
        await receiver.until("resolved", "DeliveryWaits", "notify", within=PATIENCE)
        assert receiver.status("Watchdog") == "firing"
        assert_pages_can_be_followed_and_tell_nothing(receiver)


async def nobody_is_paged_while_all_is_well(run: Run) -> None:
    result = await Way(run.machine, patience=SOON).go()
    assert result.problems == []
    await run.receiver.until("firing", "Watchdog", within=_SAID_AGAIN)
    assert run.receiver.firing() == set()


async def what_is_scraped_is_as_prometheus_asks(machine: Machine) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=10.0) as client:
        for service in SERVICES:
            shown = (await client.get(f"{url(machine, f'{service}_ops')}/metrics")).text
            checked = promtool("check", "metrics", given=shown)
            assert (checked.returncode, checked.stderr) == (0, ""), f"{service}: {checked.stderr}"


async def the_runbook_asks_only_what_is_answered(machine: Machine) -> None:
    answered = set()
    async with httpx.AsyncClient(trust_env=False, timeout=30.0) as client:
        for service in SERVICES:
            document = (await client.get(f"{url(machine, service)}/openapi.json")).json()
            answered |= {
                (method.upper(), shape(path))
                for path, methods in document["paths"].items()
                for method in methods
            }
    said = re.findall(r"\b(GET|POST)\s+(/v1/[^\s`?,;:)]+)", BOOK)
    assert said
    assert {(method, shape(path)) for method, path in said} - answered == set()


def shape(path: str) -> str:
    """A path without the names of its parameters: `{id}`, `ref_…` and `{referral_id}` are one."""
    return re.sub(r"\{\w+\}|\b[a-z]+_…", "*", path.rstrip("."))


async def an_agency_refuses(run: Run) -> str:
    """The FBI's sample receiver has lost its key and answers 404. A referral whose
    notice it has refused at least once."""
    file = run.machine.home.agencies / "private-keys.json"
    known = json.loads(file.read_text())
    shutil.copy(file, file.with_name("kept.json"))
    write_private(file, json.dumps({name: key for name, key in known.items() if name != "fbi"}))
    run.kill("agencies")
    referral_id = await run.refer()
    await run.until(
        "SELECT 1 FROM notify.deliveries WHERE referral_id = $1 AND state = 'pending' "
        "AND attempts > 0 AND agency_id = $2",
        referral_id,
        known["fbi"]["agency_id"],
    )
    return referral_id


def restore_the_agency(run: Run) -> None:
    file = run.machine.home.agencies / "private-keys.json"
    write_private(file, file.with_name("kept.json").read_text())
    run.kill("agencies")


async def an_event_is_forged(run: Run, referral_id: str) -> None:
    """As a source that was restored from a backup emits it: another event under a number that
    was given out before."""
    await run.sql(
        "INSERT INTO intake.outbox (topic, subject, sequence, event_id, body) "
        "SELECT topic, subject, sequence, 'evt_forged', "
        "convert_to(replace(convert_from(body, 'UTF8'), event_id, 'evt_forged'), 'UTF8') "
        "FROM intake.outbox WHERE topic = 'referrals' AND subject = $1 LIMIT 1",
        referral_id,
    )
    await run.until(
        "SELECT 1 FROM notify.inbox_streams WHERE subject = $1 AND parked_at IS NOT NULL",
        referral_id,
    )


async def pass_the_forged_event(run: Run, referral_id: str) -> None:
    """The runbook's replay has sent it once more, to whoever was away too: each parks it."""
    for service in ("notify", "deadlines"):
        await run.until(f"SELECT 1 FROM {service}.inbox_streams WHERE parked_at IS NOT NULL")
        line = f"python -m services.{service} parked skip {referral_id} --by Tester"
        code, said = await run.command(line)
        assert code == 0, said


def commands() -> list[str]:
    """What the runbook has its reader type, in its order, as it is where no `make up` runs."""
    found = re.findall(r"(?m)^    \./hartline run (.+)$", BOOK)
    assert found
    return [f"python -m services.{line}" for line in found]


async def follow(run: Run, line: str, referral_id: str) -> None:
    """A line of the runbook, with what is at hand in the place of what it leaves out."""
    agency = json.loads((run.machine.home.agencies / "private-keys.json").read_text())
    halts = await run.sql("SELECT halt_id FROM notify.halts WHERE lifted_at IS NULL")
    filled = line.replace("ref_…", referral_id).replace('"…"', "Tried").replace("YOU", "Tester")
    filled = filled.replace("agy_…", next(iter(agency.values()))["agency_id"])
    for halt in halts or [{"halt_id": "hlt_…"}]:
        code, said = await run.command(filled.replace("hlt_…", halt["halt_id"]))
        assert code in (0, 1), f"{line}: {said}"
        assert "Traceback" not in said, f"{line}: {said}"


def assert_pages_can_be_followed_and_tell_nothing(receiver: Receiver) -> None:
    """Each leads to its page of the runbook; none holds an id of a referral or a person (P5)."""
    for page in receiver.pages:
        assert page["annotations"]["runbook"].startswith("docs/runbook.md#")
    assert re.findall(r"(ref|chd|ntc|agy|tsk)_\w{8}", json.dumps(receiver.pages)) == []
