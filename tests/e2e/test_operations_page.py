"""docs/operations.md: each of its commands is run on a one-machine run, and answers as it says."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.machine.home import ROOT
from tests.support.ups import up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
_PATIENCE = 240.0
_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_EXAMPLES = re.findall(
    r"^```sh\n(?P<command>.*?)\n```\n(?:\n```text\n(?P<says>.*?)\n```$)?", _PAGE, re.S | re.M
)


def run(home: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = command.split()
    assert words[0] == "./hartline"
    return subprocess.run(
        words, cwd=ROOT, env={**os.environ, "HARTLINE_HOME": str(home)},
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="module", name="up")
def one_that_is_up() -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    with up() as found:
        yield found


def shape(line: str) -> str:
    """A line without what is another each time: numbers, and so the widths of columns."""
    return " ".join(re.sub(r"\d+(?:[-:.T]\d+)*Z?(?:\+[\d:]+)?", "#", line).split())


def settled(home: Path) -> str:
    """The log has all and has been compared once: until then the doctor rightly asks to wait."""
    deadline = time.monotonic() + _PATIENCE
    while (done := run(home, "./hartline doctor")).returncode:
        assert time.monotonic() < deadline, done.stdout + done.stderr
        time.sleep(1)
    return done.stdout


def test_every_command_of_the_page_answers_as_the_page_says(
    up: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    home, _ = up
    settled(home)
    assert len(_EXAMPLES) >= 8
    for command, says in _EXAMPLES:
        done = run(home, command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        answered = {shape(line) for line in done.stdout.splitlines()}
        missing = [line for line in says.splitlines() if shape(line) not in answered]
        assert not missing, (command, done.stdout)


def test_the_doctor_takes_less_than_five_seconds(
    up: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    """CPU seconds, so that a machine that others use too does not decide."""
    before = os.times()
    run(up[0], "./hartline doctor --all")
    after = os.times()
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 5.0


def test_the_doctor_names_a_service_that_is_frozen(
    up: tuple[Path, subprocess.Popen[bytes]],
) -> None:
    """And looks at it from its settings all the same; once it goes on, all is well again."""
    home, process = up
    settled(home)
    pid = _child(process.pid, "services.audit")
    os.kill(pid, signal.SIGSTOP)
    try:
        done = run(home, "./hartline doctor --all")
        shown = run(home, "./hartline status --once")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.returncode == 2
    assert re.search(r"NOW   audit, process: http\S+ does not answer", done.stdout)
    assert "well  audit, migrations: are all in." in done.stdout
    assert shown.returncode == 2
    assert "DOWN    audit" in shown.stdout
    settled(home)


def _child(parent: int, module: str) -> int:
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return int(pid)
    raise AssertionError(f"{module} does not run")
