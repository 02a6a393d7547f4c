"""A telephone call of the trial answers where it was made, and touches only what is broken."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from deploy.machine.running import Running
from tests.trial.__main__ import hand_over, obey
from tests.trial.faults import untold
from tests.trial.site import Site, on_the_pager


def notice(role: str, state: str, version: int = 1) -> dict[str, Any]:
    return {"child_id": "chd_1", "role": role, "state": state, "version": version}


def test_only_what_somebody_was_refused_of_and_nobody_told_is_amended() -> None:
    assert untold([notice("local_law_enforcement", "refused"), notice("fbi", "delivered")])
    assert not untold([notice("fbi", "delivered"), notice("mdt", "pending")])
    assert not untold([notice("mdt", "refused"), notice("mdt", "delivered")])
    assert not untold([notice("mdt", "refused", 1), notice("mdt", "delivered", 2)])
    assert not untold([])


def running(home: Path) -> Running:
    (home / "witnesses").touch()
    return Running(1, str(home), {})


async def test_an_order_is_answered_on_the_side_of_the_run(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (tmp_path / "order").write_text("fbi")
    await obey(site)
    assert not (tmp_path / "order").exists()
    assert "fbi, at" in (tmp_path / "said").read_text()
    assert "they find nothing wrong at their end" in (tmp_path / "said").read_text()


def test_whoever_calls_reads_the_answer_where_it_was_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer() -> None:
        while not (tmp_path / "order").exists():
            time.sleep(0.01)
        (tmp_path / "said").write_text("fbi: it works again.")
        (tmp_path / "order").unlink()

    (tmp_path / "said").write_text("An answer of before.")
    run = threading.Thread(target=answer, daemon=True)
    run.start()
    assert hand_over(running(tmp_path), "fbi") == 0
    run.join()
    assert capsys.readouterr().out == "fbi: it works again.\n"


def test_one_message_of_several_tasks_is_one_page_with_their_links() -> None:
    alert = {
        "annotations": {"summary": "Hartline: a task of kind breached for compliance has waited."},
        "generatorURL": "http://127.0.0.1/v1/tasks/tsk_1",
    }
    head, *lines = on_the_pager({"alerts": [alert, alert]})
    assert head.startswith("PAGER  ")
    assert head.endswith("one page about 2 task(s):")
    assert len(lines) == 2
    assert lines[0].endswith("has waited. http://127.0.0.1/v1/tasks/tsk_1")
