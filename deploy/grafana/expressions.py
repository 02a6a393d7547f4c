"""What a panel asks: which metrics and labels it names, and whether Prometheus can read it."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

_METRIC = re.compile(r"\b(?:hartline[_:][\w:]+|ALERTS\w*|up|process_\w+|python_\w+)\b(?!\s*=)")
_LABELS = re.compile(r"(?:\b(?:by|without|on|ignoring)\s*\(([^)]*)\))|(\w+)\s*(?:=~|!~|!=|=)\s*\"")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


class NoPromtool(Exception):
    """promtool is missing (Debian: apt-get install prometheus); it reads expressions."""


@dataclass(frozen=True, slots=True)
class Asked:
    panel: str
    expr: str


def names_and_labels(expr: str) -> tuple[set[str], set[str]]:
    """The metrics, ours and Prometheus's own, and the labels that it names."""
    bare = _TEXT.sub('""', expr)
    listed = [part for pair in _LABELS.findall(bare) for part in pair]
    labels = {label.strip() for part in listed for label in part.split(",")} - {""}
    return set(_METRIC.findall(bare)), labels


def filled(expr: str, *, window: str = "1m", host: str = ".*") -> str:
    """With something in the place of each variable, as Grafana would put it."""
    values = {"host": host, "__rate_interval": window, "__range": "1h", "__interval": "15s"}
    return _VARIABLE.sub(lambda found: values.get(found[1], ".*"), expr)


def unreadable(asked: Sequence[Asked]) -> list[str | None]:
    """For each, why Prometheus cannot read it, or None. Raises NoPromtool.

    promtool says nothing of the others once one is broken, so that one is asked alone.
    """
    if not any(_complaints(asked)):
        return [None] * len(asked)
    return [_complaints([each])[0] for each in asked]


def _complaints(asked: Sequence[Asked]) -> list[str | None]:
    path = shutil.which("promtool")
    if path is None:
        raise NoPromtool(NoPromtool.__doc__)
    rules = [
        {"record": f"asked:{number}", "expr": filled(each.expr)}
        for number, each in enumerate(asked)
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "asked.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
        tried = subprocess.run(
            [path, "check", "rules", str(file)], capture_output=True, text=True, check=False
        )
    if tried.returncode == 0:
        return [None] * len(asked)
    return [_reason(tried.stdout + tried.stderr)] * len(asked)


def _reason(said: str) -> str:
    found = re.search(r"parse error: ?(.*)", said)
    return (found[1] if found else said).strip().splitlines()[0][:200]
