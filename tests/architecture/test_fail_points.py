"""Every fail point of the code is killed at, by the kill harness or by a test of its own."""

import re

from deploy.machine.home import ROOT
from deploy.machine.machine import SERVICES
from shared.contracts.registry import CONSUMERS, EMITTERS
from tests.chaos.points import ELSEWHERE, POINTS

PASSED = re.compile(r'failpoint\(f?"([^"]+)"\)')
OWN_NAME = "{self._name}"


def passed() -> set[str]:
    """In the code; those of messaging for each service that emits, or consumes."""
    found = set()
    for top in ("services", "shared"):
        for path in (ROOT / top).rglob("*.py"):
            for name in PASSED.findall(path.read_text()):
                found |= {name.replace(OWN_NAME, each) for each in users(name)}
    return found


def users(name: str) -> set[str]:
    if OWN_NAME not in name:
        return {""}
    if ".relay." in name:
        sources = {source.value for every in EMITTERS.values() for source in every}
        return {service for service in SERVICES if any(s.endswith(service) for s in sources)}
    return {service for services in CONSUMERS.values() for service in services}


def test_the_kill_harness_passes_every_other_fail_point_of_the_code() -> None:
    assert {point for points in POINTS.values() for point in points} == passed() - set(ELSEWHERE)


def test_what_it_does_not_pass_is_killed_by_a_test_that_names_it() -> None:
    assert set(ELSEWHERE) <= passed()
    assert {
        point for point, test in ELSEWHERE.items() if point not in (ROOT / test).read_text()
    } == set()


def test_the_architecture_page_says_what_follows_each_of_them() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert {point for point in passed() if f"`{point}`" not in page} == set()
