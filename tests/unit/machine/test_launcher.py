"""`./hartline`: what an operator types, from wherever it is typed."""

import shutil
import subprocess
from pathlib import Path

from deploy.machine.home import ROOT

LAUNCHER = ROOT / "hartline"


def typed(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(at)}
    return subprocess.run(
        words, cwd=at, env=environment, check=False, capture_output=True, text=True, timeout=60
    )


def test_it_needs_no_virtual_environment_to_be_entered(tmp_path: Path) -> None:
    said = typed(str(LAUNCHER), "--help", at=tmp_path)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("usage: ./hartline")
    assert "./hartline restart NAME" in said.stdout


def test_whatever_the_pages_write_as_python_m_is_run(tmp_path: Path) -> None:
    said = typed(str(LAUNCHER), "-m", "deploy.operations", "doctor", "--help", at=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "--settings" in said.stdout


def test_a_clone_in_which_nothing_is_installed_says_so(tmp_path: Path) -> None:
    copy = shutil.copy(LAUNCHER, tmp_path / "hartline")
    said = typed(str(copy), "doctor", at=tmp_path)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == "Hartline is not installed here yet: run make install.\n"
