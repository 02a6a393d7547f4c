"""A moment after an outage: neither a green line to go to bed on, nor an alarm for what is over."""

from datetime import timedelta

from deploy.operations.asking import Seen
from deploy.operations.doctor import old, slow
from deploy.operations.recovering import eased
from deploy.operations.saying import in_words
from deploy.operations.thresholds import thresholds
from shared.runtime.findings import Level, well
from shared.runtime.server_checks import of_start

AGE = "hartline_oldest_age_seconds"
LIMITS = thresholds()


def test_what_waits_longer_than_usual_is_to_be_looked_at_in_a_minute_not_tomorrow() -> None:
    waits = Seen("notify", metrics={(AGE, "topic"): 29.0})
    lines = in_words(slow(waits, LIMITS), everything=False)
    assert lines[0] == "Nothing is known to be broken now; see again in a minute what waits."
    assert lines[2].startswith("again notify, topic: The oldest has waited 29 s")
    assert lines[3].startswith("      -> Look again in a minute")


def test_a_server_that_was_started_a_moment_ago_is_said_and_that_what_waited_is_taken_up() -> None:
    (found,) = of_start("notify", timedelta(seconds=8))
    assert (found.level, found.about) == (Level.LOOK, "notify, PostgreSQL's start")
    assert found.says == (
        "PostgreSQL was started less than a minute ago: what waited for it is being taken up."
    )
    assert found.do.startswith("Look again in a minute")
    (found,) = of_start("notify", timedelta(seconds=61))
    assert found.level is Level.WELL


def test_what_waited_for_it_is_no_riddle_in_that_minute() -> None:
    waits = Seen("notify", metrics={(AGE, "topic"): 90.0, (AGE, "delivery"): 1000.0})
    was = old(waits, LIMITS)
    (waited, delivery, _) = eased([*was[::-1], *of_start("notify", timedelta(seconds=8))])
    assert (waited.about, waited.level) == ("notify, topic", Level.ACT)
    assert waited.do.startswith("Look again in a minute: PostgreSQL was started just now. Then: ")
    assert delivery == was[0]
    assert eased(was) == was
    assert eased([*was, well("notify, server", "keeps.")])[:2] == was


def test_no_alert_asks_whether_the_bus_is_up_when_the_bus_is_postgresql() -> None:
    assert not any("is it up" in LIMITS[what].says for what in ("topic", "outbox"))
    assert not any("is the bus up" in LIMITS[what].says for what in ("topic", "outbox"))
