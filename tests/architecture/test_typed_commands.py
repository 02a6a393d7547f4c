"""What the pages have an operator type works as it stands: in a clone, with nothing entered."""

import re
import shlex
from pathlib import Path

import pytest

from deploy.machine.__main__ import _parser
from deploy.machine.home import ROOT

OPERATORS = ("runbook.md", "operations.md", "oncall.md", "trial.md")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_TYPED = re.compile(r"(?m)^ *(\./hartline (?!-m).+)$|`(\./hartline (?!-m)[^`]+)`")
_TARGETS = set(re.findall(r"(?m)^([.a-z]+(?: [a-z]+)*):", (ROOT / "Makefile").read_text()))
TARGETS = {word for line in _TARGETS for word in line.split()}
TYPED = sorted({one or other for page in PAGES for one, other in _TYPED.findall(page.read_text())})


@pytest.mark.parametrize("command", TYPED)
def test_what_is_typed_is_a_command_of_the_launcher(command: str) -> None:
    line = command.split("\\|")[0].split(" | ")[0]
    words = ["notify" if word in ("SERVICE", "X") else word for word in shlex.split(line)[1:]]
    if words not in (["--help"], [], ["run", "notify", "…"]):
        _parser().parse_args(words)


@pytest.mark.parametrize("page", OPERATORS)
def test_an_operators_page_never_has_python_typed_on_one_machine(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    assert "python -m deploy.machine" not in text
    assert re.findall(r"(?m)^    python -m services\.", text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_that_a_page_has_typed_is_there(page: Path) -> None:
    named = re.findall(r"(?m)(?:^|`)make ([a-z]+)", page.read_text())
    assert set(named) - TARGETS == set()


def test_there_are_commands() -> None:
    assert len(TYPED) > 25
