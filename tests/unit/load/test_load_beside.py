"""Ours beside a peer: both counted by id, and judged by the ratio of the same round."""

import argparse
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.machine.home import Ports
from tests.load import beside, peer_calls, webhookx
from tests.load.openloop import Sent
from tests.load.peer_calls import Endpoints
from tests.load.sides import FAN_OUT, Paced, lost, told
from tests.load.wire import Request, Respond, serving

SECRET = "secret"


def sent(number: int, status: int = 201) -> Sent:
    reference = str(number) if status == 201 else ""
    return Sent(number, intended_at=9.0, answered_at=10.0, status=status, reference=reference)


def test_what_reached_four_of_five_is_lost() -> None:
    arrivals = {"1": [10.1] * FAN_OUT, "2": [10.1] * (FAN_OUT - 1)}
    assert lost([sent(1), sent(2), sent(3)], arrivals) == 2


def test_a_run_is_told_by_its_own_ids_from_the_intended_time_and_from_the_answer() -> None:
    run = Paced(9.0, [sent(1), sent(2, status=503)], {"peer": 0.5, "redis": 0.5}, 0.1)
    found = told(run, {"1": [11.0] * FAN_OUT, "of another run": [99.0] * FAN_OUT})
    assert (found["accepted"], found["refused"], found["lost"]) == (1, 1, 0)
    assert (found["deliveries"], found["deliveries_per_second"]) == (5, 2.5)
    assert found["intended_to_first_byte_ms"]["p95"] == 2000.0
    assert found["accepted_to_first_byte_ms"]["p95"] == 1000.0
    assert found["cpu_seconds_per_1000_deliveries"] == 200.0


def delivery(number: int, at: float, endpoint: str = "0", secret: str = SECRET) -> Request:
    body = json.dumps(peer_calls.body(number)["data"]).encode()
    signature = hmac.digest(secret.encode(), b"17." + body, hashlib.sha256).hex().encode()
    headers = {
        b"webhookx-event-id": f"event-{number}".encode(),
        b"webhookx-timestamp": b"17",
        b"webhookx-signature": b"v1=" + signature,
    }
    return Request(at, b"/agency/" + endpoint.encode(), headers, body)


def received(*deliveries: Request) -> Endpoints:
    endpoints = Endpoints()
    for each in deliveries:
        endpoints.take(each, lambda answer: None)
    return endpoints


def test_a_peers_delivery_that_comes_twice_counts_once_and_by_the_first() -> None:
    endpoints = received(delivery(1, 5.0), delivery(1, 4.0, "1"), delivery(1, 6.0))
    assert endpoints.notices() == 2
    assert endpoints.signed(SECRET) == {"1": [4.0, 5.0]}


def test_what_was_told_once_is_still_told_after_the_next_run() -> None:
    endpoints = received(delivery(1, 5.0))
    endpoints.signed(SECRET)
    endpoints.take(delivery(2, 6.0), lambda answer: None)
    assert endpoints.signed(SECRET) == {"1": [5.0], "2": [6.0]}


def test_what_the_peer_did_not_sign_ends_the_run() -> None:
    with pytest.raises(AssertionError):
        received(delivery(1, 5.0, secret="another")).signed(SECRET)


async def test_an_event_is_sent_with_its_number_and_known_by_it_once_it_is_taken() -> None:
    port, taken, answers = Ports.free().agencies, [], iter((404, 201))

    def take(request: Request, respond: Respond) -> None:
        taken.append(json.loads(request.body))
        respond(f"HTTP/1.1 {next(answers)} Said\r\nContent-Length: 0\r\n\r\n".encode())

    async with serving(take, port), peer_calls.calling(port) as send:
        refused, accepted = await send(7), await send(8)
    assert (refused.status, refused.reference) == (404, "")
    assert (accepted.status, accepted.reference) == (201, "8")
    assert [each["data"]["number"] for each in taken] == [7, 8]
    assert {each["event_type"] for each in taken} == {peer_calls.EVENT}


def test_the_peer_has_five_endpoints_for_its_one_event_and_signs() -> None:
    entities = webhookx.entities(8080, SECRET)
    urls = {each["request"]["url"] for each in entities["endpoints"]}
    assert urls == {f"http://127.0.0.1:8080/agency/{number}" for number in range(FAN_OUT)}
    for each in entities["endpoints"]:
        assert each["events"] == [peer_calls.EVENT]
        assert each["plugins"][0]["config"] == {"signing_secret": SECRET}


def report(per_second: float, cpu: float, p95: float, lost: int = 0) -> dict[str, Any]:
    counts = {"accepted": 10, "refused": 0, "lost": lost}
    paced = {
        **counts,
        "intended_to_first_byte_ms": {"p95": p95},
        "accepted_to_first_byte_ms": {"p95": p95 - 1},
    }
    saturated = {
        **counts,
        "deliveries_per_second": per_second,
        "deliveries_per_second_middle": per_second + 100,
        "cpu_seconds_per_1000_deliveries": cpu,
    }
    return {"at_20": paced, "at_50": paced, "saturated": saturated, "cores_of_others": 0.1}


def test_both_are_told_with_our_ratio_and_both_goals() -> None:
    one = {"WebhookX": report(2000, 1.0, 5), "Hartline": report(900, 1.9, 20)}
    two = {"WebhookX": report(1000, 2.0, 10), "Hartline": report(600, 3.1, 30, lost=2)}
    found = {row[0]: row[1:] for row in beside.rows([one, two])}
    assert found["deliveries/s, the whole run"] == (
        *("1500", "750", "0.5", "≥ 0.4787: met", "≥ 1000: MISSED", "0.45, 0.6"),
    )
    assert found["CPU s per 1,000 deliveries"][2:5] == ("1.67", "≤ 1.835: met", "≤ 2: MISSED")
    assert found["p95 ms to the first byte, 50/s"][:4] == ("7.5", "25", "3.33", "≤ 5.208: met")
    assert found["p95 ms to the first byte, 20/s"][3:5] == ("", "≤ 15: MISSED")
    assert (found["accepted"][:2], found["lost"][:2]) == ((60, 60), (0, 6))


def test_without_the_peers_program_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        beside.arguments().parse_args(["--peer", str(tmp_path / "webhookx")])
    assert "build WebhookX as its README tells" in capsys.readouterr().err


def test_without_redis_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit):
        beside.redis(argparse.ArgumentParser())
    assert "apt-get install redis-server" in capsys.readouterr().err
