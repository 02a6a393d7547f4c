"""One machine, compose, Kubernetes and systemd run the same processes, told what the code reads."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from deploy.machine.bootstrap import role_names, schema_dsns
from deploy.machine.home import KEYS, ROOT, Home, Ports
from deploy.machine.machine import SERVICES, Machine
from shared.runtime.settings import Profile, ServiceSettings
from tests.support import kubernetes, systemd
from tests.support.compose import compose

PAGE = (ROOT / "docs" / "settings.md").read_text()
LISTED = set(re.findall(r"^\| `(HARTLINE_\w+)`", PAGE, re.MULTILINE))
WAYS = ("compose", "kubernetes", "systemd")


def one_machine(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    machine = Machine(Home(tmp_path), Ports())
    passwords = dict.fromkeys(role_names(), "unused")
    machine._dsns = schema_dsns("postgresql://postgres@localhost/postgres", passwords)
    return {
        program.name: tuple(program.argv[1:])
        for program in machine.programs()
        if program.name != "agencies"
    }


def commands(way: str) -> dict[str, tuple[str, ...]]:
    """Service → what follows `python`."""
    match way:
        case "compose":
            services = compose()["services"]
            found = {name: services[name]["command"] for name in services if _ours(services[name])}
            return {name: tuple(words[1:]) for name, words in found.items()}
        case "kubernetes":
            deployments = kubernetes.of_kind("Deployment")
            return {
                name: tuple(_container(each)["command"][1:]) for name, each in deployments.items()
            }
        case _:
            units = systemd.units()
            starts = {
                name: unit["Service"]["ExecStart"][0]
                for name, unit in units.items()
                if "Service" in unit
            }
            return {
                name.removeprefix("hartline-").removesuffix(".service"): tuple(start.split()[1:])
                for name, start in starts.items()
                if name != "hartline-prepare.service"
            }


def environment(way: str, service: str) -> dict[str, str]:
    match way:
        case "compose":
            told: dict[str, str | None] = compose()["services"][service]["environment"]
            return {name: value for name, value in told.items() if value is not None}
        case "kubernetes":
            container = _container(kubernetes.of_kind("Deployment")[service])
            shared: dict[str, str] = kubernetes.of_kind("ConfigMap")["hartline"]["data"]
            return shared | {each["name"]: each["value"] for each in container["env"]}
        case _:
            lines = (systemd.FOLDER / "hartline.environment").read_text().splitlines()
            common = dict(line.split("=", 1) for line in lines if line and line[0] != "#")
            return common | systemd.environment(systemd.units()[f"hartline-{service}.service"])


def _ours(service: dict[str, Any]) -> bool:
    ours: bool = service["image"] == "hartline" and service["command"][2].startswith("services.")
    return ours


def _container(deployment: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return container


@pytest.mark.parametrize("way", WAYS)
def test_every_way_runs_what_one_machine_runs(way: str, tmp_path: Path) -> None:
    assert commands(way) == one_machine(tmp_path)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("way", WAYS)
def test_a_process_starts_with_what_it_is_told(
    way: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = environment(way, service) | {"HARTLINE_SECRETS": str(tmp_path)}
    for name in (f"HARTLINE_{service.upper()}_DSN", "HARTLINE_BUS_DSN"):
        (tmp_path / name).write_text("postgresql://example@localhost/hartline")
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    settings = _settings(service).load()
    trial = way == "compose"
    assert settings.profile is (Profile.DEVELOPMENT if trial else Profile.PRODUCTION)
    assert (f"HARTLINE_{service.upper()}_KEYS" in told) == (service in KEYS)
    assert ("HARTLINE_NOTIFY_MARKER" in told) == (service == "notify")
    assert {name for name in told if name.startswith("HARTLINE_")} <= LISTED


def _settings(service: str) -> type[ServiceSettings]:
    module = importlib.import_module(f"services.{service}.settings")
    found: type[ServiceSettings] = getattr(module, f"{service.title()}Settings")
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_the_operations_port_is_the_one_that_is_watched(service: str) -> None:
    port = _settings(service).model_fields["ops_port"].default
    ports = _container(kubernetes.of_kind("Deployment")[service])["ports"]
    assert {"name": "operations", "containerPort": port} in ports
    assert compose()["services"][service]["healthcheck"]["test"][-1] == str(port)
    assert f"{service}:{port}" in (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()


def test_niceness_is_the_same_on_systemd_as_on_one_machine(tmp_path: Path) -> None:
    machine = Machine(Home(tmp_path), Ports())
    passwords = dict.fromkeys(role_names(), "unused")
    machine._dsns = schema_dsns("postgresql://postgres@localhost/postgres", passwords)
    nice = {program.name: str(program.nice) for program in machine.programs()}
    units = systemd.units()
    assert {name: nice[name] for name in SERVICES} == {
        name: units[f"hartline-{name}.service"]["Service"]["Nice"][0] for name in SERVICES
    }
