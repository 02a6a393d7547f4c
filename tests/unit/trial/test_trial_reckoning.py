"""What the end of a trial takes for not mended."""

from services.notify.telling_checks import ON_CALL
from shared.runtime.findings import act, look, well
from tests.trial.reckoning import counts


def test_a_mend_that_ends_into_a_hole_of_the_roster_is_none() -> None:
    assert counts(act("notify, towns", "x", "y"))
    assert not counts(look("notify, proposals", "x", "y"))
    assert counts(look(ON_CALL, "x", "y"))
    assert not counts(well(ON_CALL, "x"))
