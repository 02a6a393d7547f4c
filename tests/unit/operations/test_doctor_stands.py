"""The doctor is there when everything else is not: what fails is a line, never the end of it."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.operations import __main__ as command
from deploy.operations import doctor
from deploy.operations.asking import Seen
from deploy.operations.doctor import examine, running
from deploy.operations.hosting import Frozen, Unknown
from deploy.operations.places import Place
from deploy.operations.saying import words
from deploy.operations.thresholds import thresholds
from shared.runtime.findings import Level, worst

CALENDAR = "hartline_deadlines_calendar_ends_seconds"
LIMITS = thresholds()


@pytest.mark.parametrize("unknown", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_known_is_no_finding_and_ends_nothing(unknown: float) -> None:
    """While PostgreSQL hangs nobody knows how long the calendars last."""
    seen = Seen("deadlines", metrics={(CALENDAR, ""): unknown})
    assert worst(running(seen, LIMITS)) is Level.WELL
    assert words(unknown) == "an unknown time"


def test_of_several_calendars_the_one_that_is_known_is_told() -> None:
    seen = Seen("deadlines", metrics={(CALENDAR, ""): math.nan, (CALENDAR, "x"): 86_400.0})
    assert "24 h 0 min" in running(seen, LIMITS)[-1].says


class Blind(Unknown):
    def frozen(self) -> Sequence[Frozen]:
        raise PermissionError("/proc/secret")


async def test_a_look_that_fails_is_one_line_and_the_others_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(_: Seen) -> list[object]:
        raise RuntimeError("of a child")

    monkeypatch.setattr(doctor, "standing", fails)
    found = running(Seen("notify", problems={"directory": "is away"}), LIMITS)
    assert [each.about for each in found] == [
        "notify, directory",
        "notify, ages",
        "notify, what stands still",
    ]
    failed = found[-1]
    assert failed.level is Level.ACT
    assert failed.says.startswith("It could not be looked at (tests/unit/operations/")
    assert "of a child" not in failed.says
    found = await examine([Place("intake", "http://127.0.0.1:1", {})], Blind())
    assert {"this machine's processes", "intake, process"} <= {each.about for each in found}
    assert not any("secret" in each.says for each in found)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_doctor_that_fails_itself_says_so_and_ends_with_a_code_of_its_own(
    flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("of a child")

    monkeypatch.setattr(command, "examine", fails)
    assert command.main(["doctor", *flags]) == 3
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "of a child" not in said.out + said.err
    assert "test_doctor_stands.py" in said.out
    if flags:
        (finding,) = json.loads(said.out)
        assert (finding["level"], finding["about"]) == ("act", "the doctor")
    else:
        assert "status" in said.out
        assert "3, which" in said.out


def test_settings_that_cannot_be_read_are_told_to_programs_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "intake.env").write_text("nonsense\n")
    assert command.main(["doctor", "--json", "--settings", str(tmp_path)]) == 2
    (finding,) = json.loads(capsys.readouterr().out)
    assert "intake.env, line 1" in finding["says"]
