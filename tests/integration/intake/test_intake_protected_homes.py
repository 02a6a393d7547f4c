"""No door tells where a participant lives, whoever the content is of (C25, P4)."""

import json
from collections.abc import AsyncIterator

import pytest

from services.intake.api import Desk
from services.intake.projections import load_profiles
from tests.support.calls import send
from tests.support.hart import Kept, Office, completion, consult, office_of
from tests.support.intake import (
    Keys,
    app_on,
    child,
    client_of,
    project,
)

TYPED = "By WindhamHigh; 12 Elm St, ＷＩＮＤＨＡＭ, Willi\u00admantic 06226"
WHY = {"purpose": "Notification by DCF-823", "authority": "DCF Policy 22-1-2"}
ACCEPT = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}
SECRETS = ("windham", "ｗｉｎｄｈａｍ", "mantic", "elm", "06226")


@pytest.fixture
async def office(desk: Desk, intake_keys: Keys) -> AsyncIterator[Office]:
    async with office_of(app_on(desk, intake_keys), intake_keys) as office:
        yield office


async def household(office: Office) -> Kept:
    """A participant, and one beside them whom nobody marked and who lives in the same town."""
    home = {"residence_town": "Windham", "other_concerns": TYPED, "current_location": TYPED}
    return await office.receive(
        children=[
            child(
                **home,
                address_confidential=True,
                residence_address="12 Elm Street Apt 4",
                substitute_address="P.O. Box 1, Hartford",
            ),
            child(**home, name="Test Child Two", facility="Windham Example House"),
        ]
    )


def hides(text: str) -> bool:
    seen = text.casefold()
    return not [secret for secret in SECRETS if secret in seen]


async def test_c25_no_profile_s_copy_of_either_child_and_no_niem_shows_the_home(
    office: Office,
) -> None:
    kept = await household(office)
    names = sorted(load_profiles())[:16]
    shown = (await project(office.client, kept.referral_id, 1, *names)).json()["children"]
    for each in shown:
        assert hides(json.dumps(each["copies"], ensure_ascii=False))
    path = f"/v1/referrals/{kept.referral_id}/versions/1/niem"
    for profile in ("law_enforcement", "hart"):
        body = {"profile": profile, "purpose": "supervision", "authority": "CGS 17a-28"}
        answer = await office.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        assert hides(answer.text)


async def test_c25_neither_form_823_nor_a_consult_s_outcome_of_either_child_shows_the_home(
    office: Office, desk: Desk, intake_keys: Keys
) -> None:
    kept = await household(office)
    forms = [{"child_id": each, "narrative": TYPED, "placement": TYPED} for each in kept.child_ids]
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as worker:
        path = f"/v1/referrals/{kept.referral_id}/decisions"
        made = await send(worker, path, ACCEPT | {"critical_incidents": forms}, "one")
    assert made.status_code == 201, made.text
    reader = intake_keys.bearer("notify", ("internal:projections",))
    path = f"/internal/v1/referrals/{kept.referral_id}/decisions/1/critical-incidents"
    answer = await office.client.post(path, json=WHY, headers=reader)
    assert answer.status_code == 200, answer.text
    assert answer.text.count("narrative") == 2
    assert hides(answer.text)
    held = await consult(office, kept)
    done = await office.post(
        "liaison", f"/v1/consults/{held}/completion", completion(narrative=TYPED)
    )
    assert done.status_code == 201, done.text
    answer = await office.client.post(
        f"/internal/v1/consults/{held}/outcome", json=WHY, headers=reader
    )
    assert "narrative" in answer.json()["consult"]
    assert hides(answer.text)
