"""A home keeps what it made, and hands each service its own and nothing more."""

import asyncio
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from subprocess import PIPE

import pytest

from deploy.machine import kafka, running
from deploy.machine.bootstrap import schema_dsns
from deploy.machine.home import KEYS, ROOT, Home, Ports
from deploy.machine.kafka import KafkaUnavailable
from deploy.machine.machine import SERVICES, Machine, NotReady
from deploy.machine.ports import claim, claim_ports, free_ports, is_free
from deploy.machine.running import AlreadyRunning
from shared.runtime.ops import Ages, Readiness, operations
from shared.runtime.server import listen, serve_on


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_keys_and_passwords_are_made_once(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    passwords, before = home.passwords(), contents(home.path)
    home.make()
    assert home.passwords() == passwords
    assert contents(home.path) == before
    assert len(set(passwords.values())) == 10


def test_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    home.passwords()
    secret = [home.path / "passwords.json", *home.keys.rglob("*.key"), home.issuer_key]
    assert [path.name for path in secret if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_no_other_services_secrets(tmp_path: Path, service: str) -> None:
    machine = Machine(Home(tmp_path / "home"), Ports())
    machine.home.make()
    passwords = machine.home.passwords()
    machine._dsns = schema_dsns("postgresql://postgres:super@h/hartline", passwords)
    environment = machine.environment(service)
    given = " ".join(environment.values())
    seen = {role for role, password in passwords.items() if password in given}
    assert seen == {f"hartline_{service}_app", "hartline_bus_app"}
    assert "super" not in given
    keys = {value for name, value in environment.items() if name.endswith("_KEYS")}
    assert keys == ({str(machine.home.keys / service)} if service in KEYS else set())


def test_a_page_links_to_the_port_that_notify_has_here(tmp_path: Path) -> None:
    machine = Machine(Home(tmp_path / "home"), Ports(notify=28702))
    machine.home.make()
    passwords = machine.home.passwords()
    machine._dsns = schema_dsns("postgresql://postgres:super@h/hartline", passwords)
    given = machine.environment("notify")
    assert given["HARTLINE_NOTIFY_TASKS_URL"] == "http://127.0.0.1:28702/v1/tasks"
    assert "HARTLINE_NOTIFY_TASKS_URL" not in machine.environment("intake")


def test_a_port_that_somebody_has_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free = Ports(intake=port).where_taken_another()
    assert free.intake != port
    assert len(set(asdict(free).values())) == len(asdict(free))


_TAKES = """
import sys
from dataclasses import asdict, replace
from deploy.machine.home import Ports
sys.stdin.readline()
print(*asdict(Ports(*map(int, sys.argv[1:])).where_taken_another()).values(), flush=True)
sys.stdin.readline()
"""


def test_two_runs_that_begin_in_one_moment_are_given_no_port_in_common() -> None:
    wanted = map(str, free_ports(9))
    argv = [sys.executable, "-c", _TAKES, *wanted]
    runs = [subprocess.Popen(argv, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) for _ in range(2)]
    for each in runs:
        told(each)
    lines = [each.stdout.readline() if each.stdout else "" for each in runs]
    for each in runs:
        each.communicate("\n")
    given = [set(map(int, line.split())) for line in lines]
    assert [len(each) for each in given] == [9, 9]
    assert given[0] & given[1] == set()


def told(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_what_is_claimed_can_be_served_and_is_free_for_nobody_else() -> None:
    (port,) = claim_ports(1)
    assert not is_free(port)
    assert not claim(port)
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_one_runs_at_a_time(tmp_path: Path) -> None:
    with (
        running.lock(tmp_path),
        pytest.raises(AlreadyRunning, match="make down"),
        running.lock(tmp_path),
    ):
        pass
    assert running.current(tmp_path) is None


def test_what_a_killed_run_left_behind_is_not_taken_for_running(tmp_path: Path) -> None:
    with running.lock(tmp_path):
        running.remember(tmp_path, Machine(Home(tmp_path / "home"), Ports()))
        assert running.current(tmp_path) is not None
    assert running.current(tmp_path) is None
    assert running.stop(tmp_path) is False


def test_without_java_or_maven_it_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(KafkaUnavailable, match=r"Maven is missing.*apt-get install"):
        kafka.jars()
    with pytest.raises(KafkaUnavailable, match=r"Java is missing.*apt-get install"):
        kafka._java()
    assert [left.name for left in (tmp_path / "hartline").iterdir()] == ["kafka.lock"]


@pytest.mark.parametrize("run", [None, "another"])
async def test_what_answers_on_our_port_and_is_not_ours_does_not_make_it_ready(
    tmp_path: Path, run: str | None
) -> None:
    app, stop = operations("intake", Readiness(), Ages("intake"), run=run), asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(serve_on(app, listener, stop))
        port = listener.getsockname()[1]
        machine = Machine(Home(tmp_path / "home"), replace(Ports(), intake_ops=port))
        with pytest.raises(NotReady, match=f"another process answers on port {port}"):
            await machine.wait_ready(0.0)
        stop.set()
        await serving
