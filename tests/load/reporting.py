"""How the load programs say what they do, and what came of it."""

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

_BEGAN = time.monotonic()


def say(text: str) -> None:
    """Progress, with the seconds since the program began."""
    print(f"[{time.monotonic() - _BEGAN:6.1f} s] {text}", flush=True)


def show(report: dict[str, Any], rows: Iterable[Sequence[object]]) -> None:
    """The report as JSON, then as a table."""
    print(json.dumps(report, indent=2))
    print("\n" + table(rows))


def table(rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they must be."""
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return ""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"
