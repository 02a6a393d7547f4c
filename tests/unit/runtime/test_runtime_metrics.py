"""The list of metrics, held against what Prometheus asks of names."""

import ast
import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from shared.runtime import metrics

ROOT = Path(__file__).parents[3]
LIST = {name: m for name, m in vars(metrics).items() if isinstance(m, MetricWrapperBase)}
UNITS = ("_seconds", "_bytes", "_ratio", "_info", "_celsius")
NEVER = ("agency", "town", "referral", "child", "id", "subject", "path", "name", "email")


@pytest.mark.parametrize("name", LIST)
def test_each_metric_has_a_sentence_and_a_conventional_name(name: str) -> None:
    metric = LIST[name]
    [family] = metric.describe()
    assert re.fullmatch(r"hartline_[a-z_]+", family.name)
    assert re.fullmatch(r"[A-Z].*\.", family.documentation)
    assert isinstance(metric, Counter | Gauge | Histogram)
    if isinstance(metric, Histogram):
        assert family.name.endswith(UNITS)


@pytest.mark.parametrize("name", LIST)
def test_no_label_can_take_the_value_of_something_secret(name: str) -> None:
    """P5"""
    assert not set(LIST[name]._labelnames) & set(NEVER)


def test_every_metric_on_the_list_is_measured_somewhere() -> None:
    used = {
        node.attr
        for top in ("services", "shared")
        for path in (ROOT / top).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert set(LIST) <= used
