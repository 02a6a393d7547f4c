"""`make up SANDBOX=1`, and docs/careline.md's first referral on it, as a stranger types them."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.machine.home import ROOT
from tests.support.ups import one_at_a_time

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
_PATIENCE = 120.0
_MACHINE = [sys.executable, "-m", "deploy.machine"]
_BLOCK = re.search(r"^```sh\n(.*?)^```$", (ROOT / "docs/careline.md").read_text(), re.S | re.M)


def _until_up(process: "subprocess.Popen[bytes]", said: Path) -> None:
    try:
        deadline = time.monotonic() + _PATIENCE
        while "stop  " not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.1)
    except AssertionError:
        process.terminate()
        raise


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Path]:
    """A home in which a sandbox is up; root's PostgreSQL may enter it."""
    home = Path(tempfile.mkdtemp(prefix="hartline-sandbox-"))
    home.chmod(0o711)
    said = home / "said"
    environment = {**os.environ, "HARTLINE_HOME": str(home)}
    with one_at_a_time(), said.open("w") as output:
        process = subprocess.Popen(
            [*_MACHINE, "up", "--sandbox"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        _until_up(process, said)
    try:
        yield home
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def _first_referral(home: Path, script: str) -> str:
    """The page's commands; `make token` and the port are this sandbox's own."""
    token = f'{sys.executable} -m deploy.machine token "${{3#SCOPE=}}"'
    ports = subprocess.run(
        [*_MACHINE, "status"], cwd=ROOT, env={**os.environ, "HARTLINE_HOME": str(home)},
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    port = re.search(r"intake +(\d+)", ports)
    assert port is not None
    script = script.replace("8101", port[1])
    done = subprocess.run(
        ["bash"],
        input=f"set -euo pipefail\nmake() {{ {token}; }}\n{script}",
        cwd=ROOT,
        env={**os.environ, "HARTLINE_HOME": str(home)},
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_the_first_referral_of_the_page_is_kept(sandbox: Path) -> None:
    assert _BLOCK is not None
    told = _first_referral(sandbox, _BLOCK[1])
    assert re.search(r'"number":"HL-[0-9A-Z]{4}-[0-9A-Z]{4}"', told), told


def test_without_its_mark_it_is_refused_and_told_whom_to_ring(sandbox: Path) -> None:
    assert _BLOCK is not None
    told = _first_referral(sandbox, _BLOCK[1].replace('"synthetic": true,', ""))
    assert '"pointer":"#/synthetic"' in told
    assert "800-842-2288" in told


def test_a_sandbox_has_a_home_of_its_own(sandbox: Path) -> None:
    assert (sandbox / "sandbox-postgresql").is_dir()
    assert not (sandbox / "postgresql").exists()
