"""`make up` as a stranger runs it; each command of docs/operations.md answers as the page says."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.machine.home import ROOT
from tests.architecture.test_alert_rules import waiting_with_a_rule
from tests.support.ups import assert_told, machine, up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
_PATIENCE = 120.0
_SETTLED = 240.0
_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_EXAMPLES = re.findall(
    r"^```sh\n(?P<command>.*?)\n```\n(?:\n```text\n(?P<says>.*?)\n```$)?", _PAGE, re.S | re.M
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


@dataclass(frozen=True)
class Up:
    """A running `make up`."""

    home: Path
    process: subprocess.Popen[bytes]

    def said(self) -> str:
        return (self.home / "said").read_text()

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


@pytest.fixture(scope="module", name="up")
def one_that_is_up() -> Iterator[Up]:
    with up() as (home, process):
        yield Up(home, process)


def run(home: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = command.split()
    assert words[0] == "./hartline"
    return subprocess.run(
        words, cwd=ROOT, env={**os.environ, "HARTLINE_HOME": str(home)},
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def shape(line: str) -> str:
    """A line without what is another each time: numbers, and so the widths of columns."""
    return " ".join(re.sub(r"\d+(?:[-:.T]\d+)*Z?(?:\+[\d:]+)?", "#", line).split())


def settled(home: Path) -> str:
    """What waited for PostgreSQL is taken up: until then the doctor rightly asks to wait."""
    deadline = time.monotonic() + _SETTLED
    while (done := run(home, "./hartline doctor")).returncode:
        assert time.monotonic() < deadline, done.stdout + done.stderr
        time.sleep(3)  # each look takes seconds of CPU from what it waits for
    return done.stdout


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


def test_every_command_of_the_page_answers_as_the_page_says(up: Up) -> None:
    assert len(_EXAMPLES) >= 8
    for command, says in sorted(_EXAMPLES, key=lambda each: _says_how_it_stands(each[0])):
        if _says_how_it_stands(command):
            settled(up.home)
        done = run(up.home, command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        answered = {shape(line) for line in done.stdout.splitlines()}
        missing = [line for line in says.splitlines() if shape(line) not in answered]
        assert not missing, (command, done.stdout)


def _says_how_it_stands(command: str) -> bool:
    """Comes last: for a minute after PostgreSQL's start the doctor asks to look again."""
    return command.split()[1] in ("doctor", "status")


def test_the_doctor_takes_less_than_five_seconds(up: Up) -> None:
    """CPU seconds, so that a machine that others use too does not decide."""
    before = os.times()
    run(up.home, "./hartline doctor --all")
    after = os.times()
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 5.0


def test_the_doctor_names_a_service_that_is_frozen(up: Up) -> None:
    """And looks at it from its settings all the same; once it goes on, all is well again."""
    settled(up.home)
    pid = up.children()["services.audit"]
    os.kill(pid, signal.SIGSTOP)
    try:
        done = run(up.home, "./hartline doctor --all")
        shown = run(up.home, "./hartline status --once")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 2
    assert re.search(r"NOW   audit, process: http\S+ does not answer", done.stdout)
    assert "well  audit, migrations: are all in." in done.stdout
    assert shown.returncode == 2
    assert "DOWN    audit" in shown.stdout
    settled(up.home)


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
