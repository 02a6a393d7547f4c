"""The client against the real app, over a network that hangs, resets, refuses and loses."""

import json
from typing import Any, get_type_hints

import pytest
from hartline_careline import (
    Careline,
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    Outdated,
    ServerFault,
    Unavailable,
    new_key,
)
from hartline_careline.bodies import TYPES

from deploy.machine.home import ROOT
from services.intake.codes import code_lists
from tests.integration.clients.conftest import new_referral, token_of
from tests.support.faulty import GARBLE, HANG, LOSE, RESET, Faulty
from tests.support.intake import Keys

SCHEMAS: dict[str, Any] = json.loads((ROOT / "docs/openapi/intake.json").read_text())["components"][
    "schemas"
]


def test_a_referral_is_created_amended_and_read(careline: Careline) -> None:
    kept = careline.create(new_referral(), key=new_key())
    assert careline.status(kept.referral_id) == kept
    amended = careline.amend(kept.referral_id, 1, {"source_type": "ems"}, key=new_key())
    assert (amended.version, amended.child_ids) == (2, kept.child_ids)


def test_a_call_is_opened_saved_and_finished(careline: Careline) -> None:
    call = careline.open_call(key=new_key(), synthetic=True)
    typed = dict(new_referral())
    del typed["received_at"], typed["synthetic"]
    assert careline.save_call(call.call_id, typed).version == 1
    kept = careline.finish_call(call.call_id, key=new_key())
    assert kept.received_at == call.received_at
    assert careline.call_status(call.call_id).standing == "finished"


def test_the_code_lists_are_intakes(careline: Careline) -> None:
    assert {each.name for each in careline.code_lists()} == {
        each.name for each in code_lists().lists
    }


@pytest.mark.parametrize("fault", [RESET, LOSE, GARBLE, HANG, 502, 503, 429])
def test_p1_whatever_becomes_of_the_answer_the_same_key_keeps_it_once(
    careline: Careline, network: Faulty, fault: str | int
) -> None:
    network.plan.extend([fault, fault])
    key, body = new_key(), new_referral()
    kept = careline.create(body, key=key)
    assert network.keys == [key] * 3
    assert careline.create(body, key=key) == kept


def test_retry_after_is_a_floor_and_pauses_grow(
    careline: Careline, network: Faulty, slept: list[float]
) -> None:
    network.retry_after = "2"
    network.plan.extend([503, RESET, RESET])
    careline.create(new_referral(), key=new_key())
    assert slept == [2.0, 0.4, 0.8]


def test_it_gives_up_within_its_patience_and_says_that_it_may_have_been_kept(
    careline: Careline, network: Faulty, slept: list[float]
) -> None:
    network.retry_after, network.then = "3600", 503
    with pytest.raises(Unavailable) as raised:
        careline.create(new_referral(), key=new_key())
    assert raised.value.retry_after == 3600
    assert (len(network.seen), slept) == (1, [])


def test_a_fault_of_hartlines_is_not_sent_again(careline: Careline, network: Faulty) -> None:
    network.plan.append(500)
    with pytest.raises(ServerFault):
        careline.create(new_referral(), key=new_key())
    assert len(network.seen) == 1


def test_an_invalid_referral_names_its_fields_and_never_its_values(
    careline: Careline, network: Faulty
) -> None:
    body = new_referral("Nobody Shouldseethis")
    body["children"][0]["ht_type"] = "Nobody Shouldseethis"
    with pytest.raises(Invalid) as raised:
        careline.create(body, key=new_key())
    assert [flaw.pointer for flaw in raised.value.flaws] == ["#/children/0/ht_type"]
    assert raised.value.status == 422
    assert "Shouldseethis" not in repr(raised.value) + str(raised.value.flaws)
    assert len(network.seen) == 1


def test_what_is_refused_for_good_is_an_error_of_its_own(
    careline: Careline, network: Faulty, intake_keys: Keys
) -> None:
    key, body = new_key(), new_referral()
    kept = careline.create(body, key=key)
    with pytest.raises(Conflict):
        careline.create(new_referral("Test Child Two"), key=key)
    careline.amend(kept.referral_id, 1, {"source_type": "ems"}, key=new_key())
    with pytest.raises(Outdated):
        careline.amend(kept.referral_id, 1, {"source_type": "court"}, key=new_key())
    with pytest.raises(NotFound):
        careline.status(f"ref_{'0' * 32}")
    weak = token_of(intake_keys, "referrals:status")
    with Careline(network.url, weak) as stranger, pytest.raises(NotAllowed, match="scope"):
        stranger.create(body, key=new_key())


@pytest.mark.parametrize("name", TYPES)
def test_a_type_has_the_members_of_the_published_schema(name: str) -> None:
    schema, hinted = SCHEMAS[name], TYPES[name]
    assert set(get_type_hints(hinted)) == set(schema["properties"])
    assert hinted.__required_keys__ == set(schema.get("required", []))
