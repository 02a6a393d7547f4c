"""deploy/systemd, read strictly everywhere and by systemd itself where it is.

No unit was started here: this project's machines do not boot systemd.
"""

import re
from pathlib import Path

import pytest

from deploy.machine.machine import SERVICES
from tests.support.systemd import ANALYZE, FOLDER, PYTHON, analyzed, environment, read, units

UNITS = units()
PROCESSES = [name for name in UNITS if name.endswith(".service")]
OF_SYSTEMD = ["systemd-analyze"] if ANALYZE else []


@pytest.mark.parametrize("_", OF_SYSTEMD)
def test_systemd_finds_nothing_to_say(_: str, tmp_path: Path) -> None:
    done = analyzed(tmp_path, "verify", "--man=no")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("_", OF_SYSTEMD)
def test_systemd_calls_them_little_exposed(_: str, tmp_path: Path) -> None:
    """Its scale goes from 0 to 10; ours must stay below 2."""
    done = analyzed(tmp_path, "security", "--offline=true", "--no-pager", "--threshold=20")
    levels = re.findall(r"exposure level for (\S+): ([\d.]+)", done.stdout)
    assert {name for name, _ in levels} == set(PROCESSES)
    assert (done.returncode, [level for _, level in levels if float(level) >= 2]) == (0, [])


@pytest.mark.parametrize(
    "broken",
    [
        "[Service]\nExecSart=x",
        "[Service]\nNice=1\nNice=2",
        "[Servce]\nNice=1",
        "Nice=1",
        "[Unit]\nx",
    ],
)
def test_what_is_not_known_is_an_error(broken: str) -> None:
    with pytest.raises(ValueError, match="line"):
        read(broken)


@pytest.mark.parametrize("name", PROCESSES)
def test_each_runs_as_a_user_of_its_own_that_is_made(name: str) -> None:
    made = re.findall(r"^u (\S+) -", (FOLDER / "hartline.sysusers.conf").read_text(), re.MULTILINE)
    service = UNITS[name]["Service"]
    assert service["User"] == service["Group"] == [name.removesuffix(".service")]
    assert service["User"][0] in made
    assert service["ExecStart"][0].startswith(f"{PYTHON} -m ")
    assert service["MemoryMax"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_loads_no_secret_but_its_own(service: str) -> None:
    unit = UNITS[f"hartline-{service}.service"]
    loaded = {credential.split(":")[0] for credential in unit["Service"]["LoadCredential"]}
    assert loaded == {f"HARTLINE_{service.upper()}_DSN", "HARTLINE_BUS_DSN"}
    for name, value in environment(unit).items():
        if value.startswith("/etc/hartline/"):
            assert value.startswith(f"/etc/hartline/{service}/"), name


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_that_ends_is_started_again_for_ever(service: str) -> None:
    unit = UNITS[f"hartline-{service}.service"]
    assert unit["Service"]["Restart"] == ["always"]
    assert unit["Unit"]["StartLimitIntervalSec"] == ["0"]
