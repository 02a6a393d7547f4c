"""What the doctor asks notify's tables: whom to call, and about which referral."""

from datetime import date
from pathlib import Path

from services.notify import telling_checks, waiting_checks
from services.notify.settings import NotifySettings
from shared.runtime.findings import Level
from shared.runtime.ids import utc_now
from tests.support.deliveries import World


async def test_p9_who_takes_nothing_is_named_with_its_contact_and_a_referral(world: World) -> None:
    assert [each.level for each in await waiting_checks.deliveries(world.db)] == [Level.WELL]
    agency = await world.agency(None, name="Example Police", contact="desk, 555-0100")
    await world.notice(agency, attempts=1)
    await world.notice(agency, attempts=7, referral_id="ref_most")
    (found,) = await waiting_checks.deliveries(world.db)
    assert found.level is Level.ACT
    assert f"Example Police (desk, 555-0100; {agency}) has not taken 2 notice(s)" in found.says
    assert "that of ref_most after 7 attempts" in found.says


async def test_what_was_taken_is_nobodys_call(world: World) -> None:
    agency = await world.agency(None, name="Example Police")
    await world.notice(agency, attempts=3, state="delivered", delivered_at=utc_now())
    assert [each.level for each in await waiting_checks.deliveries(world.db)] == [Level.WELL]


async def test_what_runs_out_names_the_agency_and_its_id(world: World, tmp_path: Path) -> None:
    agency = await world.agency(None, name="Example Police", authority_to=date(2021, 6, 30))
    settings = NotifySettings.model_construct(keys=tmp_path)
    found = await telling_checks.running_out(settings, world.db)
    said = [each.says for each in found if agency in each.says]
    assert said == [f"The authority of Example Police ({agency}) ended on 2021-06-30."]
