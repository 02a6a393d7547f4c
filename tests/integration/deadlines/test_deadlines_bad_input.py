"""Bad input is answered with what is wrong: never with 500, and never with the value."""

from urllib.parse import quote

import pytest

from tests.integration.deadlines.conftest import Desk

OFFICER = "clocks:report"


@pytest.mark.parametrize("route", ["breaches", "compliance"])
@pytest.mark.parametrize(
    ("since", "until", "parameter"),
    [
        ("0001-01-01T00:00:00+14:00", "2027-01-01T00:00:00Z", "since"),
        ("2026-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "until"),
        ("2027-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "until"),
        ("2026-01-01T00:00:00Z", "2026-01-01T02:00:00+02:00", "until"),
        ("2026-01-01T00:00:00", "2027-01-01T00:00:00Z", "since"),
        ("NaN", "2027-01-01T00:00:00Z", "since"),
        ("2026-01-01T00:00:00Z", "\0", "until"),
    ],
)
async def test_what_is_no_period_is_refused_and_says_which_end_of_it(
    desk: Desk, route: str, since: str, until: str, parameter: str
) -> None:
    period = f"since={quote(since)}&until={quote(until)}"
    answer = await desk.get(f"/v1/{route}?{period}", OFFICER)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["in"], error["parameter"]) == ("query", parameter)
    assert since not in answer.text
    assert until not in answer.text


@pytest.mark.parametrize("number", ["%00", "x", f"prp_{'0' * 32}%0a", f"prp_{'0' * 32}"])
async def test_a_proposal_that_there_is_not_is_not_found(desk: Desk, number: str) -> None:
    path = f"/v1/policies/proposals/{number}"
    found = [await desk.get(path, "policies:read")]
    for decision in ("approve", "reject"):
        body = {"decision": "An example."}
        found.append(await desk.post(f"{path}/{decision}", body, "policies:decide"))
    assert [each.status_code for each in found] == [404, 404, 404]
