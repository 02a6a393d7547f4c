"""docker-compose.yml is Compose's, and nothing in it is unlimited, unwatched or root."""

import copy
import re
from typing import Any

import pytest

from tests.support.compose import compose, problems

COMPOSE = compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"] == "hartline")
ONCE = {"prepare"}


def test_the_compose_specification_allows_it() -> None:
    assert problems(COMPOSE) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("helthcheck", {}), ("mem_limit", []), ("command", 7), ("ports", "8101"), ("restart", 1)],
)
def test_the_schema_finds_what_is_wrong(key: str, value: object) -> None:
    broken = copy.deepcopy(COMPOSE)
    broken["services"]["intake"][key] = value
    assert problems(broken)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_everything_has_limits_and_gives_up_what_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONCE))
def test_everything_that_stays_is_asked_how_it_is(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= set(check)


@pytest.mark.parametrize("name", OURS)
def test_ours_write_nowhere_but_in_their_volumes(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert "cap_add" not in service


def test_no_environment_holds_a_secret() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            assert not re.search(r"://[^/]*:[^/]*@|\$\{", str(value)), f"{name}: {key}"
            by_file = key.endswith("_FILE") or key in {"HARTLINE_SECRETS"}
            assert by_file or not re.search(r"PASSWORD|_DSN|TOKEN", key), f"{name}: {key}"


def test_every_image_that_is_bought_is_pinned_to_a_release() -> None:
    images = {service["image"] for service in SERVICES.values()} - {"hartline"}
    assert [image for image in images if not re.search(r":v?\d+\.\d+(\.\d+)?$", image)] == []


def test_nothing_listens_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
