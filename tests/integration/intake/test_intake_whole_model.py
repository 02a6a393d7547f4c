"""The whole model, made from its own schema: kept exactly, or refused with pointers and no echo."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.intake import referrals
from services.intake.codes import town_of
from services.intake.documents import assemble
from services.intake.places import FITS
from services.intake.records import StoredChild
from services.intake.schemas import AmendedReferral, NewReferral
from services.intake.towns import load_towns
from services.intake.vault import Vault
from shared.runtime.db import Database
from shared.runtime.ids import new_event_id
from shared.runtime.sealing import Keyring, Sealer, WrappedKey
from tests.support.databases import FreshDatabase
from tests.support.intake import Keys, patch, post
from tests.support.schemas import bodies

PROPERTY = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
TOWNS = sorted(load_towns())
CANARY = "zzcanaryzz"
ODD = st.one_of(
    st.sampled_from(
        [
            CANARY,
            [CANARY],
            {"canary": CANARY},
            {"name": CANARY},
            10**400,
            -1,
            1e300,
            True,
            f"\u202e{CANARY}\u202c",
            f"{CANARY}\0",
            f"{CANARY}\ud83d",
            CANARY * 3000,
            "2026-02-30",
            None,
            [],
            {},
            [[[[[[CANARY]]]]]],
        ]
    ),
    st.none(),
)


def mended(body: dict[str, Any]) -> dict[str, Any]:
    """A body that fits the schema, made to fit the rules beside it as well."""
    if body["reporter"]["anonymous"]:
        for name in ("name", "phone", "address"):
            body["reporter"].pop(name, None)
    body["reporter"].pop("same_as", None)
    protected = any(
        child.get("address_confidential") or child.get("substitute_address") is not None
        for child in body["children"]
    )
    for index, child in enumerate(body["children"]):
        _mend_child(child, index, protected=protected)
    return body


def _mend_child(child: dict[str, Any], index: int, *, protected: bool) -> None:
    if "person_ref" in child:
        child["person_ref"] = f"p{index}"
    if "unknown" in child.get("race_ethnicity", []):
        child["race_ethnicity"] = ["unknown"]
    if child.get("date_of_birth") is not None:
        child.pop("victimised_on", None)
    if protected:
        child["address_confidential"] = True
    if child.get("residence_town") is not None:
        child["residence_town"] = TOWNS[len(child["residence_town"]) % len(TOWNS)]
        child.pop("residence_state", None)
    towns = [TOWNS[len(each) % len(TOWNS)] for each in child.get("incident_towns", [])]
    for person in child.get("suspected_persons", []):
        person.pop("same_as", None)
    for place in child.get("incident_places", []):
        _mend_place(place, towns)
    child["incident_towns"] = towns


def _mend_place(place: dict[str, Any], towns: list[str]) -> None:
    for name in ("town", "district", "nation", "state", "country"):
        if name not in FITS[place["kind"]]:
            place.pop(name, None)
    if place.get("state") == "CT":
        place["state"] = "NY"
    if place.get("district") is not None:
        place["town"] = town_of("police_district", place["district"])
    elif place.get("town") is not None:
        place["town"] = TOWNS[len(place["town"]) % len(TOWNS)]
    if place.get("town") is not None:
        towns.append(place["town"])


GOOD = bodies(NewReferral).map(mended)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a body where a value stands."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, each in value.items():
            yield from places(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from places(each, (*path, index))


def replaced(body: Any, path: tuple[str | int, ...], value: object) -> Any:
    changed = json.loads(json.dumps(body))
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


async def stored(db: Database, vault: Vault, kept: dict[str, Any]) -> AmendedReferral:
    """What lies in the tables, unsealed."""
    query = text(
        "SELECT d.child_id, d.sealed, k.kek_version, k.wrapped, k.key_version, v.trigger, "
        "v.received_at, r.synthetic FROM intake.referrals AS r "
        "JOIN intake.referral_versions AS v ON v.referral_id = r.referral_id "
        "AND v.version = r.version "
        "CROSS JOIN unnest(v.child_ids) WITH ORDINALITY AS c(child_id, position) "
        "JOIN intake.child_keys AS k ON k.child_id = c.child_id "
        "JOIN intake.documents AS d ON d.child_id = c.child_id AND d.version = v.version "
        "WHERE r.referral_id = :referral_id ORDER BY c.position"
    )
    async with db.transaction() as session:
        rows = list(await session.execute(query, {"referral_id": kept["referral_id"]}))
    children = [
        StoredChild(
            row.child_id, WrappedKey(row.kek_version, row.wrapped, row.key_version), row.sealed
        )
        for row in rows
    ]
    own = {
        "trigger": rows[0].trigger,
        "received_at": rows[0].received_at.isoformat(),
        "synthetic": rows[0].synthetic,
    }
    return referrals.read(AmendedReferral, assemble(vault.open(children, kept["version"]), own))


def as_sent(body: dict[str, Any], kept: dict[str, Any]) -> AmendedReferral:
    children = [
        child | known for child, known in zip(body["children"], kept["children"], strict=True)
    ]
    return referrals.read(AmendedReferral, body | {"children": children})


@pytest.fixture
async def intake_db(module_database: FreshDatabase) -> AsyncIterator[Database]:
    """One database for all of these: each test has referrals of its own."""
    yield module_database.open("intake")
    await module_database.close()


@pytest.fixture(scope="module")
def vault(intake_keys: Keys) -> Vault:
    return Vault(Sealer(Keyring.load(intake_keys.directory)))


@PROPERTY
@given(body=GOOD, escaped=st.booleans())
async def test_whatever_fits_the_model_is_kept_exactly(
    client: httpx.AsyncClient, intake_db: Database, vault: Vault, body: Any, escaped: bool
) -> None:
    sent = json.dumps(body, ensure_ascii=escaped).encode()
    answer = await post(client, sent, new_event_id())
    assert answer.status_code == 201, answer.text
    kept = answer.json()
    assert await stored(intake_db, vault, kept) == as_sent(body, kept)


@PROPERTY
@given(first=GOOD, second=GOOD)
async def test_an_amendment_to_anything_is_kept_exactly(
    client: httpx.AsyncClient, intake_db: Database, vault: Vault, first: Any, second: Any
) -> None:
    kept = (await post(client, json.dumps(first).encode(), new_event_id())).json()
    children = second["children"]
    while len(children) < len(kept["children"]):
        children.append(dict(children[0]) | {"person_ref": None})
    for child, known in zip(children, kept["children"], strict=False):
        child["child_id"] = known["child_id"]
    cleared = {name: None for name in first if name not in second}
    changed = cleared | second | {"synthetic": first.get("synthetic", False)}
    changed["reporter"] = dict.fromkeys(first["reporter"]) | second["reporter"]
    answer = await patch(client, kept["referral_id"], changed)
    assert answer.status_code == 200, answer.text
    whole = second | {"synthetic": first.get("synthetic", False)}
    assert await stored(intake_db, vault, answer.json()) == as_sent(whole, answer.json())


@PROPERTY
@given(body=GOOD, data=st.data())
async def test_one_odd_value_anywhere_is_kept_exactly_or_refused_there_and_never_echoed(
    client: httpx.AsyncClient, intake_db: Database, vault: Vault, body: Any, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(list(places(body))))
    changed = replaced(body, path, data.draw(ODD))
    answer = await post(client, json.dumps(changed).encode(), new_event_id())
    if answer.status_code == 201:
        assert await stored(intake_db, vault, answer.json()) == as_sent(changed, answer.json())
        return
    assert answer.status_code == 422, answer.text
    assert CANARY not in answer.text
    errors = answer.json()["errors"]
    assert errors
    for error in errors:
        assert re.fullmatch(r"#(/[A-Za-z0-9_-]+)*", error["pointer"])
        assert error["detail"]


@PROPERTY
@given(body=GOOD, name=st.sampled_from(["namee", "parent", "dob", "ssn"]), data=st.data())
async def test_a_field_that_nobody_knows_is_refused_at_its_place(
    client: httpx.AsyncClient, body: Any, name: str, data: st.DataObject
) -> None:
    objects = [path for path in places(body) if isinstance(_at(body, path), dict)]
    assume(objects)
    path = data.draw(st.sampled_from(objects))
    changed = replaced(body, (*path, name), CANARY)
    answer = await post(client, json.dumps(changed).encode(), new_event_id())
    assert answer.status_code == 422
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert "#/" + "/".join(map(str, (*path, name))) in pointers
    assert CANARY not in answer.text


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value
