"""What the later stages ask of the real intake, and of one that misbehaves."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.notify.planning.intake_client import SCOPES
from services.notify.routing.rulebook import load_rulebook
from services.notify.stages.fetching import fetch
from services.notify.stages.intake_client import HttpStageIntake
from services.notify.stages.wishes import Wish
from shared.contracts.codes import Stage
from shared.runtime.auth import LocalIssuer
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.ids import new_id
from shared.runtime.internal_http import InternalClient
from tests.support import intake as support
from tests.support.calls import send
from tests.support.databases import FreshDatabase
from tests.support.exchange import InProcess
from tests.support.hart import completion, consult, office_of

REFERRAL, CONSULT = new_id("ref"), new_id("con")


@dataclass(frozen=True)
class Real:
    """Intake as it is, and notify's way to it."""

    app: Any
    made: support.Keys
    intake: HttpStageIntake


@pytest.fixture
def real(database: FreshDatabase, tmp_path: Path) -> Real:
    made = support.Keys.make(tmp_path)
    app = support.app_on(support.desk_on(database.open("intake"), made), made)
    issuer = LocalIssuer(made.issuer_key, support.ISSUER)
    transport = httpx.ASGITransport(app)
    return Real(app, made, _intake(transport, lambda: issuer.token("notify", SCOPES)))


def _intake(transport: httpx.AsyncBaseTransport, token: Callable[[], str]) -> HttpStageIntake:
    exchange = InProcess(transport, support.BASE)
    return HttpStageIntake(
        InternalClient("intake", support.BASE, token, seconds=2, exchange=exchange)
    )


async def test_an_accepted_case_fetches_the_offices_copy_and_the_form_823(real: Real) -> None:
    async with support.client_of(real.app, real.made) as phone:
        kept = (await support.post(phone, support.referral())).json()
    path = kept["links"]["self"]
    async with support.client_of(real.app, real.made, "worker", person=True) as worker:
        accept = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}
        await send(worker, f"{path}/decisions", accept, "one")
    wish = Wish(kept["referral_id"], Stage.ACCEPTED, "accepted", 1, 1)
    projection = await fetch(real.intake, load_rulebook(), wish)
    (child,) = projection.children
    assert set(child.copies) == {"child_protection", "dcf_823/accepted/1"}
    incident = child.copies["dcf_823/accepted/1"]["incident"]
    assert isinstance(incident, dict)
    assert (incident["incident_type"], incident["standing"]) == ("human_trafficking", "open")


async def test_a_shared_consult_fetches_the_teams_copy_of_its_child_and_the_outcome(
    real: Real,
) -> None:
    async with office_of(real.app, real.made) as office:
        children = [support.child(), support.child(name="Test Child Two")]
        kept = await office.receive(children=children)
        consult_id = await consult(office, kept)
        await office.post("liaison", f"/v1/consults/{consult_id}/completion", completion())
    share, first = new_id("shr"), kept.child_ids[0]
    wish = Wish(
        kept.referral_id, Stage.CONSULT_SHARED, share, 1, 0, consult_id=consult_id, child_id=first
    )
    projection = await fetch(real.intake, load_rulebook(), wish)
    (child,) = projection.children
    assert child.child_id == first
    consult_part = child.copies[f"consult_outcome/{share}/0"]["consult"]
    assert isinstance(consult_part, dict)
    assert consult_part["level"] == "high_risk"
    other = Wish(REFERRAL, Stage.CONSULT_SHARED, share, 1, 0, consult_id=consult_id, child_id=first)
    with pytest.raises(Permanent):
        await fetch(real.intake, load_rulebook(), other)


def _answering(answer: httpx.Response) -> HttpStageIntake:
    return _intake(httpx.MockTransport(lambda _: answer), lambda: "token")


async def test_intake_away_is_tried_again_and_a_404_parks() -> None:
    with pytest.raises(Retryable):
        await _answering(httpx.Response(503)).incidents(REFERRAL, 1)
    with pytest.raises(Permanent):
        await _answering(httpx.Response(404)).outcome(CONSULT)


@pytest.mark.parametrize(
    "answer",
    [
        {"referral_id": REFERRAL, "children": [{"child_id": "CANARY7", "incident": {}}]},
        {"referral_id": REFERRAL, "children": "CANARY7"},
        {"referral_id": "CANARY7", "children": []},
    ],
)
async def test_p5_an_answer_in_another_form_is_refused_without_repeating_it(
    answer: dict[str, Any],
) -> None:
    with pytest.raises(Permanent) as caught:
        await _answering(httpx.Response(200, json=answer)).incidents(REFERRAL, 1)
    assert "CANARY7" not in repr(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
