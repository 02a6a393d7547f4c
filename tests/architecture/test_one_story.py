"""The README's table, the process lists, docker-compose.yml, the registry and Kafka's topics say
the same."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.machine.home import ROOT
from deploy.machine.machine import SERVICES
from shared.contracts.base import Source, Topic
from shared.contracts.registry import CONSUMERS, EMITTERS
from shared.runtime import migrate

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def table(path: Path) -> dict[str, tuple[set[str], set[str], set[str]]]:
    """Service → what it consumes, emits, and its roles, from a page's Markdown table."""
    rows = re.findall(
        r"^\| (\w+) \|([^|]*)\|([^|]*)\|([^|]*)\|$", path.read_text(), flags=re.MULTILINE
    )
    names = {service.value.rpartition("/")[2] for service in Source}
    return {
        row[0]: tuple(
            {word.strip() for word in cell.split(",") if word.strip()} for cell in row[1:]
        )  # type: ignore[misc]
        for row in rows
        if row[0] in names
    }


PAGES = [ROOT / "README.md", ROOT / "docs" / "architecture.md"]


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> dict[str, tuple[set[str], set[str], set[str]]]:
    return table(request.param)


def test_a_page_names_every_service(page: dict[str, Any]) -> None:
    assert set(page) == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_page_lists_the_roles_that_the_process_runs(page: dict[str, Any], service: str) -> None:
    assert page[service][2] == set(importlib.import_module(f"services.{service}.__main__").ROLES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_page_says_what_the_registry_says_of_topics(page: dict[str, Any], service: str) -> None:
    consumes = {topic.value for topic, names in CONSUMERS.items() if service in names}
    emits = {
        topic.value
        for topic, sources in EMITTERS.items()
        if any(source.value.rpartition("/")[2] == service for source in sources)
    }
    assert page[service][:2] == (consumes, emits)


def test_who_consumes_has_a_consumer_and_who_emits_has_a_relay() -> None:
    for service in SERVICES:
        roles = set(importlib.import_module(f"services.{service}.__main__").ROLES)
        consumes = any(service in names for names in CONSUMERS.values())
        emits = any(
            source.value.endswith(f"/{service}") for each in EMITTERS.values() for source in each
        )
        assert ({"consume", "work"} <= roles) == consumes
        assert ("relay" in roles) == emits


def test_kafka_makes_every_topic_and_no_other() -> None:
    topics = yaml.safe_load((ROOT / "deploy" / "kafka" / "topics.yaml").read_text())["topics"]
    assert sorted(topics) == sorted(Topic)


def test_compose_runs_the_same_processes_as_one_machine() -> None:
    ours = {
        name: service["command"]
        for name, service in COMPOSE["services"].items()
        if service.get("image") == "hartline"
    }
    services = {name: ["python", "-m", f"services.{name}"] for name in SERVICES}
    assert {name: ours.pop(name) for name in SERVICES} == services
    assert {name: command[:3] for name, command in ours.items()} == {
        "agencies": ["python", "-m", "deploy.machine.agencies"],
        "prepare": ["python", "-m", "deploy.prepare"],
    }


def test_compose_runs_what_the_design_names_beside_them() -> None:
    beside = {"postgres", "kafka", "prometheus", "alertmanager", "grafana"}
    assert beside <= set(COMPOSE["services"])


def test_compose_hands_a_service_no_keys_but_its_own() -> None:
    for name in SERVICES:
        mounted = {volume.split(":")[0] for volume in COMPOSE["services"][name]["volumes"]}
        assert mounted <= {f"keys-{name}", "keys-issuer", f"state-{name}"}


def test_every_schema_has_its_migrations() -> None:
    assert set(migrate.SERVICES) == {*SERVICES, "bus"}


def test_compose_hands_a_service_no_password_but_its_own() -> None:
    for name in SERVICES:
        assert COMPOSE["services"][name]["secrets"] == [f"HARTLINE_{name.upper()}_DSN"]


def test_compose_names_the_secrets_that_make_writes_and_no_other(tmp_path: Path) -> None:
    compose_secrets = importlib.import_module("deploy.compose_secrets")
    written = compose_secrets.write(tmp_path / ".secrets")
    asked = {Path(secret["file"]) for secret in COMPOSE["secrets"].values()}
    assert asked == {Path(".secrets") / name for name in written}
    handed = {name for each in COMPOSE["services"].values() for name in each.get("secrets", [])}
    assert handed == set(written)
