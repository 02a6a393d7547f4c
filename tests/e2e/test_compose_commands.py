"""docker-compose.yml, kept true without Docker: its commands, started as plain processes with its
own settings, become ready. Only addresses, passwords and folders are exchanged for local ones."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.machine.bootstrap import SCHEMAS, in_database, schema_dsns
from deploy.machine.home import ROOT
from deploy.machine.kafka import KafkaBroker
from deploy.machine.machine import SERVICES
from deploy.machine.ports import free_ports
from deploy.machine.processes import die_with_parent
from tests.support.databases import TestServer, drop_database

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(240)]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DATABASE = f"hartline_compose_{os.getpid()}"
_PATIENCE = 90.0


class Translation:
    """What a container would find by name, here."""

    def __init__(self, postgres: TestServer, kafka: KafkaBroker, folder: Path) -> None:
        names = ["8101", "8102", "8103", "8104", "8105", "9101", "9102", "9103", "9104"]
        self.ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
        self._folder = str(folder)
        self._kafka = kafka.address
        dsns = schema_dsns(postgres.superuser_dsn, postgres.passwords, DATABASE)
        self._folder_of_secrets = folder / "secrets"
        self._dsns = {"HARTLINE_SUPERUSER_DSN": in_database(postgres.superuser_dsn, "postgres")}
        for schema in SCHEMAS:
            self._dsns[f"HARTLINE_{schema.upper()}_DSN"] = dsns[schema].app
            self._dsns[f"HARTLINE_{schema.upper()}_OWNER_DSN"] = dsns[schema].owner

    def environment(self, service: str) -> dict[str, str]:
        """Its own settings, and a folder with its own secrets: of another's it sees none."""
        settings: Mapping[str, str | None] = COMPOSE[service].get("environment", {})
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        translated = {
            name: self._value(name, value)
            for name, value in settings.items()
            if value is not None  # as the caller's environment has it: here, it is not set
        }
        ports = {
            f"HARTLINE_{service.upper()}_{kind}": self.ports[f"{base}{number}"]
            for number, service in enumerate(SERVICES, start=1)
            for kind, base in (("PORT", "810"), ("OPS_PORT", "910"))
        }
        return inherited | translated | ports | self._secrets(service)

    def _secrets(self, service: str) -> dict[str, str]:
        names = COMPOSE[service].get("secrets", [])
        if not names:
            return {}
        folder = self._folder_of_secrets / service
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).write_text(f"{self._dsns[name]}\n")
        return {"HARTLINE_SECRETS": str(folder)}

    def _value(self, name: str, value: str) -> str:
        if value.startswith("kafka://"):
            return self._kafka
        return self.word(re.sub(r"//\w+:(\d+)", r"//127.0.0.1:\1", value))

    def word(self, word: str) -> str:
        """A word of a command, or of a setting."""
        if word == "0.0.0.0":
            return "127.0.0.1"
        word = word.replace("/run/hartline", self._folder)
        return re.sub(r"\b[89]10\d\b", lambda match: self.ports.get(match[0], match[0]), word)

    def command(self, service: str) -> list[str]:
        return self._started(COMPOSE[service]["command"])

    def health_check(self, service: str) -> list[str]:
        kind, *words = COMPOSE[service]["healthcheck"]["test"]
        assert kind == "CMD"
        return self._started(words)

    def _started(self, words: list[str]) -> list[str]:
        assert words[0] == "python"
        return [sys.executable, *(self.word(word) for word in words[1:])]


@pytest.fixture(scope="module")
def translation(
    postgres: TestServer, kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Translation]:
    folder = tmp_path_factory.mktemp("compose")
    (folder / "agencies").mkdir()
    (folder / "state").mkdir(mode=0o700)
    yield Translation(postgres, kafka, folder)
    drop_database(postgres.superuser_dsn, DATABASE)


def test_prepare_can_be_run_twice(translation: Translation) -> None:
    for _ in range(2):
        done = subprocess.run(
            translation.command("prepare"),
            cwd=ROOT,
            env=translation.environment("prepare"),
            check=False,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_every_command_becomes_ready_with_the_settings_of_the_file(
    translation: Translation, tmp_path: Path
) -> None:
    """One after another would hide what they need of each other, so all at once."""
    names = [*SERVICES, "agencies"]
    processes = {name: start(translation, name, tmp_path / f"{name}.log") for name in names}
    try:
        for name in names:
            port = "8105" if name == "agencies" else f"910{names.index(name) + 1}"
            wait_until_ready(name, processes[name], translation.ports[port], tmp_path)
        assert {name: checked(translation, name) for name in names} == dict.fromkeys(names, 0)
    finally:
        for process in processes.values():
            process.terminate()
        codes = {name: process.wait(30) for name, process in processes.items()}
    assert codes == dict.fromkeys(names, 0)
    assert {name: checked(translation, name) for name in names} == dict.fromkeys(names, 1)


def checked(translation: Translation, name: str) -> int:
    """What the health check of the file says of it."""
    words = translation.health_check(name)
    return subprocess.run(words, cwd=ROOT, check=False, capture_output=True, timeout=30).returncode


def start(translation: Translation, name: str, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            translation.command(name),
            cwd=ROOT,
            env=translation.environment(name),
            stdout=file,
            stderr=file,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )


def wait_until_ready(name: str, process: subprocess.Popen[bytes], port: str, logs: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not ready(port):
        said = (logs / f"{name}.log").read_text()[-2000:]
        assert process.poll() is None, f"{name} ended: {said}"
        assert time.monotonic() < deadline, f"{name} is not ready: {said}"
        time.sleep(0.1)


def ready(port: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False
