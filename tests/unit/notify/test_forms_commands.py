"""The command for a desk that files paper."""

import io
import stat
import sys
from pathlib import Path

import pytest

from services.notify.__main__ import main
from services.notify.forms.schemas import published
from tests.support.forms import PARTNERS, missing, of_child

EXAMPLE = PARTNERS / "examples" / "dcf-737.original.json"


def test_it_renders_a_form_for_its_owner_alone(tmp_path: Path) -> None:
    target = tmp_path / "form.pdf"
    assert main(["forms", "render", str(EXAMPLE), str(target)]) == 0
    assert missing("Example Synthetic-Child", target.read_bytes()) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["form.pdf"]


def test_it_takes_a_form_from_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(of_child({"name": "Test Child One"})))
    monkeypatch.setattr(sys, "stdin", given)
    assert main(["forms", "render", "-", str(tmp_path / "form.pdf")]) == 0
    assert missing("Test Child One", (tmp_path / "form.pdf").read_bytes()) == []


def test_it_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "form.pdf").write_text("kept")
    assert main(["forms", "render", str(EXAMPLE), str(tmp_path / "form.pdf")]) == 1
    assert (tmp_path / "form.pdf").read_text() == "kept"
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        b"canary-4711",
        b'{"form": "canary-4711"}',
        b'{"form": "DCF-737", "form_version": "canary-4711"}',
        of_child({"date_of_birth": "canary-4711"}),
        of_child({"missing_since": "canary-4711"}),
        of_child({"parents": "canary-4711"}),
    ],
)
def test_p5_what_is_wrong_is_said_without_showing_it(
    text: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "form.json").write_bytes(text)
    assert main(["forms", "render", str(tmp_path / "form.json"), str(tmp_path / "out.pdf")]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("This is no form: /")
    assert "canary" not in said.err + said.out
    assert not (tmp_path / "out.pdf").exists()


def test_it_writes_the_published_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forms", "schema", "dcf-823"]) == 0
    assert capsys.readouterr().out == published("dcf-823")
