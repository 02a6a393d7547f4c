"""The shipped dashboards, and what a real Prometheus answers to each of their queries."""

import json
import math
import re
import time
from dataclasses import dataclass
from typing import Any

import httpx

from deploy.grafana.expressions import filled
from deploy.grafana.writing import DASHBOARDS, ORDER

_STEP = 1
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
Series = list[tuple[str, list[tuple[float, float]]]]


@dataclass(frozen=True)
class Query:
    """One target of one panel."""

    board: str
    panel: str
    kind: str
    unit: str
    legend: str
    expr: str

    def __str__(self) -> str:
        return f"{self.board}: {self.panel}: {self.legend or self.expr}"


def queries() -> list[Query]:
    """Every one, in the order in which they stand."""
    return [
        Query(
            board=name,
            panel=panel["title"],
            kind=panel["type"],
            unit=panel["fieldConfig"]["defaults"]["unit"],
            legend=target["legendFormat"].removeprefix("__auto"),
            expr=target["expr"],
        )
        for name in ORDER
        for panel in json.loads((DASHBOARDS / f"{name}.json").read_text())["panels"]
        for target in panel.get("targets", ())
    ]


async def answered(client: httpx.AsyncClient, prometheus: str, query: Query) -> Series:
    """As Grafana would ask: the last minute of a line, the last value of anything else. Series
    by their legend; raises httpx.HTTPStatusError when Prometheus refuses the query."""
    asked: dict[str, Any] = {"query": filled(query.expr, window="10s", host="127.0.0.1")}
    where = "query"
    if query.kind == "timeseries":
        now = time.time()
        asked |= {"start": now - 60, "end": now, "step": _STEP}
        where = "query_range"
    answer = await client.get(f"{prometheus}/api/v1/{where}", params=asked)
    found = answer.raise_for_status().json()["data"]["result"]
    return [
        (_legend(query.legend, each["metric"]), _values(each.get("values") or [each["value"]]))
        for each in found
    ]


def _values(pairs: list[Any]) -> list[tuple[float, float]]:
    read = [(float(at), float(value)) for at, value in pairs]
    return [(at, value) for at, value in read if math.isfinite(value)]


def _legend(pattern: str, labels: dict[str, str]) -> str:
    if not pattern:
        return " ".join(value for key, value in sorted(labels.items()) if key != "__name__")
    return _LABEL.sub(lambda found: labels.get(found[1], found[1]), pattern)
