"""deploy/prometheus/tests/cases.yml, written out as `promtool test rules` takes it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from tests.support.alert_rules import ALERTS, FOLDER

CASES: dict[str, Any] = yaml.safe_load((FOLDER / "tests" / "cases.yml").read_text())
_ALERTS = {alert.name: alert for alert in ALERTS}
_EVERY = 15
"""Seconds between two values, and between two evaluations, where a case does not say."""


def firing() -> set[str]:
    """The alerts that some case sees fire."""
    others = {case["alert"] for case in CASES["others"] if case.get("fires")}
    return {*CASES["ages"], *CASES["counters"], *others}


def written_out(rule_files: Iterable[Path], folder: Path, only: str | None = None) -> list[str]:
    """Test files in `folder`, one for each rule file and pace, so that nothing is evaluated that
    is not asked for. What they hold is JSON, which is YAML. `only`: of this alert."""
    groups: list[Sequence[dict[str, Any]]]
    groups = [list(_of_ages()), *zip(*_of_counters(), strict=True)]
    groups += [[_of_other(case)] for case in CASES["others"]]
    groups = [[test for test in group if only in (None, _alert_of(test))] for group in groups]
    paces = sorted({test["interval"] for group in groups for test in group})
    written = []
    for rules, pace in product(rule_files, paces):
        asked = [[t for t in g if t["interval"] == pace and _is_of(t, rules)] for g in groups]
        ours = [_at_once(tests) for tests in asked if tests]
        file = folder / f"{rules.stem}_{pace}_test.yml"
        whole = {"rule_files": [str(rules)], "evaluation_interval": pace, "tests": ours}
        if ours:
            file.write_text(json.dumps(whole, indent=1))
            written.append(str(file))
    return written


def _at_once(tests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All of one pace, each with series of its own, as one: every rule is evaluated once and sees
    the others' series too."""
    return {
        "interval": tests[0]["interval"],
        "input_series": [each for test in tests for each in test["input_series"]],
        "alert_rule_test": [each for test in tests for each in test["alert_rule_test"]],
    }


def _is_of(test: Mapping[str, Any], rules: Path) -> bool:
    return f"alert: {_alert_of(test)}\n" in rules.read_text()


def _alert_of(test: Mapping[str, Any]) -> str:
    return str(test["alert_rule_test"][0]["alertname"])


def _of_ages() -> Iterator[dict[str, Any]]:
    for name, (service, what, limit, wait) in CASES["ages"].items():
        labels = {"service": service, "what": what}
        values = f"{limit}x39 {limit + 1}x39 0x40"
        crossed = 40 * _EVERY
        early = [(crossed + wait - _EVERY, False)] if wait else []
        seen = [(crossed - _EVERY, False), *early, (crossed + wait, True), (2 * crossed, False)]
        yield _test(name, labels, {_series("hartline_oldest_age_seconds", labels): values}, seen)


def _of_counters() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Of each: one that grows, and one that appears."""
    for name, (metric, labels, minutes) in CASES["counters"].items():
        total, created = _series(f"{metric}_total", labels), _series(f"{metric}_created", labels)
        window, long = minutes * 60, minutes * 4 + 8
        grows = {total: f"3x{long} 4x{long}", created: f"0x{2 * long}"}
        crossed = (long + 1) * _EVERY
        seen = [(crossed - 60, False), (crossed + 30, True), (crossed + window + 60, False)]
        growing = _test(name, labels, grows, seen)
        appears = {total: f"_x39 1x{2 * long}", created: f"_x39 600x{2 * long}"}
        seen = [(570, False), (630, True), (600 + window + 60, False)]
        yield growing, _test(name, labels, appears, seen)


def _of_other(case: Mapping[str, Any]) -> dict[str, Any]:
    seen = [(at * 60, False) for at in case.get("quiet", ())]
    seen += [(at * 60, True) for at in case.get("fires", ())]
    every = case.get("every", _EVERY)
    return _test(case["alert"], case.get("labels", {}), case["series"], seen, every)


def _test(
    name: str,
    labels: Mapping[str, str],
    series: Mapping[str, str],
    seen: Sequence[tuple[float, bool]],
    every: int = _EVERY,
) -> dict[str, Any]:
    return {
        "interval": f"{every}s",
        "input_series": [{"series": key, "values": value} for key, value in series.items()],
        "alert_rule_test": [
            {
                "eval_time": f"{at:.0f}s",
                "alertname": name,
                "exp_alerts": [_expected(name, labels)] if fires else [],
            }
            for at, fires in seen
        ],
    }


def _expected(name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    alert = _ALERTS[name]
    summary = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda m: labels.get(m[1], ""), alert.summary)
    return {
        "exp_labels": {"severity": alert.severity, **labels},
        "exp_annotations": {"summary": summary, "runbook": alert.runbook},
    }


def _series(metric: str, labels: Mapping[str, str]) -> str:
    return f"{metric}{{{','.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}"
