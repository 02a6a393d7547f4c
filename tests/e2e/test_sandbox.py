"""`make up SANDBOX=1`, and docs/careline.md's first referral on it, as a stranger types them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.machine.home import ROOT
from tests.support.ups import up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
_PATIENCE = 120.0
_MACHINE = [sys.executable, "-m", "deploy.machine"]
_BLOCK = re.search(r"^```sh\n(.*?)^```$", (ROOT / "docs/careline.md").read_text(), re.S | re.M)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Path]:
    with up("--sandbox") as (home, _):
        yield home


def _first_referral(home: Path, script: str) -> str:
    """The page's commands; `make token` and the port are this sandbox's own, as status shows it,
    whose exit code tells what a busy machine is late with."""
    token = f'{sys.executable} -m deploy.machine token "${{3#SCOPE=}}"'
    ports = subprocess.run(
        [*_MACHINE, "status"], cwd=ROOT, env={**os.environ, "HARTLINE_HOME": str(home)},
        check=False, capture_output=True, text=True,
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
