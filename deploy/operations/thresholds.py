"""How old a thing may be: what deploy/prometheus/alerts.yml says, so that nobody says it twice."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shared.runtime.findings import Level

ALERTS = Path(__file__).parent.parent / "prometheus" / "alerts.yml"
_RULE = re.compile(r'^hartline_oldest_age_seconds\{what=~?"([\w|]+)"\} > (\d+)$')
_LEVELS = {"page": Level.ACT, "look": Level.LOOK}


@dataclass(frozen=True, slots=True)
class Threshold:
    """Beyond `seconds` somebody is alerted by `alert`."""

    alert: str
    seconds: float
    level: Level
    says: str
    do: str


def thresholds(file: Path = ALERTS) -> dict[str, Threshold]:
    """By what waits. Raises OSError, YAMLError or KeyError for a file that is none."""
    groups = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    return {
        what: _threshold(rule, float(match[2]))
        for rule in rules
        if (match := _RULE.match(str(rule["expr"]).strip()))
        for what in match[1].split("|")
    }


def _threshold(rule: Mapping[str, Any], seconds: float) -> Threshold:
    notes = rule.get("annotations", {})
    summary = str(notes.get("summary", rule["alert"])).replace("{{ $labels.service }}", "It")
    page = str(notes.get("runbook", "docs/runbook.md"))
    level = _LEVELS[rule["labels"]["severity"]]
    return Threshold(rule["alert"], seconds, level, summary, f"{page} ({rule['alert']}).")
