"""Whatever is sent is stored exactly or refused with a pointer: never mangled, never a 5xx."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.api import Desk
from services.intake.digests import Digests
from services.intake.documents import Document
from services.intake.masks import Shown
from services.intake.models import OUTBOX
from services.intake.projections import paths
from services.intake.vault import Vault
from services.intake.viewing import Viewing
from shared.contracts.base import Source
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import new_event_id
from shared.runtime.sealing import Keyring, Sealer
from tests.support.databases import FreshDatabase
from tests.support.intake import Keys, app_on, child, client_of, patch, post, project, referral
from tests.support.schemas import text_leaves

PROPERTY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TRICKY = [
    "\u202e\u2066right to left\u2069",
    "e\u0301 \u00e9 \ufdfa \u200d\u200b",
    "\U0001f9d2\U0001f3fd\u200d\U0010ffff\uffff",
    "\x01\x1b[31m\x7f\r\n\t\u2028",
    "\u00a0 \tedges\u3000\n",
    "' OR 1=1; -- \\u0000 \\ud800 %s {} <script>",
]
ANY_TEXT = st.one_of(
    st.sampled_from(TRICKY),
    st.text(max_size=40),
    st.text(st.characters(exclude_categories=()), max_size=40),
)
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**999, -(10**400)])
    | st.floats()
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
RULED = {"residence_town", "substitute_address", "incident_places.town"}
"""Texts that a rule of their own must fit."""
TEXTS = text_leaves(Document) - RULED
REFERRALS_OWN = {"source_type", "case_number", "ht_characteristics"}
KINDS: dict[str, dict[str, Any]] = {
    "incident_places": {"kind": "out_of_country"},
    "implicated": {"kind": "other"},
}
LEAVES = sorted(set(paths(Document)) - {"reporter.name", "reporter.phone", "reporter.address"})


@pytest.fixture
async def intake_db(module_database: FreshDatabase) -> AsyncIterator[Database]:
    """One database for all of these: each test has referrals of its own."""
    yield module_database.open("intake")
    await module_database.close()


@pytest.fixture
def whole(desk: Desk, intake_db: Database, intake_keys: Keys) -> Desk:
    """A desk with one more profile, which sees everything."""
    everything = {"all": frozenset(paths(Shown))}
    vault = Vault(Sealer(Keyring.load(intake_keys.directory)))
    outbox, digests = Outbox(OUTBOX, Source.INTAKE), Digests.load(intake_keys.directory)
    return replace(desk, viewing=Viewing(intake_db, outbox, vault, digests, everything))


@pytest.fixture
async def caller(whole: Desk, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app_on(whole, intake_keys), intake_keys) as client:
        yield client


def with_leaf(path: str, value: object) -> dict[str, Any]:
    """A good referral but for one field."""
    head, _, leaf = path.rpartition(".")
    if head == "reporter":
        return referral(reporter={"anonymous": True, leaf: value})
    if path in REFERRALS_OWN:
        return referral(**{path: value})
    part = [KINDS.get(head, {}) | {leaf: value}]
    if head == "implicated":
        return referral(implicated=part)
    return referral(children=[child(**({head: part} if head else {leaf: value}))])


def filled(text: str) -> dict[str, Any]:
    """A referral with this text in every field that takes any."""
    whole, own = child(), referral()
    for path in sorted(TEXTS):
        head, _, leaf = path.rpartition(".")
        if head == "reporter":
            own["reporter"][leaf] = text
        elif head:
            place = own if head == "implicated" else whole
            place.setdefault(head, [dict(KINDS.get(head, {}))])[0][leaf] = text
        elif path in REFERRALS_OWN:
            own[path] = text
        else:
            whole[path] = text
    return own | {"children": [whole]}


def told(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The copy that shows everything of the one child of a referral, without the reporter."""
    own = {name: sent[name] for name in (*REFERRALS_OWN, "implicated") if name in sent}
    return known({"address_confidential": False, **sent["children"][0], **own})


def known(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what says nothing, which no copy holds."""

    def value_of(value: Any) -> Any:
        if isinstance(value, dict):
            return known(value)
        if isinstance(value, list):
            return [each for each in map(value_of, value) if each not in ({}, None)]
        return value

    cleaned = {name: value_of(value) for name, value in document.items()}
    return {name: value for name, value in cleaned.items() if value not in (None, "", [], {})}


def assert_refused_well(answer: httpx.Response) -> None:
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if answer.status_code == 422:
        errors = answer.json()["errors"]
        assert errors
        assert all(error["pointer"].startswith("#") and error["detail"] for error in errors)


@PROPERTY
@given(path=st.sampled_from(LEAVES), value=ANY_TEXT, escaped=st.booleans())
async def test_any_text_in_any_field_is_stored_exactly_or_refused(
    caller: httpx.AsyncClient, path: str, value: str, escaped: bool
) -> None:
    sent = with_leaf(path, value)
    body = json.dumps(sent, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    answer = await post(caller, body, new_event_id())
    if answer.status_code != 201:
        assert_refused_well(answer)
        return
    shown = (await project(caller, answer.json()["referral_id"], 1, "all")).json()
    copy = shown["children"][0]["copies"]["all"]
    assert copy.pop("reporter")["anonymous"] is sent["reporter"]["anonymous"]
    assert copy == told(sent)


@pytest.mark.parametrize("text", TRICKY)
async def test_odd_but_whole_text_is_stored_exactly(caller: httpx.AsyncClient, text: str) -> None:
    sent = filled(text)
    answer = await post(caller, sent, new_event_id())
    assert answer.status_code == 201, answer.text
    shown = (await project(caller, answer.json()["referral_id"], 1, "all")).json()
    copy = shown["children"][0]["copies"]["all"]
    assert copy.pop("reporter") == sent["reporter"] | {"confidential": True}
    assert copy == told(sent)


@pytest.mark.parametrize("text", ["\0", "a\ud800", "\udfff\ud800", "x\0"])
@pytest.mark.parametrize("path", ["name", "parents.phone", "reporter.relationship"])
async def test_nul_and_half_a_surrogate_pair_are_refused_with_a_pointer(
    caller: httpx.AsyncClient, path: str, text: str
) -> None:
    answer = await post(caller, json.dumps(with_leaf(path, text)).encode())
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"].endswith(path.rpartition(".")[2])


@PROPERTY
@given(body=ANY_JSON)
async def test_any_json_is_refused_with_pointers(caller: httpx.AsyncClient, body: Any) -> None:
    assert_refused_well(await post(caller, json.dumps(body).encode()))


@PROPERTY
@given(path=st.sampled_from(LEAVES), value=ANY_JSON)
async def test_any_json_in_any_field_is_kept_or_refused_with_pointers(
    caller: httpx.AsyncClient, path: str, value: Any
) -> None:
    answer = await post(caller, json.dumps(with_leaf(path, value)).encode(), new_event_id())
    if answer.status_code != 201:
        assert_refused_well(answer)


@PROPERTY
@given(body=st.binary(max_size=60))
async def test_any_bytes_are_refused(caller: httpx.AsyncClient, body: bytes) -> None:
    assert_refused_well(await post(caller, body))


@PROPERTY
@given(body=ANY_JSON)
async def test_any_json_as_a_patch_is_applied_or_refused(
    caller: httpx.AsyncClient, body: Any
) -> None:
    kept = (await post(caller, referral(), new_event_id())).json()
    answer = await patch(caller, kept["referral_id"], body)
    if answer.status_code != 200:
        assert_refused_well(answer)


def hostile() -> Iterator[tuple[str, bytes]]:
    good = json.dumps(referral())
    yield "deep arrays", b"[" * 400_000
    yield "deep and closed", b"[" * 900 + b"]" * 900
    yield "deep objects", b'{"a":' * 200 + b"1" + b"}" * 200
    yield "deep beside good", good[:-1].encode() + b',"x":' + b"[" * 100 + b"]" * 100 + b"}"
    yield "a huge number", b'{"trigger": ' + b"9" * 500_000 + b"}"
    yield "a huge exponent", good.replace("15", "1e999999").encode()
    yield "a name twice", good[:-1].encode() + b', "trigger": "careline"}'
    yield "a name twice, deep", good.replace('"ht_type"', '"sex": "male", "ht_type"').encode()
    yield "NaN", good.replace("15", "NaN").encode()
    yield "a mark of byte order", b"\xef\xbb\xbf" + good.encode()
    yield "UTF-16", good.encode("utf-16")
    yield "not UTF-8", good.replace("Test", "\udcff").encode("utf-8", "surrogateescape")
    yield "two texts", good.encode() * 2
    yield "many unknown fields", json.dumps({f"f{n}": n for n in range(50_000)}).encode()
    yield "many children", json.dumps(referral(children=[child()] * 21)).encode()
    yield "nothing", b""


HOSTILE = dict(hostile())


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_json_is_refused(caller: httpx.AsyncClient, what: str) -> None:
    body = HOSTILE[what]
    answer = await post(caller, body)
    assert_refused_well(answer)
    assert len(answer.content) < 20_000
    kept = (await post(caller, referral(), new_event_id())).json()
    amended = await caller.patch(
        kept["links"]["self"],
        content=body,
        headers={"Content-Type": "application/merge-patch+json", "If-Match": '"1"'},
    )
    assert amended.status_code in (200, 400, 422)


async def test_a_body_of_ten_megabytes_is_413_and_nothing_of_it_is_kept(
    caller: httpx.AsyncClient,
) -> None:
    body = json.dumps(referral(children=[child(other_concerns="x" * 10_000_000)])).encode()
    key = new_event_id()
    answer = await post(caller, body, key)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await post(caller, referral(), key)).status_code == 201
