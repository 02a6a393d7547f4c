"""The sample agencies answer 200 only for what they keep, and keep it once."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.machine.agencies import Journal

Open = Callable[[Path], Journal]


def receipt(notice_id: str, version: int = 1, child: str | None = "chd_1") -> dict[str, Any]:
    form: dict[str, Any] = {
        "kind": "original",
        "version": version,
        "referral_number": "HL-TEST-0001",
        "recipient": {"role": "fbi"},
    }
    if child is not None:
        form["child"] = {"child_id": child}
    return {
        "notice_id": notice_id,
        "agency_id": "agy_1",
        "at": "2026-03-02T12:00:00Z",
        "form": form,
    }


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens journals; the ends of their files are no test's matter."""
    journals: list[Journal] = []

    def open_journal(path: Path) -> Journal:
        journals.append(Journal(path))
        return journals[-1]

    yield open_journal
    for journal in journals:
        journal.close()


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "received.jsonl"
    await opened(path).keep(receipt("ntc_1"))
    assert set(opened(path).receipts) == {"ntc_1"}
    assert path.stat().st_mode & 0o077 == 0


async def test_a_notice_that_comes_twice_is_kept_once(tmp_path: Path, opened: Open) -> None:
    journal = opened(tmp_path / "received.jsonl")
    await journal.keep(receipt("ntc_1"))
    await journal.keep(receipt("ntc_1"))
    assert journal.receipts["ntc_1"]["times"] == 2
    assert len((tmp_path / "received.jsonl").read_text().splitlines()) == 1


async def test_the_highest_version_is_the_current_one_in_whatever_order(
    tmp_path: Path, opened: Open
) -> None:
    """P8: receivers keep the highest."""
    journal = opened(tmp_path / "received.jsonl")
    await journal.keep(receipt("ntc_2", version=2))
    await journal.keep(receipt("ntc_1", version=1))
    await journal.keep(receipt("ntc_other_child", version=1, child="chd_2"))
    assert journal.current() == {"ntc_2", "ntc_other_child"}


async def test_half_a_line_left_by_a_crash_is_cut_off(tmp_path: Path, opened: Open) -> None:
    path = tmp_path / "received.jsonl"
    await opened(path).keep(receipt("ntc_1"))
    with path.open("a") as file:
        file.write('{"notice_id": "ntc_2", "age')
    journal = opened(path)
    await journal.keep(receipt("ntc_3"))
    kept = [json.loads(line)["notice_id"] for line in path.read_text().splitlines()]
    assert kept == ["ntc_1", "ntc_3"]
