"""Dashboards are as their sources say, tell their story, and a broken one is refused first."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import check_folder, main
from deploy.grafana.expressions import names_and_labels
from deploy.grafana.writing import (
    DASHBOARDS,
    FOLDER,
    ORDER,
    SOURCES,
    BrokenSource,
    sources,
    written,
)
from deploy.machine.home import ROOT
from tests.support.prometheus import PROMTOOL, program

BOARDS = {name: json.loads((DASHBOARDS / f"{name}.json").read_text()) for name in ORDER}
PANELS = [
    (name, panel)
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]


@pytest.fixture
def promtool() -> str:
    return program(PROMTOOL)


def test_the_files_are_as_their_sources_say() -> None:
    """`python -m deploy.grafana write` makes them so."""
    assert {path.name: path.read_text() for path in DASHBOARDS.glob("*.json")} == written()


@pytest.mark.usefixtures("promtool")
def test_grafana_may_have_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out == "6 dashboards: Grafana may have them\n"


@pytest.mark.parametrize("name", ORDER)
def test_the_first_row_is_what_is_wrong_now(name: str) -> None:
    """A story is told top to bottom, worst first: numbers that turn red, before any line."""
    title, *panels = BOARDS[name]["panels"]
    first = panels[: next(n for n, each in enumerate(panels) if each["type"] != "stat")]
    assert title["title"].endswith("?")
    assert len(first) >= 6
    colours = [
        [step["color"] for step in each["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        for each in first
    ]
    assert "red" in colours[0]


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=lambda each: str(each)[:12])
def test_p5_no_panel_tells_an_agency_or_a_town(name: str, panel: dict[str, Any]) -> None:
    """And what is held or refused is told without the kind of whom it concerns."""
    for target in panel["targets"]:
        _, labels = names_and_labels(target["expr"])
        assert not labels & {"agency", "agency_id", "town"}
        if '"held"' in target["expr"] or '"refused"' in target["expr"]:
            assert "kind" not in labels | {target["legendFormat"]}


def test_grafana_finds_them_where_compose_puts_them() -> None:
    [provider] = yaml.safe_load((FOLDER / "provisioning/dashboards/hartline.yml").read_text())[
        "providers"
    ]
    grafana = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    places = dict(volume.split(":")[:2] for volume in grafana["volumes"])
    assert places["./deploy/grafana/dashboards"] == provider["options"]["path"]
    [runbook] = [
        each["query"]
        for each in BOARDS["overview"]["templating"]["list"]
        if each["name"] == "runbook"
    ]
    assert places["./docs/runbook.md"] == f"/usr/share/grafana{runbook}"
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/overview.json"


@pytest.fixture
def folder(tmp_path: Path, promtool: str) -> Path:
    """A copy of the dashboards, to break."""
    return Path(shutil.copytree(DASHBOARDS, tmp_path / "dashboards"))


Change = Callable[[dict[str, Any]], object]


def first(board: dict[str, Any]) -> dict[str, Any]:
    panel: dict[str, Any] = board["panels"][1]
    return panel


BROKEN: dict[str, tuple[Change, str]] = {
    "a metric that is not": (
        lambda board: first(board)["targets"][0].update(expr="max(hartline_oldest_age_second)"),
        "there is no metric hartline_oldest_age_second: choose from shared/runtime/metrics.py",
    ),
    "an expression that is none": (
        lambda board: first(board)["targets"][0].update(expr="max(up"),
        "Prometheus cannot read it (",
    ),
    "no meaning": (
        lambda board: first(board).update(description=""),
        "it does not say what it means: say what it means for a child",
    ),
    "no page": (
        lambda board: first(board).update(
            description="A duty to a child was missed.\n\ndocs/runbook.md#no"
        ),
        "it leads to no page of the runbook",
    ),
    "another's link": (
        lambda board: first(board).update(links=[]),
        "its link is not the page it names",
    ),
    "an id twice": (lambda board: first(board).update(id=1), "the id 1 is missing or taken"),
    "one over another": (
        lambda board: first(board)["gridPos"].update(x=4),
        "it lies over another panel or beyond the edge: move it",
    ),
    "one Prometheus": (
        lambda board: first(board).update(datasource={"type": "prometheus", "uid": "P1"}),
        "it names one Prometheus of somebody's: write ${datasource}",
    ),
    "a variable that is not": (
        lambda board: first(board)["targets"][0].update(expr='up{instance=~"$where"}'),
        "$where is no variable of it: declare it",
    ),
    "a town": (
        lambda board: first(board)["targets"][0].update(expr="max by (town) (up)"),
        "it tells town, which nobody may read here: leave town out",
    ),
    "the kind of who is refused": (
        lambda board: first(board)["targets"][0].update(
            expr='sum by (kind) (hartline_notify_legs_total{result="refused"})'
        ),
        "it tells kind, which nobody may read here",
    ),
    "a kind of panel that is not": (
        lambda board: first(board).update(type="graph"),
        "there is no kind of panel graph: choose from stat",
    ),
    "nothing asked": (lambda board: first(board).update(targets=[]), "it asks nothing"),
    "another's uid": (
        lambda board: board.update(uid="hartline-audit"),
        "its uid is that of audit.json: choose another",
    ),
    "times of nowhere": (lambda board: board.update(timezone="browser"), "write America/New_York"),
    "a schema of long ago": (lambda board: board.update(schemaVersion=16), "write 39"),
}

OF_THE_WHOLE = {"another's uid", "times of nowhere", "a schema of long ago"}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_dashboard_is_refused_with_file_line_and_mend(
    what: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, said = BROKEN[what]
    path = folder / "clocks.json"
    board = json.loads(path.read_text())
    change(board)
    path.write_text(json.dumps(board, indent=2))
    assert main(["check", "--folder", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("clocks.json:") for line in lines)
    [line] = [line for line in lines if said in line]
    assert (", panel '" in line) == (what not in OF_THE_WHOLE)


def test_the_line_is_that_of_the_expression(folder: Path) -> None:
    path = folder / "audit.json"
    path.write_text(path.read_text().replace("max(hartline_oldest_age_seconds{", "max(nosuch({", 1))
    [broken] = check_folder(folder)
    assert "nosuch" in path.read_text().splitlines()[broken.line - 1]


def test_what_is_no_json_is_refused_by_line(folder: Path) -> None:
    path = folder / "host.json"
    path.write_text(path.read_text().replace('"id": 3,', '"id": 3', 1))
    [broken] = check_folder(folder)
    assert "it is no JSON" in str(broken)
    assert path.read_text().splitlines()[broken.line - 2].strip() == '"id": 3'


BROKEN_SOURCES = {
    "says: Somebody who had": (
        "say: Somebody who had",
        "clocks.yaml:7, panel 'Breaches in 24 hours",
    ),
    "kind: number": ("kind: big", "kind big: choose from number, lines, bars, table"),
    "rows:": ("rows: [", "it is no YAML ("),
    "title:": ("name:", "clocks.yaml:1: title is missing: add title:."),
}


@pytest.mark.parametrize("right", BROKEN_SOURCES)
def test_nothing_is_written_from_a_broken_source(right: str, tmp_path: Path) -> None:
    wrong, said = BROKEN_SOURCES[right]
    copied = Path(shutil.copytree(SOURCES, tmp_path / "sources"))
    path = copied / "clocks.yaml"
    path.write_text(path.read_text().replace(right, wrong, 1))
    with pytest.raises(BrokenSource) as refused:
        sources(copied)
    assert str(refused.value).startswith("clocks.yaml:")
    assert said in str(refused.value)
