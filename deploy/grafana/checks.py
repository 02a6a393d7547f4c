"""A dashboard is refused before Grafana gets it: with file, line, panel and the mend."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.grafana.boards import BOOK, COLUMNS, TYPES, ZONE
from deploy.grafana.expressions import Asked, names_and_labels, unreadable

_UID = re.compile(r"[a-z][a-z0-9-]{2,39}")
_VARIABLES = re.compile(r"\$\{?(\w+)\}?")
_BUILT_IN = ("__rate_interval", "__range", "__interval")
_PAGE = re.compile(rf"{re.escape(BOOK)}#([\w-]+)")
_NOBODY = {"agency", "agency_id", "town", "referral", "child", "instance_id"}
_SILENT = {'what="held"', 'result="refused"'}
"""Of what these select, not even the recipient's kind is shown."""


@dataclass(frozen=True, slots=True, order=True)
class Broken:
    """Why a dashboard is not handed over, and what to write instead."""

    file: str
    line: int
    panel: str
    what: str
    mend: str

    def __str__(self) -> str:
        where = f", panel {self.panel!r}" if self.panel else ""
        return f"{self.file}:{self.line}{where}: {self.what}: {self.mend}."


@dataclass(slots=True)
class _File:
    """A dashboard that still knows its lines."""

    path: Path
    text: str
    found: list[Broken] = field(default_factory=list)

    def refuse(self, what: str, mend: str, *, panel: str = "", near: str | None = None) -> None:
        """`near`: a piece of text on the line that is meant; else where the panel's title is."""
        line = self._line(panel, near)
        self.found.append(Broken(self.path.name, line, panel, what, mend))

    def _line(self, panel: str, near: str | None) -> int:
        lines = self.text.splitlines()
        title = f'"title": {json.dumps(panel, ensure_ascii=False)}'
        first = next((n for n, line in enumerate(lines) if panel and title in line), 0)
        if near is not None:
            wanted = json.dumps(near, ensure_ascii=False)
            first = next(
                (n for n, line in enumerate(lines) if n >= first and wanted in line), first
            )
        return first + 1


def check(paths: Sequence[Path], metrics: frozenset[str], pages: frozenset[str]) -> list[Broken]:
    """What is wrong with these files; nothing when all may be handed over.

    `metrics`: every name that may be asked for; `pages`: the runbook's anchors. Raises
    expressions.NoPromtool when nobody can say whether an expression can be read.
    """
    files = [_File(path, _read(path)) for path in sorted(paths)]
    boards = [(file, _parsed(file)) for file in files]
    known = [(file, board) for file, board in boards if board is not None]
    asked: list[tuple[_File, Asked]] = []
    for file, board in known:
        _check_board(file, board)
        for panel in _panels(file, board):
            _check_panel(file, panel, pages)
            asked += [(file, each) for each in _asked(file, board, panel, metrics)]
    _check_unique(known)
    for (file, each), why in zip(asked, unreadable([a for _, a in asked]), strict=True):
        if why is not None:
            file.refuse(f"Prometheus cannot read it ({why})", "mend the expression",
                        panel=each.panel, near=each.expr)  # fmt: skip
    return sorted(broken for file in files for broken in file.found)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _parsed(file: _File) -> dict[str, Any] | None:
    try:
        board = json.loads(file.text)
    except json.JSONDecodeError as error:
        mend = "mend the line, or write it anew: python -m deploy.grafana write"
        file.found.append(
            Broken(file.path.name, error.lineno, "", f"it is no JSON ({error.msg})", mend)
        )
        return None
    if not isinstance(board, dict):
        file.refuse("it is no dashboard", "write it anew: python -m deploy.grafana write")
        return None
    return board


def _check_board(file: _File, board: Mapping[str, Any]) -> None:
    if not isinstance(board.get("schemaVersion"), int) or board["schemaVersion"] < 30:
        file.refuse("schemaVersion is missing or too old", "write 39", near="schemaVersion")
    if not _UID.fullmatch(str(board.get("uid", ""))):
        file.refuse("uid is missing or no word", "write hartline- and a name", near="uid")
    if not board.get("title") or not board.get("description"):
        file.refuse("it has no title or no description", "say which question it answers")
    if board.get("timezone") != ZONE:
        file.refuse("its times are not those of the people here", f"write {ZONE}", near="timezone")
    names = [each.get("name") for each in board.get("templating", {}).get("list", [])]
    if "datasource" not in names:
        file.refuse("it names no datasource", "add the variable datasource", near="templating")


def _check_unique(boards: Sequence[tuple[_File, Mapping[str, Any]]]) -> None:
    seen: dict[tuple[str, Any], str] = {}
    for file, board in boards:
        for key in ("uid", "title"):
            other = seen.setdefault((key, board.get(key)), file.path.name)
            if other != file.path.name:
                file.refuse(f"its {key} is that of {other}", "choose another", near=key)


def _panels(file: _File, board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Those that show something; ids and places are checked of all."""
    panels = board.get("panels")
    if not isinstance(panels, list) or not panels:
        file.refuse("it has no panels", "add one")
        return
    ids: set[Any] = set()
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        title = str(panel.get("title", ""))
        if not isinstance(panel.get("id"), int) or panel["id"] in ids:
            file.refuse(f"the id {panel.get('id')} is missing or taken", "number it anew",
                        panel=title)  # fmt: skip
        ids.add(panel.get("id"))
        place = _place(panel)
        if place is None or place & taken:
            file.refuse("it lies over another panel or beyond the edge", "move it", panel=title)
        taken |= place or set()
        if panel.get("type") != "row":
            yield panel


def _place(panel: Mapping[str, Any]) -> set[tuple[int, int]] | None:
    at = panel.get("gridPos", {})
    sides = [at.get(side) for side in ("x", "y", "w", "h")]
    if not all(isinstance(side, int) and side >= 0 for side in sides):
        return None
    x, y, wide, high = sides
    if wide < 1 or high < 1 or x + wide > COLUMNS:
        return None
    return {(column, row) for column in range(x, x + wide) for row in range(y, y + high)}


def _check_panel(file: _File, panel: Mapping[str, Any], pages: frozenset[str]) -> None:
    title = str(panel.get("title", ""))
    if panel.get("type") not in TYPES.values():
        file.refuse(f"there is no kind of panel {panel.get('type')}",
                    f"choose from {', '.join(TYPES.values())}", panel=title)  # fmt: skip
    said = str(panel.get("description", ""))
    page = _PAGE.search(said)
    if len(said.partition("\n")[0]) < 20:
        file.refuse("it does not say what it means", "say what it means for a child", panel=title)
    elif page is None or page[1] not in pages:
        file.refuse("it leads to no page of the runbook", f"name one of {BOOK}", panel=title)
    elif f"${{runbook}}#{page[1]}" not in {link.get("url") for link in panel.get("links", [])}:
        file.refuse("its link is not the page it names", f"link to #{page[1]}", panel=title)
    if panel.get("datasource", {}).get("uid") != "${datasource}":
        file.refuse("it names one Prometheus of somebody's", "write ${datasource}", panel=title)


def _asked(
    file: _File, board: Mapping[str, Any], panel: Mapping[str, Any], metrics: frozenset[str]
) -> Iterator[Asked]:
    title, refs = str(panel.get("title", "")), set()
    variables = {each.get("name") for each in board.get("templating", {}).get("list", [])}
    targets = panel.get("targets") or []
    if not targets:
        file.refuse("it asks nothing", "add a target", panel=title)
    for target in targets:
        expr = str(target.get("expr", ""))
        if target.get("refId") in refs or not target.get("refId"):
            file.refuse("two of its targets have one refId", "number them A, B, …", panel=title)
        refs.add(target.get("refId"))
        for name in set(_VARIABLES.findall(expr)) - variables - set(_BUILT_IN):
            file.refuse(f"${name} is no variable of it", "declare it", panel=title, near=expr)
        asked = Asked(title, expr)
        used, labels = names_and_labels(expr)
        for name in sorted(used - metrics):
            file.refuse(f"there is no metric {name}", "choose from shared/runtime/metrics.py",
                        panel=title, near=expr)  # fmt: skip
        silent = any(each in expr for each in _SILENT)
        legend = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", str(target.get("legendFormat", ""))))
        shown = labels | legend
        for label in sorted(shown & (_NOBODY | ({"kind"} if silent else set()))):
            file.refuse(f"it tells {label}, which nobody may read here", f"leave {label} out",
                        panel=title, near=expr)  # fmt: skip
        yield asked
