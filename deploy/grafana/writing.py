"""`sources/*.yaml` → `dashboards/*.json`."""

import json
from pathlib import Path
from typing import Any

import yaml

from deploy.grafana.boards import TYPES, board
from shared.runtime.errors import Misconfigured

FOLDER = Path(__file__).parent
SOURCES, DASHBOARDS = FOLDER / "sources", FOLDER / "dashboards"
ORDER = ("overview", "delivery", "clocks", "audit", "messaging", "host")


_NEEDED = {"panel", "says", "book", "kind", "ask"}
_ALLOWED = _NEEDED | {"unit", "wide", "amber", "red", "amber_below", "red_below"}
_LINE = "line"


class BrokenSource(Misconfigured):
    """A source that nothing is written from. The text says where and what to write instead."""


class _Lined(yaml.SafeLoader):
    """Panels and rows know their lines."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        made = super().construct_mapping(node, deep=True)
        if "panel" in made or "row" in made:
            made[_LINE] = node.start_mark.line + 1
        return made


def sources(folder: Path = SOURCES) -> dict[str, Any]:
    """By name, in the order in which they are opened. Raises BrokenSource."""
    return {name: _read(folder / f"{name}.yaml") for name in ORDER}


def _read(path: Path) -> dict[str, Any]:
    try:
        source = yaml.load(path.read_text(encoding="utf-8"), _Lined)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise BrokenSource(f"{path.name}: it cannot be read ({error.strerror}).") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BrokenSource(
            f"{path.name}:{line}: it is no YAML ({error.problem}): mend the line."
        ) from None
    missing = {"uid", "title", "says", "rows"} - set(source)
    if missing:
        raise BrokenSource(f"{path.name}:1: {min(missing)} is missing: add {min(missing)}:.")
    for row in source["rows"]:
        for panel in row["panels"]:
            _check(path.name, panel)
    return dict(source)


def _check(file: str, panel: dict[str, Any]) -> None:
    where = f"{file}:{panel.pop(_LINE, 1)}, panel {panel.get('panel', '?')!r}"
    for key in sorted(_NEEDED - set(panel)):
        raise BrokenSource(f"{where}: {key} is missing: add {key}:.")
    for key in sorted(set(panel) - _ALLOWED):
        raise BrokenSource(
            f"{where}: {key} is not known: choose from {', '.join(sorted(_ALLOWED))}."
        )
    if panel["kind"] not in TYPES:
        raise BrokenSource(f"{where}: kind {panel['kind']}: choose from {', '.join(TYPES)}.")


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
