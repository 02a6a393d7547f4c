"""The shipped alert rules, as the tests read them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.machine.home import ROOT

FOLDER = ROOT / "deploy" / "prometheus"


@dataclass(frozen=True)
class Alert:
    name: str
    expr: str
    severity: str
    summary: str
    runbook: str

    def __str__(self) -> str:
        return self.name


def rule_files() -> list[Path]:
    """Those that the shipped prometheus.yml names."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    return [FOLDER / name for name in config["rule_files"]]


def rules() -> Iterator[dict[str, Any]]:
    """Alerts and recording rules."""
    for path in rule_files():
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


ALERTS = [
    Alert(
        rule["alert"],
        rule["expr"],
        rule["labels"]["severity"],
        rule["annotations"]["summary"],
        rule["annotations"]["runbook"],
    )
    for rule in rules()
    if "alert" in rule
]
