"""The drill does what docs/restore.md says, in its order, and nothing else."""

from pathlib import Path

import pytest

from tests.drill.page import NotOnThePage, Page
from tests.drill.restoring import STEPS


def page_of(tmp_path: Path, text: str) -> Page:
    path = tmp_path / "page.md"
    path.write_text(text)
    return Page(path)


def test_every_step_of_the_page_is_one_of_the_drill() -> None:
    page = Page()
    assert len(page.steps) == len(STEPS)
    for number in range(1, len(STEPS) + 1):
        page.take(number)
    page.end()


def test_a_step_cannot_be_left_out_or_taken_twice(tmp_path: Path) -> None:
    page = page_of(tmp_path, "## 1. First\n\n## 2. Second\n\n## 3. Third\n")
    assert page.take(1) == "First"
    for number in (1, 3):
        with pytest.raises(NotOnThePage):
            page.take(number)
    page.take(2)
    with pytest.raises(NotOnThePage):
        page.end()


def test_a_page_that_numbers_its_steps_wrongly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotOnThePage):
        page_of(tmp_path, "## 1. First\n\n## 3. Third\n")


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("services.notify controls resume hlt_1 --by SOMEBODY", True),
        ("services.notify controls list", True),
        ("services.notify controls pause agy_1", False),
        ("services.audit recover from-export /somewhere", False),
    ],
)
def test_only_commands_of_the_page_are_run(tmp_path: Path, command: str, given: bool) -> None:
    commands = "controls resume hlt_…", "controls list"
    text = "".join(f"    python -m services.notify {each}\n" for each in commands)
    page = page_of(tmp_path, f"## 1. First\n\n{text}")
    words = ("python", "-m", *command.split())
    if given:
        page.check(words)
    else:
        with pytest.raises(NotOnThePage):
            page.check(words)
