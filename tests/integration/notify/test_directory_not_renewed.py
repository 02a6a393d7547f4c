"""An agreement was not renewed: what the runbook has one type, over the sample directory."""

from pathlib import Path

import pytest

from deploy.machine.samples import write_directory
from services.notify.directory.commands import run_directory
from services.notify.directory.seeding import seed_samples
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from tests.support.databases import FreshDatabase

RUNBOOK = Path("docs/runbook.md")


def typed() -> str:
    """The file of the row *not renewed*."""
    block = RUNBOOK.read_text().split("       code,towns\n")[1].split("\n\n")[0]
    return "code,towns\n" + "\n".join(line.strip() for line in block.splitlines()) + "\n"


def written(path: Path, rows: str) -> str:
    path.write_text(rows)
    return str(path)


async def dry_run(db: Database, path: Path, rows: str, *more: str) -> int:
    return await run_directory(
        ["import", written(path, rows), "--dry-run", *more], db, samples=True
    )


async def test_p3_the_town_goes_to_a_troop_and_never_to_the_state_police_as_a_whole(
    database: FreshDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db, file = database.open("notify"), tmp_path / "change.csv"
    await seed_samples(db, write_directory(tmp_path, "http://127.0.0.1:9009"))

    assert await dry_run(db, file, typed()) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if "!" in line]
    assert said == [
        "! Ansonia: Sample Ansonia Police Department until now, then Sample Connecticut State "
        "Police Troop I: notices about its children go to others.",
        "    ! towns: Ansonia -> none",
        "    ! towns: Beacon Falls, Bethany, Prospect -> Ansonia, Beacon Falls, Bethany, Prospect",
    ]

    wrong = "code,towns\nansonia_police,\ncsp_statewide,Ansonia\n"
    with pytest.raises(Misconfigured, match=r"the whole state without state_police.*--leaves-with"):
        await dry_run(db, file, wrong)
    assert "! Statewide: no lawful State Police is left: nobody" in capsys.readouterr().out
    assert await dry_run(db, file, wrong, "--leaves-without", "state_police") == 0
