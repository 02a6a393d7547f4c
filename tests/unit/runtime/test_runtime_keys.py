import json
import stat
from pathlib import Path

import pytest

from shared.runtime import keys
from shared.runtime.errors import Misconfigured


@pytest.mark.parametrize("kind", ["kek", "hmac", "ed25519"])
def test_a_key_is_32_random_bytes_that_only_its_owner_may_read(tmp_path: Path, kind: str) -> None:
    one, two = tmp_path / "one.key", tmp_path / "two.key"
    keys.make(kind, one)
    keys.make(kind, two)
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert len(keys.load(one)) == 32
    assert keys.load(one) != keys.load(two)


def test_an_existing_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "kek-1.key"
    keys.make("kek", path)
    before = path.read_bytes()
    with pytest.raises(Misconfigured, match="not overwritten"):
        keys.make("kek", path)
    assert path.read_bytes() == before


def test_every_version_is_loaded_and_other_files_are_not(tmp_path: Path) -> None:
    for name in ("kek-1", "kek-2", "kek-10", "commitment-1", "kek-0", "kek-01"):
        keys.make("kek", tmp_path / f"{name}.key")
    (tmp_path / "kek-3.key.bak").write_text("old")
    assert list(keys.load_versions(tmp_path, "kek")) == [1, 2, 10]


def test_a_missing_key_or_directory_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"holds no kek-1\.key: see docs/keys\.md"):
        keys.load_versions(tmp_path, "kek")
    with pytest.raises(Misconfigured, match="No such file"):
        keys.load_versions(tmp_path / "nowhere", "kek")


@pytest.mark.parametrize("content", ["", "too short", "A" * 100, "!" * 44, "\N{SNOWMAN}" * 44])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kek-1.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(Misconfigured, match="32 bytes in base64url") as refused:
        keys.load(path)
    assert not content or content not in str(refused.value)


def test_a_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kek-1.key"
    keys.make("kek", path)
    path.chmod(0o644)
    with pytest.raises(Misconfigured, match="open to every user"):
        keys.load(path)


def test_the_command_makes_keys_and_prints_only_public_halves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issuer, webhook = tmp_path / "issuer.jwk", tmp_path / "webhook-1.key"
    assert keys.main(["make", "issuer", str(issuer)]) == 0
    assert keys.main(["make", "ed25519", str(webhook)]) == 0
    assert keys.main(["jwks", str(issuer)]) == 0
    assert keys.main(["public", str(webhook)]) == 0
    printed = capsys.readouterr().out
    assert json.loads(issuer.read_text())["d"] not in printed
    assert webhook.read_text().strip() not in printed
    assert '"crv": "P-256"' in printed


def test_the_command_says_what_is_wrong_and_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "kek-1.key")
    assert keys.main(["make", "kek", path]) == 0
    assert keys.main(["make", "kek", path]) == 2
    assert "not overwritten" in capsys.readouterr().err
