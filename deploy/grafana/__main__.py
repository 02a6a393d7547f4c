"""Dashboards by file.

python -m deploy.grafana check     read dashboards/*.json as Grafana will, and every expression
python -m deploy.grafana write     write dashboards/*.json from sources/*.yaml

`check` names file, line, panel and the mend. Exit code 0: Grafana may have them; 1: it may not;
2: it cannot be known, because promtool is missing.
"""

import argparse
import re
import sys
from pathlib import Path

import yaml
from prometheus_client import REGISTRY

from deploy.grafana.checks import Broken, check
from deploy.grafana.expressions import NoPromtool
from deploy.grafana.writing import DASHBOARDS, BrokenSource, write
from shared.runtime import metrics

ROOT = Path(__file__).parents[2]
_ENDS = ("", "_total", "_created", "_bucket", "_count", "_sum")
_OF_PROMETHEUS = ("up", "ALERTS", "ALERTS_FOR_STATE")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.grafana",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=("check", "write"))
    parser.add_argument("--folder", type=Path, default=DASHBOARDS, help="what to check")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "write":
            for path in write():
                print(f"written: {path.name}")
            return 0
        found = check_folder(arguments.folder)
    except BrokenSource as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    except NoPromtool as missing:
        sys.stderr.write(f"{missing}\n")
        return 2
    for broken in found:
        print(broken)
    if not found:
        print(f"{len(list(arguments.folder.glob('*.json')))} dashboards: Grafana may have them")
    return int(bool(found))


def check_folder(folder: Path) -> list[Broken]:
    """Raises NoPromtool."""
    return check(sorted(folder.glob("*.json")), known_metrics(), runbook_pages())


def known_metrics() -> frozenset[str]:
    """What a process of ours shows, what our rules record, and what Prometheus itself keeps."""
    assert metrics.OLDEST_AGE
    shown = {f"{family.name}{end}" for family in REGISTRY.collect() for end in _ENDS}
    recorded = {
        rule["record"]
        for path in (ROOT / "deploy/prometheus").glob("*.yml")
        for group in (yaml.safe_load(path.read_text()) or {}).get("groups", [])
        for rule in group["rules"]
        if "record" in rule
    }
    return frozenset(shown | recorded | set(_OF_PROMETHEUS))


def runbook_pages() -> frozenset[str]:
    """The anchors of docs/runbook.md's pages."""
    headings = re.findall(r"(?m)^## (.+)$", (ROOT / "docs/runbook.md").read_text())
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
