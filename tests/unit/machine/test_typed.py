"""What the doctor prints can be typed where it runs, as it stands."""

import os
from pathlib import Path

import pytest

from deploy.machine.home import ROOT
from deploy.machine.host import OneMachine
from deploy.machine.running import Running
from deploy.operations.doctor import examine
from deploy.operations.hosting import Unknown
from deploy.operations.places import Place
from services.notify.directory.coverage import Gap
from services.notify.telling_checks import of_gaps
from services.notify.waiting_checks import of_tasks
from services.notify.waiting_store import Open
from shared.runtime.findings import Finding, act


@pytest.fixture
def host(tmp_path: Path) -> OneMachine:
    return OneMachine(Running(os.getpid(), str(tmp_path), {}))


def finding(do: str) -> Finding:
    return act("audit, x", "says", do)


@pytest.mark.parametrize(
    ("do", "typed"),
    [
        (
            "python -m services.notify directory coverage lists them.",
            "./hartline run notify directory coverage lists them.",
        ),
        ("Run python -m services.audit.check.", "Run ./hartline -m services.audit.check."),
        ("python -m deploy.topics compare", "./hartline -m deploy.topics compare"),
        ("python -m deploy.machine restart audit", "./hartline restart audit"),
        (
            "GET /v1/proposals?open=true shows each",
            "./hartline ask audit GET '/v1/proposals?open=true' shows each",
        ),
        (
            "first `python -m services.SERVICE parked show ref_1`",
            "first `./hartline run SERVICE parked show ref_1`",
        ),
        (
            "see GET /v1/halts/hlt_1/notices (x)",
            "see ./hartline ask audit GET '/v1/halts/hlt_1/notices' (x)",
        ),
        ("Then: see GET /v1/tasks?open.", "Then: see ./hartline ask audit GET '/v1/tasks?open'."),
        ("Start it.", "Start it."),
    ],
)
def test_on_one_machine_a_command_is_the_launchers(host: OneMachine, do: str, typed: str) -> None:
    assert host.typed(finding(do)).do == typed
    assert host.typed(finding(typed)).do == typed
    assert Unknown().typed(finding(do)).do == do


def test_of_what_notify_finds_every_command_is_typed(host: OneMachine) -> None:
    (tasks,) = of_tasks([Open("refused", 2, 3.0)])
    assert host.typed(tasks).do.startswith("./hartline ask notify GET '/v1/tasks?open' says")
    (towns,) = of_gaps(169, [Gap("Ansonia", "police", "nobody on file")])
    assert host.typed(towns).do.startswith("./hartline run notify directory coverage lists")


async def test_the_doctor_names_the_file_of_a_setting_and_what_happens_once_it_is_mended(
    host: OneMachine, tmp_path: Path
) -> None:
    file = tmp_path / "intake.env"
    broken = {"HARTLINE_INTAKE_DSN": "postgresql://nobody@127.0.0.1:1/none"}
    place = Place("intake", "http://127.0.0.1:1", broken, file)
    dos = [each.do for each in await examine([place], host) if each.about == "intake, settings"]
    assert set(dos) == {
        f"Mend it in {file} (docs/settings.md); it is started by itself within seconds."
    }
    dos = [each.do for each in await examine([place]) if each.about == "intake, settings"]
    assert set(dos) == {f"Mend it in {file} (docs/settings.md), then start the service."}


def test_the_launcher_is_there() -> None:
    assert os.access(ROOT / "hartline", os.X_OK)
