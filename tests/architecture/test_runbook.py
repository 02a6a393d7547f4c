"""Whoever is paged finds the page, and the page is whole: the alert rules and docs/runbook.md."""

import re

import pytest
from prometheus_client import REGISTRY

from deploy.machine.home import ROOT
from services.notify.oncall.pages_of_book import page_of
from services.notify.tasks.task import TaskKind
from shared.contracts.registry import BY_TYPE
from shared.runtime import metrics
from tests.support.alert_rules import ALERTS, Alert

BOOK = (ROOT / "docs" / "runbook.md").read_text()
_TASKS = "tasks: a person has to look"
PARTS = ("For a child", "Look", "Do", "Call", "Over")
"""What it means, where to look first, how to mend it, whom to call, how to know it is over."""


def slug(heading: str) -> str:
    """The anchor that a Markdown renderer gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


PAGES = {
    slug(heading): body for heading, body in re.findall(r"(?ms)^## (.+?)\n(.*?)(?=^## |\Z)", BOOK)
}


def named(page: str) -> set[str]:
    """The alerts that a page says it is about."""
    line = re.search(r"(?m)^Alerts: (.+)\.$", page)
    return set(re.findall(r"`(\w+)`", line[1])) if line else set()


@pytest.mark.parametrize("alert", ALERTS, ids=str)
def test_each_alert_leads_to_a_page_that_is_about_it(alert: Alert) -> None:
    file, _, anchor = alert.runbook.partition("#")
    assert file == "docs/runbook.md"
    assert alert.name in named(PAGES[anchor])


def test_each_alert_that_a_page_is_about_exists_and_no_two_pages_share_one() -> None:
    about = sorted(name for page in PAGES.values() for name in named(page))
    assert about == sorted(alert.name for alert in ALERTS)


@pytest.mark.parametrize("anchor", [name for name, page in PAGES.items() if named(page)])
def test_each_page_says_all_that_somebody_needs_at_three_in_the_morning(anchor: str) -> None:
    said = re.findall(r"\*\*([A-Z][\w ]*?)[:.]?\*\*", " ".join(PAGES[anchor].split()))
    assert [part for part in PARTS if part not in said] == []


@pytest.mark.parametrize("kind", TaskKind)
def test_each_kind_of_task_leads_to_a_page_and_is_named_there(kind: TaskKind) -> None:
    file, _, anchor = page_of(kind.value).partition("#")
    assert file == "docs/runbook.md"
    assert f"`{kind.value}`" in PAGES[anchor] or f"`{kind.value}`" in PAGES[slug(_TASKS)]


def test_a_kind_of_task_of_a_later_release_leads_to_the_page_on_tasks() -> None:
    """Whoever is paged for it is paged for others in the same breath."""
    assert page_of("unheard_of") == f"docs/runbook.md#{slug(_TASKS)}"


def test_it_names_only_metrics_that_are_declared() -> None:
    assert metrics.OLDEST_AGE
    declared = {
        f"{family.name}{suffix}"
        for family in REGISTRY.collect()
        for suffix in ("", "_total", "_count", "_created")
    }
    assert {name for name in re.findall(r"hartline_[a-z_]+[a-z]", BOOK) if "_app" not in name} <= (
        declared
    )


@pytest.mark.parametrize("kind", sorted(BY_TYPE))
def test_whoever_finds_a_fork_reads_what_its_second_event_means_for_the_child(kind: str) -> None:
    rows = re.findall(
        r"(?m)^   \| ([^|]*`hartline[^|]*) \|", PAGES["a-fork-two-events-of-one-number"]
    )
    named = [name.rstrip("…") for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert [name for name in named if kind.startswith(name)]


def test_the_pages_that_the_doctor_names_exist() -> None:
    """Of what it finds by itself; an alert's are above."""
    sources = [path.read_text() for path in (ROOT / "deploy" / "operations").glob("*.py")]
    anchors = {name for text in sources for name in re.findall(r"#([a-z]+(?:-[a-z]+){2,})", text)}
    assert "a-fork-two-events-of-one-number" in anchors
    assert anchors - PAGES.keys() == set()
