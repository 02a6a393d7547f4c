"""The view of the way: worst first, and nothing left out when nothing is known."""

from datetime import UTC, datetime

from deploy.operations.asking import Seen
from deploy.operations.status import STAGES, view
from deploy.operations.thresholds import thresholds
from shared.runtime.progress import Stage, Stopped, Way

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
LIMITS = thresholds()


def test_it_says_so_when_all_is_on_its_way() -> None:
    stages = {name: Stage(name, 0 if name == "refused" else 3) for name, _ in STAGES}
    seen = [
        Seen(service, way=Way([stages[name] for name, of in STAGES if of == service]))
        for service in ("intake", "notify", "audit")
    ]
    lines = view(seen, LIMITS, NOW)
    assert lines[0].endswith("every notice is on its way.")
    assert [line.split()[-3:] for line in lines if line.startswith("  relayed")] == [
        ["3", "0", "-"]
    ]
    assert lines[-1] == "  nothing waits"


def test_what_was_tried_and_is_not_there_is_said_before_it_is_late() -> None:
    seen = [Seen("notify", way=Way([Stage("delivered", 1, 2, 30.0)]))]
    assert "nothing is late; 2 notice(s) were tried" in view(seen, LIMITS, NOW)[0]


def test_what_is_worst_comes_first() -> None:
    parked = Stopped("parked", "ref_1", 7200, "referrals: Permanent")
    ages = {("hartline_oldest_age_seconds", "delivery"): 1000.0}
    stage = Stage("delivered", 1, 2, 1000.0)
    seen = [
        Seen(
            "notify", metrics=ages, way=Way([stage], [parked, Stopped("stop", "hlt_1", 60, "by x")])
        ),
        Seen("audit", silent="it does not answer."),
    ]
    lines = view(seen, LIMITS, NOW)
    assert "4 thing(s) need somebody" in lines[0]
    assert [line.split()[0] for line in lines[2:6]] == ["DOWN", "PARKED", "HALT", "LATE"]
    assert "ref_1 for 2 h 0 min (referrals: Permanent)" in lines[3]
    assert "stop hlt_1 for 60 s (by x): why says python -m services.notify controls" in lines[4]
    assert any(line.split() == ["delivered", "1", "2", "16", "min"] for line in lines)
    assert any(line.split() == ["accepted", "unknown"] for line in lines)
    assert "alert at 15 min" in lines[-1]
