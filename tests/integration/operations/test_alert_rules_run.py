"""The shipped rules in the hands of promtool: each alert fires when it must, and only then (P9)."""

import subprocess
from pathlib import Path

import pytest

from tests.support.alert_rules import ALERTS, FOLDER, rule_files
from tests.support.prometheus import program, promtool
from tests.support.rule_cases import firing, written_out


def test_every_alert_is_seen_to_fire() -> None:
    assert firing() == {alert.name for alert in ALERTS}


def test_each_alert_fires_when_it_must_and_ends(tmp_path: Path) -> None:
    tried = promtool("test", "rules", *written_out(rule_files(), tmp_path))
    assert tried.returncode == 0, tried.stdout + tried.stderr


@pytest.mark.parametrize(
    ("alert", "rule", "loosened"),
    [
        ("OutboxWaits", "> 60", "> 65"),
        ("OutboxWaits", "for: 30s", "for: 5m"),
        ("CallsNotSwept", "> 3900", "> 3930"),
        ("ClockBreached", "- hartline_deadlines_breaches_created < 900", "< 0"),
    ],
)
def test_a_rule_that_is_loosened_a_little_is_noticed(
    alert: str, rule: str, loosened: str, tmp_path: Path
) -> None:
    """Cases read back from the rules would not."""
    changed = tmp_path / "alerts.yml"
    changed.write_text((FOLDER / changed.name).read_text().replace(rule, loosened, 1))
    assert promtool("test", "rules", *written_out([changed], tmp_path, alert)).returncode == 1


def test_the_shipped_configuration_is_valid() -> None:
    checked = promtool("check", "config", "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    amtool = subprocess.run(
        [program("amtool"), "check-config", "alertmanager.yml"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert amtool.returncode == 0, amtool.stdout + amtool.stderr
