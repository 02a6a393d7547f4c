"""What `ask` says of a refusal."""

from deploy.machine.asking import refusal

PATH = "/v1/referrals/ref_1?all"


def test_whoever_is_told_404_hears_both_that_it_may_mean_and_where_else_to_look() -> None:
    said = refusal(404, PATH, "night-desk")
    assert said.startswith(
        "There is nothing at /v1/referrals/ref_1, or night-desk may not see it: Hartline tells "
        "nobody which"
    )
    assert "clocks (of deadlines, which say when it was received)" in said


def test_a_key_that_is_not_known_there_is_another_runs_door() -> None:
    assert "who answers does not know this run's keys" in refusal(401, PATH, "night-desk")
    assert refusal(422, PATH, "night-desk") == "It was refused (422)."
