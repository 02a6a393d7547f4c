"""Prometheus and Alertmanager with the shipped files against a one-machine run, and who is paged.

Of the files only this is another: the intervals are a second, the targets are the run's own ports,
each receiver has the webhook that an operator writes into it, and a delivery has waited too long
after 15 seconds instead of 15 minutes.
"""

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from aiohttp import web

from deploy.machine.home import Ports
from deploy.machine.ports import free_ports
from deploy.machine.processes import die_with_parent
from tests.support.alert_rules import FOLDER
from tests.support.prometheus import ALERTMANAGER, PROMETHEUS, program

_EVERY = "1s"
_SOONER = ('{what="delivery"} > 900', '{what="delivery"} > 15')


@dataclass
class Receiver:
    """What arrived where Alertmanager sends: by receiver, alert and service, its last status."""

    pages: list[dict[str, Any]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    prometheus: str = ""
    """Where the Prometheus that watches answers."""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        for alert in body["alerts"]:
            self.pages.append({"receiver": body["receiver"], **alert})
        self.came.set()
        return web.Response()

    def status(self, name: str, service: str | None = None) -> str | None:
        """`firing` or `resolved`, as it was told last; None when nobody was told."""
        found = [
            page["status"]
            for page in self.pages
            if page["labels"]["alertname"] == name
            and service in (None, page["labels"].get("service"))
        ]
        return found[-1] if found else None

    def firing(self) -> set[str]:
        """Alerts that woke somebody and have not ended."""
        names = {page["labels"]["alertname"] for page in self.pages if page["receiver"] == "page"}
        return {name for name in names if self.status(name) == "firing"}

    async def until(
        self, status: str, name: str, service: str | None = None, *, within: float
    ) -> float:
        """Seconds until then. AssertionError when it does not come in time."""
        began = time.monotonic()
        while self.status(name, service) != status:
            left = began + within - time.monotonic()
            assert left > 0, f"{name} of {service} is not {status}: {self.firing()} are firing"
            self.came.clear()
            try:
                async with asyncio.timeout(min(left, 1.0)):
                    await self.came.wait()
            except TimeoutError:
                continue
        return time.monotonic() - began


@asynccontextmanager
async def watching(ports: Ports, folder: Path) -> AsyncIterator[Receiver]:
    """Until it is left, the machine is watched; `folder` holds their files and logs."""
    prometheus, alertmanager, hook = free_ports(3)
    receiver = Receiver(prometheus=f"http://127.0.0.1:{prometheus}")
    runner = await _serve(receiver, hook)
    config = _prometheus_config(ports, alertmanager)
    for name in config["rule_files"]:
        rules = (FOLDER / name).read_text()
        (folder / name).write_text(rules.replace(*_SOONER))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(_alertmanager_config(hook)))
    started: list[subprocess.Popen[bytes]] = []
    try:
        # Prometheus comes second: what it cannot hand over at once, it says again a minute later.
        started.append(
            _start(
                folder,
                program(ALERTMANAGER),
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{alertmanager}",
                "--cluster.listen-address=",
            )
        )
        await _ready(f"http://127.0.0.1:{alertmanager}/-/ready")
        started.append(
            _start(
                folder,
                program(PROMETHEUS),
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{prometheus}",
            )
        )
        await _ready(f"http://127.0.0.1:{prometheus}/-/ready")
        yield receiver
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(30)
        await runner.cleanup()


def _prometheus_config(ports: Ports, alertmanager: int) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": _EVERY, "evaluation_interval": _EVERY}
    for each in config["alerting"]["alertmanagers"]:
        each["static_configs"] = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
    for job in config["scrape_configs"]:
        for each in job["static_configs"]:
            [target] = each["targets"]
            service = target.partition(":")[0]
            each["targets"] = [f"127.0.0.1:{getattr(ports, f'{service}_ops')}"]
    return config


def _alertmanager_config(hook: int) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((FOLDER / "alertmanager.yml").read_text())
    pace = {"group_wait": _EVERY, "group_interval": _EVERY}
    config["route"] |= pace
    config["route"]["routes"] = [route | pace for route in config["route"]["routes"]]
    for each in config["receivers"]:
        url = f"http://127.0.0.1:{hook}/{each['name']}"
        each["webhook_configs"] = [{"url": url, "send_resolved": True}]
    return config


def _start(folder: Path, *argv: str) -> subprocess.Popen[bytes]:
    with (folder / f"{Path(argv[0]).name}.log").open("ab") as log:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )


async def _serve(receiver: Receiver, port: int) -> web.AppRunner:
    app = web.Application()
    app.router.add_post("/{receiver}", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


async def _ready(url: str, within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        while True:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            assert time.monotonic() < deadline, f"{url} does not become ready"
            await asyncio.sleep(0.1)
