"""`sources/*.yaml` → `dashboards/*.json`."""

import json
from pathlib import Path
from typing import Any

import yaml

from deploy.grafana.boards import board

FOLDER = Path(__file__).parent
SOURCES, DASHBOARDS = FOLDER / "sources", FOLDER / "dashboards"
ORDER = ("overview", "delivery", "clocks", "audit", "messaging", "host")


def sources() -> dict[str, Any]:
    """By name, in the order in which they are opened."""
    return {
        name: yaml.safe_load((SOURCES / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ORDER
    }


def written() -> dict[str, str]:
    """What each file in `dashboards/` has to hold."""
    read = sources()
    titles = [source["title"] for source in read.values()]
    return {
        f"{name}.json": json.dumps(board(source, titles), indent=2, ensure_ascii=False) + "\n"
        for name, source in read.items()
    }


def write() -> list[Path]:
    """Write them; those that were changed."""
    changed = []
    DASHBOARDS.mkdir(exist_ok=True)
    for name, content in written().items():
        path = DASHBOARDS / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
            changed.append(path)
    return changed
