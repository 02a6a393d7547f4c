"""Debian's Prometheus and Alertmanager; where they are missing, how to get them is said."""

import shutil
import subprocess

import pytest

from tests.support.alert_rules import FOLDER

_PACKAGES = "prometheus prometheus-alertmanager"
PROMTOOL, PROMETHEUS, ALERTMANAGER = "promtool", "prometheus", "prometheus-alertmanager"


def program(name: str) -> str:
    """Its path. Skips the test when it is not here, which CI=true does not allow."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(
            f"{name} is missing (Debian: apt-get install prometheus prometheus-alertmanager)"
        )
    return path


def promtool(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """In the folder of the shipped files."""
    return subprocess.run(
        [program(PROMTOOL), *arguments],
        cwd=FOLDER,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
