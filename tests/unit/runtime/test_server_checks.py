"""What every service says of its keys and its token."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

from shared.runtime import keys
from shared.runtime.findings import Level
from shared.runtime.server_checks import key_versions, token

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


def test_keys_are_there_are_private_and_the_current_one_is_named(tmp_path: Path) -> None:
    (missing,) = key_versions("x", tmp_path, "kek")
    assert (missing.level, "kek-1.key" in missing.says) == (Level.ACT, True)
    for version in (1, 2):
        keys.make("kek", tmp_path / f"kek-{version}.key")
    (found,) = key_versions("x", tmp_path, "kek")
    assert (found.level, "kek-2 is current" in found.says) == (Level.WELL, True)


def test_a_key_that_others_may_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "kek-1.key"
    keys.make("kek", file)
    for mode, level in ((0o640, Level.LOOK), (0o644, Level.ACT)):
        file.chmod(mode)
        assert key_versions("x", tmp_path, "kek")[0].level is level


def test_a_version_between_that_is_gone_is_told(tmp_path: Path) -> None:
    for version in (1, 3):
        keys.make("kek", tmp_path / f"kek-{version}.key")
    assert key_versions("x", tmp_path, "kek")[0].level is Level.LOOK


def test_a_token_that_nobody_keeps_fresh_is_told_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "token"

    def written(exp: object) -> str:
        claims = base64.urlsafe_b64encode(json.dumps({"exp": exp}).encode()).decode().rstrip("=")
        file.write_text(f"e30.{claims}.sig\n")
        file.chmod(0o600)
        return claims

    assert token("notify", None, NOW) == []
    assert token("notify", file, NOW)[0].level is Level.ACT
    for exp, level in (
        (NOW.timestamp() - 1, Level.ACT),
        (NOW.timestamp() + 60, Level.WELL),
        ("x", Level.ACT),
    ):
        claims = written(exp)
        (found,) = token("notify", file, NOW)
        assert found.level is level
        assert claims not in found.says
