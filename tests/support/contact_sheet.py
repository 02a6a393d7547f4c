"""Panels drawn as one SVG a dashboard, for a person to look at: what they show, not how Grafana
would paint it."""

from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path

from tests.support.boards import Query, Series

_WIDE, _HIGH, _ACROSS = 460, 190, 3
_COLOURS = ("#3274d9", "#e0752d", "#56a64b", "#a352cc", "#c4162a", "#8ab8ff", "#b877d9", "#fade2a")
_LEGENDS = 7


def drawn(seen: list[tuple[Query, Series]], folder: Path) -> None:
    """Write `NAME.svg` for each dashboard."""
    folder.mkdir(parents=True, exist_ok=True)
    for board, of_board in groupby(seen, key=lambda each: each[0].board):
        panels = [
            (title, [*found]) for title, found in groupby(of_board, key=lambda each: each[0].panel)
        ]
        (folder / f"{board}.svg").write_text("".join(_sheet(panels)), encoding="utf-8")


def _sheet(panels: list[tuple[str, list[tuple[Query, Series]]]]) -> Iterator[str]:
    rows = -(-len(panels) // _ACROSS)
    size = f'width="{_ACROSS * _WIDE}" height="{rows * _HIGH}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">'
    yield '<rect width="100%" height="100%" fill="#f4f5f5"/>'
    for number, (title, found) in enumerate(panels):
        x, y = number % _ACROSS * _WIDE, number // _ACROSS * _HIGH
        yield f'<g transform="translate({x + 5},{y + 5})">'
        yield f'<rect width="{_WIDE - 10}" height="{_HIGH - 10}" fill="white" stroke="#d8d9da"/>'
        yield f'<text x="10" y="20" font-size="13" font-weight="bold">{escape(title)}</text>'
        named = [each for _, series in found for each in series if each[1]]
        kind, unit = found[0][0].kind, found[0][0].unit
        yield from _number(named, unit) if kind == "stat" else _body(named, kind, unit)
        yield "</g>"
    yield "</svg>"


def _number(lines: Series, unit: str) -> Iterator[str]:
    shown = _said(lines[0][1][-1][1], unit) if lines else "none"
    yield f'<text x="{_WIDE // 2 - 30}" y="105" font-size="40">{shown}</text>'


def _body(lines: Series, kind: str, unit: str) -> Iterator[str]:
    if kind == "timeseries":
        yield from _graph(lines)
    for at, (legend, values) in enumerate(lines[:_LEGENDS]):
        x, y = (290, 45 + at * 18) if kind == "timeseries" else (15, 45 + at * 18)
        text = f"{escape(legend[:40])}  {_said(values[-1][1], unit)}"
        yield f'<text x="{x}" y="{y}" font-size="10" fill="{_COLOURS[at]}">{text}</text>'
    if len(lines) > _LEGENDS:
        more = f"and {len(lines) - _LEGENDS} more"
        yield f'<text x="15" y="{_HIGH - 16}" font-size="10">{more}</text>'


def _graph(lines: Series) -> Iterator[str]:
    points = [pair for _, values in lines for pair in values]
    if not points:
        return
    first, last = min(at for at, _ in points), max(at for at, _ in points)
    most = max(value for _, value in points) or 1.0
    for at, (_, values) in enumerate(lines[:_LEGENDS]):
        path = " ".join(
            f"{15 + 260 * (when - first) / ((last - first) or 1):.1f},"
            f"{165 - 125 * value / most:.1f}"
            for when, value in values
        )
        yield f'<polyline points="{path}" fill="none" stroke="{_COLOURS[at]}" stroke-width="2"/>'


def _said(value: float, unit: str) -> str:
    match unit:
        case "percentunit":
            return f"{value * 100:.1f} %"
        case "bytes":
            return f"{value / 1e6:.0f} MB"
        case "s":
            return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.3g} s"
        case _:
            return f"{value:.3g}"
