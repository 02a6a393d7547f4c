"""Nothing waits unseen (P9): the rules speak of metrics that exist, and of everything that ages."""

import re

import yaml
from prometheus_client import REGISTRY

from deploy.machine.home import ROOT
from shared.runtime import metrics
from tests.support.alert_rules import ALERTS, rules

ENDS = ("total", "created", "bucket", "count")
EXPRESSIONS = " ".join(rule["expr"] for rule in rules())


def test_every_rule_says_how_urgent_it_is_and_what_is_wrong() -> None:
    for alert in ALERTS:
        assert alert.severity in {"page", "look"} or alert.name == "Watchdog"
        assert alert.summary.endswith((".", "?"))


def test_rules_use_only_metrics_that_are_declared() -> None:
    assert metrics.OLDEST_AGE
    declared = {
        sample
        for family in REGISTRY.collect()
        for sample in (family.name, *(f"{family.name}_{end}" for end in ENDS))
    }
    assert set(re.findall(r"hartline_\w+", EXPRESSIONS)) <= declared


def test_rules_use_only_recordings_that_are_made() -> None:
    made = {rule["record"] for rule in rules() if "record" in rule}
    assert set(re.findall(r"hartline:[\w:]+", EXPRESSIONS)) == made


def waiting_with_a_rule() -> set[str]:
    found = re.findall(r'what=~?"([^"]+)"', EXPRESSIONS)
    return {what for each in found for what in each.split("|")}


def test_every_age_has_a_rule() -> None:
    """Which ages there are, the run of `make smoke` in tests/e2e compares with this list."""
    assert waiting_with_a_rule() == {
        "outbox",
        "topic",
        "inbox",
        "parked",
        "gap",
        "quarantine",
        "delivery",
        "attempt",
        "task",
        "task_unpaged",
        "held",
        "redrive",
        "unread",
        "unacknowledged",
        "substitution",
        "oral_entry",
        "related",
        "shredding",
        "shredding_order",
        "suspension",
        "triage",
        "case_flag",
        "proposal",
        "clock",
        "call",
        "call_abandoned",
        "unindexed",
        "candidate",
        "tally",
        "audit_unsequenced",
        "audit_unsigned",
        "audit_uncosigned",
        "audit_unreconciled",
    }


def test_every_scrape_target_is_an_operations_port_of_compose() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    targets = {
        target
        for job in config["scrape_configs"]
        for each in job["static_configs"]
        for target in each["targets"]
    }
    assert targets == {"intake:9101", "notify:9102", "deadlines:9103", "audit:9104"}
