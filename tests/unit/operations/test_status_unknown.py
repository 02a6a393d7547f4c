"""The view says neither that all is well, nor that nothing waits, when it cannot know."""

from datetime import UTC, datetime, timedelta

from deploy.operations.asking import Seen
from deploy.operations.status import STAGES, view
from deploy.operations.thresholds import thresholds
from shared.runtime.progress import Stage, Stopped, Way

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
LIMITS = thresholds()
AGE = "hartline_oldest_age_seconds"
REFRESHED = "hartline_ages_refreshed_timestamp_seconds"
SERVICES = ("intake", "notify", "deadlines", "audit")


def way(service: str, *stopped: Stopped, **counts: Stage) -> Way:
    mine = [name for name, of in STAGES if of == service]
    return Way(
        [counts.get(name, Stage(name, 0 if name == "refused" else 3)) for name in mine], stopped
    )


def test_p1_a_notice_that_goes_to_nobody_is_the_first_thing_on_the_screen() -> None:
    refused = Stage("refused", 2, 2, 3.0)
    stopped = Stopped("refused", "2 notice(s) of 2 referral(s)", 3.0)
    notify = Seen("notify", way=way("notify", stopped, refused=refused))
    seen = [Seen("intake", way=way("intake")), notify]
    lines = view(seen, LIMITS, NOW)
    assert lines[0].endswith("1 thing(s) need somebody.")
    assert lines[2] == (
        "REFUSED notify: 2 notice(s) of 2 referral(s) for 3 s: they go to nobody; open their tasks"
    )
    assert [line.split() for line in lines if line.startswith("  refused")] == [
        ["refused", "2", "2", "3", "s"]
    ]


def test_p1_a_notice_whose_stand_in_was_told_is_not_said_to_go_to_nobody() -> None:
    nobody = Stopped("refused", "1 notice(s) of 1 referral(s)", 3.0)
    told = Stopped("refused", "2 notice(s) of 2 referral(s)", 93.0, "State Police told 11:43Z")
    lines = view([Seen("notify", way=way("notify", told, nobody))], LIMITS, NOW)
    assert sorted(lines[2:4]) == [
        "REFUSED notify: 1 notice(s) of 1 referral(s) for 3 s: they go to nobody; open their tasks",
        "REFUSED notify: 2 notice(s) of 2 referral(s) for 93 s: refused; State Police told "
        "11:43Z; acknowledge their tasks",
    ]


def test_p1_once_its_task_is_taken_the_head_line_still_says_that_it_went_to_nobody() -> None:
    seen = [Seen("notify", way=way("notify", refused=Stage("refused", 2)))]
    assert view(seen, LIMITS, NOW)[0].endswith(
        "nothing is late; 2 notice(s) of the last 24 h go to nobody (refused)."
    )


def test_a_task_that_cannot_wait_is_on_the_screen() -> None:
    stopped = Stopped("task", "1 told_unlawfully", 700.0)
    lines = view([Seen("notify", way=way("notify", stopped))], LIMITS, NOW)
    assert lines[2] == "TASK    notify: 1 told_unlawfully for 11 min: open it"


def test_what_nobody_can_say_is_never_said_to_be_nothing() -> None:
    """PostgreSQL hangs: services answer, and know of nothing."""
    lines = view([Seen(service) for service in SERVICES], LIMITS, NOW)
    assert lines[-1] == "  unknown: no service can say"
    assert "it is not known whether every notice is on its way" in lines[0]
    assert not any("nothing waits" in line for line in lines)


def test_whose_ages_are_missing_is_named_above_the_others() -> None:
    seen = [
        Seen("intake", metrics={(AGE, "outbox"): 7.0}, way=way("intake")),
        Seen("notify", silent="http://x does not answer."),
    ]
    assert view(seen, LIMITS, NOW)[-2:] == [
        "  unknown: notify cannot say what waits",
        "  intake    outbox                         7 s   alert at 60 s",
    ]


def test_ages_that_were_read_long_ago_are_not_known() -> None:
    clock = (NOW, NOW, timedelta(0))
    was = {(REFRESHED, ""): NOW.timestamp() - 27, (AGE, "outbox"): 0.0}
    seen = [Seen("intake", metrics=was, way=way("intake"), clock=clock)]
    assert view(seen, LIMITS, NOW)[-1] == "  unknown: no service can say"
    fresh = was | {(REFRESHED, ""): NOW.timestamp() - 2}
    seen = [Seen("intake", metrics=fresh, way=way("intake"), clock=clock)]
    assert view(seen, LIMITS, NOW)[-1] == "  nothing waits"


def test_an_alert_that_pages_where_there_is_an_alertmanager_says_no_more_than_that() -> None:
    metrics = {(AGE, "delivery"): 1000.0, (AGE, "attempt"): 1000.0}
    lines = view([Seen("notify", metrics=metrics, way=way("notify"))], LIMITS, NOW)
    assert lines[2] == "LATE    notify: delivery for 16 min (would page: DeliveryWaits)"
    assert lines[3] == "old     notify: attempt for 16 min (AttemptOpen)"
