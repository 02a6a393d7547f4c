"""`make smoke` and `make up` as a stranger runs them: the real processes, the real bus."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from deploy.machine.home import ROOT
from deploy.machine.kafka import KafkaUnavailable, jars
from tests.architecture.test_alert_rules import waiting_with_a_rule

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
_PATIENCE = 120.0


def machine(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.machine", *arguments],
        cwd=ROOT,
        env={**os.environ, "HARTLINE_HOME": str(home)},
        check=False,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
    )


def get(url: str, token: str | None = None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def until(good: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + _PATIENCE
    while not (found := good()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return found


def assert_told(output: str) -> None:
    """The five of policy 21-14, each with a verified notice; four clocks; every proof."""
    told = re.findall(r"v1 original +delivered +\d+ ms", output)
    assert len(told) == 5, output
    assert len(re.findall(r"12 +satisfied", output)) == 4, output
    assert "6 disclosures recorded; 11 entries of the log" in output
    assert "NOT AS IT MUST BE" not in output


def test_smoke_passes_on_the_postgresql_bus(tmp_path: Path) -> None:
    """P1, P2, P7: five recipients told, every disclosure proven, and it stops by itself."""
    result = machine("smoke", home=tmp_path)
    assert_told(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.kafka
def test_smoke_passes_on_kafka(tmp_path: Path) -> None:
    try:
        jars()
    except KafkaUnavailable as unavailable:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(unavailable))
    result = machine("smoke", "--bus", "kafka", home=tmp_path)
    assert_told(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")


class Up:
    """A running `make up`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.output = home / "output"
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.machine", "up"],
                cwd=ROOT,
                env={**os.environ, "HARTLINE_HOME": str(home)},
                stdout=file,
                stderr=file,
            )
        until(lambda: "stop       " in self.said() or self.process.poll() is not None, "up")

    def said(self) -> str:
        return self.output.read_text()

    @property
    def running(self) -> Mapping[str, Any]:
        return dict(json.loads((self.home / "running.json").read_text()))

    def url(self, port: str) -> str:
        return f"http://127.0.0.1:{self.running['ports'][port]}"

    def token(self, *scopes: str) -> str:
        return machine("token", *scopes, home=self.home).stdout.strip()

    def children(self) -> dict[str, int]:
        """Process id by the end of its command line."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        commands = {}
        for pid in found.split():
            with suppress(OSError):  # It has just ended.
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                commands[words[2].decode() if b"-m" in words else "postgres"] = int(pid)
        return commands


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    # Not below pytest's own folder, which root's PostgreSQL, run by somebody else, cannot reach.
    home = Path(tempfile.mkdtemp(prefix="hartline-up-"))
    home.chmod(0o711)
    running = Up(home)
    try:
        yield running
    finally:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def test_up_tells_everybody_and_stays_up(up: Up) -> None:
    assert_told(up.said())
    assert up.process.poll() is None
    assert machine("status", home=up.home).stdout.startswith("Up: process")


def test_what_it_prints_can_be_followed(up: Up) -> None:
    url = re.search(r"http://\S+/notices", up.said())
    assert url is not None
    status, body = get(url[0], up.token("notices:read", "notices:read-all"))
    assert (status, len(json.loads(body)["notices"])) == (200, 5)
    assert get(url[0])[0] == 401
    assert get(url[0], up.token("clocks:read"))[0] == 403


def test_every_age_that_a_service_shows_has_an_alert_rule(up: Up) -> None:
    """P9."""
    shown: set[str] = set()
    for service in ("intake", "notify", "deadlines", "audit"):
        _, body = get(f"{up.url(f'{service}_ops')}/metrics")
        shown |= set(re.findall(r'hartline_oldest_age_seconds\{.*what="(\w+)"', body))
    assert shown == waiting_with_a_rule()


def test_a_second_up_says_how_to_stop_the_first(up: Up) -> None:
    second = machine("up", home=up.home)
    assert (second.returncode, second.stdout) == (2, "")
    assert "make down" in second.stderr


def test_everything_killed_comes_back(up: Up) -> None:
    """P1: SIGKILL of every child, the database too, changes nothing but the time."""
    before = up.children()
    assert len(before) == 6
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    operations = ("intake_ops", "notify_ops", "deadlines_ops", "audit_ops", "agencies")
    until(
        lambda: (
            len(up.children()) == 6
            and not set(up.children().values()) & set(before.values())
            and all(get(f"{up.url(name)}/readyz")[0] == 200 for name in operations)
        ),
        "not everything came back",
    )


def test_down_stops_everything(up: Up) -> None:
    children = up.children()
    assert machine("down", home=up.home).stdout == "Stopped.\n"
    up.process.wait(60)
    assert up.process.returncode == 0, up.said()
    assert [pid for pid in children.values() if Path(f"/proc/{pid}").exists()] == []
    assert machine("status", home=up.home).returncode == 1
    assert machine("down", home=up.home).stdout == "Nothing is running.\n"
