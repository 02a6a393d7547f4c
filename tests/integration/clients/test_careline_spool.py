"""The local spool: nothing lost, in order, encrypted, and never sent under another key."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hartline_careline import (
    Careline,
    Invalid,
    Kept,
    Reporting,
    SetAside,
    Spool,
    SpoolError,
    Unavailable,
    Waiting,
    WrongKey,
    new_key,
)

from deploy.machine.home import ROOT
from tests.integration.clients.conftest import SPOOL_KEY, new_referral
from tests.support.faulty import LOSE, PASS, RESET, Faulty
from tests.support.intake import Keys


def test_with_hartline_there_it_is_kept_and_nothing_waits(
    reporting: Reporting, spool: Spool, network: Faulty
) -> None:
    outcome = reporting.report(new_referral(), key=new_key())
    assert isinstance(outcome, Kept)
    assert (spool.waiting(), spool.aside(), len(network.seen)) == ([], [], 1)


def test_p1_with_hartline_away_it_waits_and_is_sent_later_in_order(
    reporting: Reporting, spool: Spool, network: Faulty
) -> None:
    keys = [new_key() for _ in range(4)]
    network.then = RESET
    for number, key in enumerate(keys):
        outcome = reporting.report(new_referral(f"Test Child {number}"), key=key)
        assert isinstance(outcome, Waiting)
        assert isinstance(outcome.error, Unavailable)
    assert [entry.key for entry in spool.waiting()] == keys
    network.then = PASS
    network.seen.clear()
    outcomes = reporting.send()
    assert all(isinstance(each, Kept) for each in outcomes)
    assert network.keys == keys
    assert spool.waiting() == []


def test_a_new_referral_goes_behind_those_that_wait(
    reporting: Reporting, network: Faulty, spool: Spool
) -> None:
    first, second = new_key(), new_key()
    network.then = 503
    reporting.report(new_referral(), key=first)
    network.then = PASS
    network.seen.clear()
    assert isinstance(reporting.report(new_referral(), key=second), Kept)
    assert network.keys == [first, second]
    assert spool.waiting() == []


@pytest.mark.parametrize(
    ("dies_at", "was_sent"), [("Careline.create", False), ("Spool.sent", True)]
)
def test_p1_killed_at_any_step_it_is_sent_later_under_its_own_key_and_kept_once(
    network: Faulty,
    intake_keys: Keys,
    reporting: Reporting,
    tmp_path: Path,
    dies_at: str,
    was_sent: bool,
) -> None:
    key = new_key()
    died = subprocess.run(
        [sys.executable, "-c", _DIES, dies_at, network.url, str(tmp_path / "spool"), key],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'clients/python'}",
            "TOKEN": intake_keys.bearer()["Authorization"].removeprefix("Bearer "),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert died.returncode == 9, died.stderr
    assert network.keys == [key] * was_sent
    (outcome,) = reporting.send()
    assert isinstance(outcome, Kept)
    assert outcome.key == key
    assert set(network.keys) == {key}
    assert reporting.send() == []


def test_an_answer_that_is_lost_leads_to_no_second_referral(
    reporting: Reporting, network: Faulty, careline: Careline
) -> None:
    key, body = new_key(), new_referral()
    network.then = LOSE
    assert isinstance(reporting.report(body, key=key), Waiting)
    network.then = PASS
    (outcome,) = reporting.send()
    assert isinstance(outcome, Kept)
    assert careline.create(body, key=key) == outcome.referral
    assert set(network.keys) == {key}


def test_a_refused_referral_is_its_callers_to_mend_and_blocks_nobody(
    reporting: Reporting, spool: Spool, network: Faulty
) -> None:
    bad, good = new_referral(), new_referral()
    bad["children"][0]["ht_type"] = "nonsense"
    with pytest.raises(Invalid):
        reporting.report(bad, key=new_key())
    assert (spool.waiting(), spool.aside()) == ([], [])
    network.then = RESET
    assert isinstance(reporting.report(bad, key=new_key()), Waiting)
    assert isinstance(reporting.report(good, key=new_key()), Waiting)
    network.then = PASS
    first, second = reporting.send()
    assert isinstance(first, SetAside)
    assert isinstance(second, Kept)
    assert len(spool.aside()) == 1


def test_a_fault_of_hartlines_with_one_holds_up_no_other(
    reporting: Reporting, spool: Spool, network: Faulty
) -> None:
    keys = [new_key(), new_key()]
    network.then = RESET
    for key in keys:
        reporting.report(new_referral(), key=key)
    network.then = PASS
    network.plan.append(500)
    first, second = reporting.send()
    assert isinstance(first, Waiting)
    assert isinstance(second, Kept)
    assert [entry.key for entry in spool.waiting()] == keys[:1]


def test_p5_at_rest_nothing_is_in_clear_and_only_the_owner_may_read(
    reporting: Reporting, network: Faulty, tmp_path: Path
) -> None:
    network.then = RESET
    reporting.report(new_referral("Nobody Shouldseethis"), key=new_key())
    files = [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix == ".referral"]) == 1
    for path in files:
        assert b"Shouldseethis" not in path.read_bytes()
        assert "Shouldseethis" not in path.name
        assert path.suffix == ".lock" or path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


def test_an_entry_that_was_changed_or_exchanged_is_set_aside_and_never_sent(
    reporting: Reporting, spool: Spool, network: Faulty, tmp_path: Path
) -> None:
    network.then = RESET
    for _ in range(3):
        reporting.report(new_referral(), key=new_key())
    first, second, _ = (tmp_path / "spool" / entry.name for entry in spool.waiting())
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one[:-1] + bytes([one[-1] ^ 1]))
    network.then = PASS
    network.seen.clear()
    kinds = [type(each) for each in reporting.send()]
    assert kinds == [SetAside, SetAside, Kept]
    assert len(network.seen) == 1


def test_with_another_key_nothing_is_moved_and_with_the_older_one_beside_it_is_sent(
    careline: Careline, reporting: Reporting, network: Faulty, tmp_path: Path
) -> None:
    network.then = RESET
    reporting.report(new_referral(), key=new_key())
    network.then = PASS
    changed = bytes(32)
    with pytest.raises(WrongKey):
        Reporting(careline, Spool(tmp_path / "spool", changed)).send()
    both = Spool(tmp_path / "spool", changed, older=[SPOOL_KEY])
    assert len(both.waiting()) == 1
    (outcome,) = Reporting(careline, both).send()
    assert isinstance(outcome, Kept)


def test_a_key_that_waits_is_not_given_to_another_referral(
    reporting: Reporting, network: Faulty, spool: Spool
) -> None:
    network.then, key, referral = RESET, new_key(), new_referral()
    reporting.report(referral, key=key)
    assert isinstance(reporting.report(referral, key=key), Waiting)
    assert len(spool.waiting()) == 1
    with pytest.raises(SpoolError, match="another referral"):
        reporting.report(new_referral("Test Child Two"), key=key)


def test_a_part_that_a_crash_left_is_swept_away_and_never_sent(
    reporting: Reporting, tmp_path: Path
) -> None:
    part = tmp_path / "spool" / "000000000001-left.part"
    part.write_bytes(b"half")
    assert reporting.send() == []
    assert isinstance(reporting.report(new_referral(), key=new_key()), Kept)
    assert not part.exists()


_DIES = """
import os, sys
from pathlib import Path
import hartline_careline as careline
from tests.integration.clients.conftest import SPOOL_KEY, new_referral
at, url, folder, key = sys.argv[1:]
owner, name = at.split(".")
setattr(getattr(careline, owner), name, lambda *_, **__: os._exit(9))
client = careline.Careline(url, lambda: os.environ["TOKEN"])
reporting = careline.Reporting(client, careline.Spool(Path(folder), SPOOL_KEY))
reporting.report(new_referral(), key=key)
"""


def test_what_was_sent_is_taken_back_for_a_hartline_that_was_restored(
    careline: Careline, network: Faulty, tmp_path: Path
) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    hour = timedelta(hours=1)

    def kept_at(at: datetime) -> Spool:
        return Spool(tmp_path / "kept", SPOOL_KEY, keep=2 * hour, clock=at.timestamp)

    keys = [new_key() for _ in range(3)]
    answers = [
        Reporting(careline, kept_at(now + place * hour)).report(new_referral(), key=key)
        for place, key in enumerate(keys)
    ]
    spool = kept_at(now + 2 * hour)
    assert spool.waiting() == []
    assert [entry.key for entry in spool.take_back(now + hour)] == keys[1:]
    network.seen.clear()
    # This Hartline has lost nothing: the same keys find the same answers.
    assert Reporting(careline, spool).send() == answers[1:]
    assert network.keys == keys[1:]


def test_what_was_sent_is_kept_no_longer_than_asked(careline: Careline, tmp_path: Path) -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    for age in (timedelta(hours=3), timedelta(0)):
        at = now - age
        spool = Spool(tmp_path / "kept", SPOOL_KEY, keep=timedelta(hours=2), clock=at.timestamp)
        Reporting(careline, spool).report(new_referral(), key=new_key())
    assert len(list((tmp_path / "kept" / "sent").iterdir())) == 1


def test_without_being_asked_to_it_keeps_nothing(
    reporting: Reporting, spool: Spool, tmp_path: Path
) -> None:
    reporting.report(new_referral(), key=new_key())
    assert list((tmp_path / "spool" / "sent").iterdir()) == []
    assert spool.take_back(datetime(2020, 1, 1, tzinfo=UTC)) == []
