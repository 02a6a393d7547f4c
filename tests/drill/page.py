"""docs/restore.md as the drill follows it: its numbered steps, and the commands it gives."""

import re
from collections.abc import Sequence
from pathlib import Path

from deploy.machine.home import ROOT

PAGE = ROOT / "docs" / "restore.md"
_STEP = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)


class NotOnThePage(Exception):
    """The drill did what the page does not say. One of the two is wrong."""


class Page:
    """Steps are taken in the page's order, each once; commands are those that it gives."""

    def __init__(self, path: Path = PAGE) -> None:
        self._text = path.read_text()
        found: list[tuple[str, str]] = _STEP.findall(self._text)
        self.steps = [title for _, title in found]
        self._taken = 0
        if [int(number) for number, _ in found] != list(range(1, len(found) + 1)):
            raise NotOnThePage(f"{path.name} does not number its steps from 1 on.")

    def take(self, number: int) -> str:
        """Go on to this step; its title."""
        if number != self._taken + 1 or number > len(self.steps):
            raise NotOnThePage(f"Step {number} does not follow step {self._taken}.")
        self._taken = number
        return self.steps[number - 1]

    def end(self) -> None:
        """Raises NotOnThePage when there are steps that were not taken."""
        if self._taken != len(self.steps):
            raise NotOnThePage(f"Step {self._taken + 1} was not taken.")

    def check(self, command: Sequence[str]) -> None:
        """Raises NotOnThePage unless the page gives this command: its words up to the first that
        is a path, an id, an option or something of the day."""
        words = []
        for word in command:
            option = word.startswith("-") and word != "-m"
            if option or "/" in word or "_" in word or any(map(str.isdigit, word)):
                break
            words.append(word)
        if f"    {' '.join(words)}" not in self._text:
            raise NotOnThePage(f"{PAGE.name} does not give: {' '.join(words)}")
