"""From a readable source to what Grafana reads. Pure.

A source names rows of panels; a panel says what it shows, what that means for a child, which page
of the runbook it leads to, and what it asks of Prometheus. Ids and places follow from the order.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = dict[str, Any]

BOOK = "docs/runbook.md"
ZONE = "America/New_York"
SCHEMA = 39
"""Of Grafana 11; a newer one reads it and brings it up to its own."""
COLUMNS = 24
TYPES = {"number": "stat", "lines": "timeseries", "bars": "bargauge", "table": "table"}
_WIDE = {"number": 4, "lines": 12, "bars": 12, "table": 12}
_HIGH = {"number": 5, "lines": 8, "bars": 8, "table": 8}
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_GREEN, _AMBER, _RED = "green", "orange", "red"


def board(source: Mapping[str, Any], others: Sequence[str]) -> Json:
    """The dashboard; `others`: titles of all that it links to, in their order."""
    return {
        "uid": source["uid"],
        "title": source["title"],
        "description": source["says"],
        "tags": ["hartline"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": ZONE,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "links": [
            {
                "title": "Hartline",
                "type": "dashboards",
                "tags": ["hartline"],
                "asDropdown": len(others) > 8,
                "keepTime": True,
                "includeVars": True,
            }
        ],
        "templating": {"list": list(_variables(host=bool(source.get("host"))))},
        "annotations": {"list": []},
        "panels": list(_panels(source["rows"])),
    }


def _variables(*, host: bool) -> Iterator[Json]:
    yield {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
    }
    yield {
        "name": "runbook",
        "label": "Where the runbook is",
        "type": "textbox",
        "query": "/public/hartline/runbook.md",
        "current": {
            "text": "/public/hartline/runbook.md",
            "value": "/public/hartline/runbook.md",
        },
    }
    if host:
        yield {
            "name": "host",
            "label": "Host",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": 'label_values(up{job="hartline"}, instance)', "refId": "host"},
            "regex": "/(.*):[0-9]+/",
            "refresh": 2,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }


def _panels(rows: Sequence[Mapping[str, Any]]) -> Iterator[Json]:
    number, top = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row["row"],
            "collapsed": False,
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
            "panels": [],
        }
        top += 1
        left, high = 0, 0
        for panel in row["panels"]:
            number += 1
            wide = panel.get("wide", _WIDE[panel["kind"]])
            if left + wide > COLUMNS:
                left, top, high = 0, top + high, 0
            place = {"h": _HIGH[panel["kind"]], "w": wide, "x": left, "y": top}
            yield _panel(panel, number, place)
            left, high = left + wide, max(high, place["h"])
        top += high


def _panel(panel: Mapping[str, Any], number: int, place: Mapping[str, int]) -> Json:
    page = f"#{panel['book']}"
    return {
        "id": number,
        "type": TYPES[panel["kind"]],
        "title": panel["panel"],
        "description": f"{panel['says']}\n\nRunbook: {BOOK}{page}",
        "links": [
            {"title": "Runbook", "url": f"${{runbook}}{page}", "targetBlank": True},
        ],
        "datasource": _SOURCE,
        "gridPos": dict(place),
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel["kind"]),
        "targets": [
            {
                "refId": chr(ord("A") + at),
                "datasource": _SOURCE,
                "expr": expr,
                "legendFormat": legend or "__auto",
                "instant": panel["kind"] != "lines",
                "range": panel["kind"] == "lines",
                **({"format": "table"} if panel["kind"] == "table" else {}),
            }
            for at, (legend, expr) in enumerate(asked(panel).items())
        ],
    }


def asked(panel: Mapping[str, Any]) -> Mapping[str, str]:
    """Expressions by legend."""
    ask = panel["ask"]
    return ask if isinstance(ask, Mapping) else {"": ask}


def _field(panel: Mapping[str, Any]) -> Json:
    lines = panel["kind"] == "lines"
    return {
        "unit": panel.get("unit", "short"),
        "min": None if panel.get("unit") == "s" and not lines else 0,
        "color": {"mode": "palette-classic" if lines else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": _steps(panel)},
        "noValue": "none",
        **({"custom": _drawn(panel)} if lines else {}),
    }


def _steps(panel: Mapping[str, Any]) -> list[Json]:
    """What is red is red above `red`, or, of what must not be small, below `red_below`."""
    if "red_below" in panel or "amber_below" in panel:
        worst = panel.get("red_below")
        steps = [{"color": _RED if worst is not None else _AMBER, "value": None}]
        if worst is not None and "amber_below" in panel:
            steps.append({"color": _AMBER, "value": worst})
        return [*steps, {"color": _GREEN, "value": panel.get("amber_below", worst)}]
    steps = [{"color": _GREEN, "value": None}]
    for colour, key in ((_AMBER, "amber"), (_RED, "red")):
        if key in panel:
            steps.append({"color": colour, "value": panel[key]})
    return steps


def _drawn(panel: Mapping[str, Any]) -> Json:
    limits = {"amber", "red"} & set(panel)
    return {
        "drawStyle": "line",
        "lineWidth": 2,
        "fillOpacity": 8,
        "showPoints": "never",
        "spanNulls": False,
        "thresholdsStyle": {"mode": "dashed" if limits else "off"},
    }


def _options(kind: str) -> Json:
    last: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match kind:
        case "number":
            return {"reduceOptions": last, "colorMode": "background", "graphMode": "none"}
        case "bars":
            return {"reduceOptions": last, "orientation": "horizontal", "displayMode": "basic"}
        case "lines":
            return {
                "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull"]},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case _:
            return {"showHeader": True, "cellHeight": "sm"}
