"""Secrets for docker-compose.yml are written once, and a part of them is no set."""

import stat
from pathlib import Path

import pytest

from deploy.compose_secrets import write
from deploy.probe import main


def test_they_are_written_once_and_the_folder_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    names = write(folder)
    before = {name: (folder / name).read_text() for name in names}
    assert write(folder) == []
    assert {name: (folder / name).read_text() for name in names} == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_superusers_dsn_holds_the_servers_password(tmp_path: Path) -> None:
    write(tmp_path)
    password = (tmp_path / "POSTGRES_PASSWORD").read_text()
    assert f":{password}@" in (tmp_path / "HARTLINE_SUPERUSER_DSN").read_text()


def test_a_part_of_the_set_is_refused_because_passwords_would_disagree(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "HARTLINE_NOTIFY_DSN").unlink()
    with pytest.raises(FileExistsError, match="HARTLINE_NOTIFY_DSN"):
        write(tmp_path)


def test_a_probe_of_nobody_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["1"]) == 1
    assert "No answer" in capsys.readouterr().out
