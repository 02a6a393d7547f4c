"""What a child's facts call for beyond every route: fetched only then, and nothing else with it."""

from pathlib import Path

import pytest

from services.notify import models
from services.notify.planning.copies import open_copy
from services.notify.routing.facts_read import FACTS
from shared.runtime.sealing import WrappedKey
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import Child, Planning

NCMEC = f"agy_{9:032x}"
MISSING: dict[str, object] = {"missing_from_care": True}


@pytest.fixture
async def planning(database: FreshDatabase, tmp_path: Path) -> Planning:
    db = database.open("notify")
    await support.seed(db, [*support.agencies(), support.agency(9, "ncmec")], tmp_path)
    return Planning(db)


async def test_c26_ncmec_is_told_with_a_copy_that_is_fetched_only_for_it(
    planning: Planning,
) -> None:
    await planning.plan(planning.announce(Child(facts=MISSING)))
    assert [profiles for _, _, profiles in planning.intake.asked] == [
        ("hart", "law_enforcement", "mdt", "prosecution"),
        ("ncmec",),
    ]
    notice = next(n for n in await planning.rows(models.notices) if n["agency_id"] == NCMEC)
    assert (notice["role"], notice["profile"], notice["rule"]) == (
        "ncmec",
        "ncmec",
        "missing.ncmec",
    )


async def test_a_child_without_such_facts_costs_one_fetch(planning: Planning) -> None:
    await planning.plan(planning.announce(Child()))
    assert len(planning.intake.asked) == 1
    assert NCMEC not in {n["agency_id"] for n in await planning.rows(models.notices)}


async def test_p5_the_facts_lie_sealed_beside_the_copies_and_open_with_the_childs_key(
    planning: Planning,
) -> None:
    child = Child(facts=MISSING)
    await planning.plan(planning.announce(child))
    (key,) = await planning.rows(models.child_keys)
    sealed = next(c for c in await planning.rows(models.copies) if c["profile"] == FACTS)
    opened = open_copy(
        support.SEALER,
        WrappedKey(key["kek_version"], key["wrapped"]),
        child.child_id,
        1,
        FACTS,
        sealed["sealed"],
    )
    assert opened == {"ht_type": "sex", "incident_towns": ["Ansonia"]} | MISSING
