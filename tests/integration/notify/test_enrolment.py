"""An agency enrols: invitation, code, challenge, fingerprint, test notice, go-live."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey
from sqlalchemy import text

from services.notify.delivery.egress import Resolver
from services.notify.directory.endpoint_tls import Transport
from services.notify.enrolment.api import enrolment_router
from services.notify.enrolment.certificates import not_after
from services.notify.enrolment.challenge import Challenger, NotProved
from services.notify.enrolment.enrolling import Enrolling
from services.notify.enrolment.expiring import tell_expiring
from services.notify.enrolment.expiry import Lasting, expiring
from services.notify.proposals.api import proposal_router
from services.notify.wiring import PROPOSABLES
from shared.runtime.ids import utc_now
from tests.support import planning as support
from tests.support.certificates import Authority, TlsTown, server_context, town
from tests.support.deliveries import KEY, World, decrypt
from tests.support.desks import Desk, desk_of
from tests.support.planning import FBI, POLICE
from tests.support.receiver import Receiver, Request, answer

SCOPES = (
    "enrolment:read enrolment:manage enrolment:confirm enrolment:submit proposals:decide "
    "proposals:read"
)
PUBLIC = dict(KEY.as_dict(private=False))


@pytest.fixture
async def desk(world: World, tmp_path: Path) -> AsyncIterator[Desk]:
    await support.seed(world.db, support.agencies(), tmp_path)
    enrolling = Enrolling(world.db, Challenger(world.signer, allow_http=True))
    routers = [enrolment_router(world.db, enrolling), proposal_router(world.db, PROPOSABLES)]
    async with desk_of(routers, SCOPES, tmp_path) as made:
        yield made


async def holds_the_key(request: Request, writer: asyncio.StreamWriter) -> None:
    """Opens what it gets; a challenge is answered, a notice accepted."""
    opened = json.loads(decrypt(request.body))
    body = json.dumps({"challenge": opened.get("challenge")}).encode()
    await answer(200, body=body)(request, writer)


async def invite(desk: Desk) -> dict[str, Any]:
    made = await desk.post("/v1/enrolments", {"agency_id": FBI})
    assert made.status_code == 201
    return dict(made.json())


def submission(code: str, url: str, key: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"code": code, "endpoint": url, "encryption_key": key or PUBLIC}


async def submit(desk: Desk, made: dict[str, Any], body: dict[str, Any], agency: str = FBI) -> Any:
    path = f"/v1/enrolments/{made['enrolment_id']}/submission"
    return await desk.post(path, body, "their-clerk", agency=agency)


async def do(
    desk: Desk, made: dict[str, Any], what: str, body: Any = None, by: str = "maker"
) -> Any:
    return await desk.post(f"/v1/enrolments/{made['enrolment_id']}/{what}", body or {}, by)


async def test_an_agency_is_enrolled_and_goes_live_by_two_people(
    world: World, desk: Desk, receiver: Receiver
) -> None:
    receiver.behaviour = holds_the_key
    made = await invite(desk)
    submitted = await submit(desk, made, submission(made["code"], receiver.url))
    assert submitted.json()["fingerprint"] == KEY.thumbprint()
    assert (await do(desk, made, "challenge")).json()["step"] == "proved"
    confirmed = await do(desk, made, "confirmation", {"fingerprint": KEY.thumbprint()}, "second")
    assert confirmed.json()["confirmed_by"] == "second"
    assert (await do(desk, made, "test")).json()["step"] == "tested"
    notice = json.loads(decrypt(receiver.requests[-1].body))
    assert (notice["form"], notice["referral_number"]) == ("DCF-737", "HL-TEST-TEST")

    async def on_file() -> Any:
        (row,) = await world.rows(
            "SELECT endpoint FROM notify.agencies WHERE agency_id = :id", id=FBI
        )
        return row.endpoint

    proposed = (await do(desk, made, "proposal", {"reason": "Enrolled."})).json()
    assert await on_file() != receiver.url
    assert (await desk.approve(proposed["proposal_id"], "maker")).status_code == 403
    assert (await desk.approve(proposed["proposal_id"], "checker")).status_code == 200
    assert await on_file() == receiver.url
    assert await world.rows("SELECT * FROM notify.disclosures") == [], "nothing was disclosed"


async def test_a_key_that_has_ended_is_not_taken_and_the_code_stays_good(desk: Desk) -> None:
    made = await invite(desk)
    ended = submission(made["code"], "https://fbi.example/hook", {**PUBLIC, "exp": 1_700_000_000})
    refused = await submit(desk, made, ended)
    assert (refused.status_code, "expired" in refused.json()["detail"]) == (409, True)
    again = await submit(desk, made, submission(made["code"], "https://fbi.example/hook"))
    assert again.status_code == 200


async def test_a_code_is_hashed_at_rest_and_good_once(
    world: World, desk: Desk, receiver: Receiver
) -> None:
    made = await invite(desk)
    (row,) = await world.rows("SELECT CAST(to_jsonb(e) AS text) AS all FROM notify.enrolments e")
    assert made["code"] not in row.all
    assert made["code"].replace("-", "") not in row.all
    listed = await desk.get("/v1/enrolments")
    assert made["code"] not in listed.text
    typed = made["code"].lower().replace("-", " ")
    assert (await submit(desk, made, submission(typed, receiver.url))).status_code == 200
    again = await submit(desk, made, submission(made["code"], "http://evil.test/"))
    assert again.status_code == 403


async def test_a_code_that_is_expired_or_guessed_at_is_void(
    world: World, desk: Desk, receiver: Receiver
) -> None:
    made = await invite(desk)
    answers = [await submit(desk, made, submission("AAAAA", receiver.url)) for _ in range(5)]
    late = await submit(desk, made, submission(made["code"], receiver.url))
    assert {each.status_code for each in (*answers, late)} == {403}
    assert late.content == answers[0].content, "it says nothing about the code"
    made = await invite(desk)
    async with world.db.transaction() as session:
        await session.execute(
            text("UPDATE notify.enrolments SET expires_at = :now"), {"now": utc_now()}
        )
    expired = await submit(desk, made, submission(made["code"], receiver.url))
    assert (expired.status_code, expired.content) == (403, late.content)


async def test_of_invitations_at_once_one_stays_open(world: World, desk: Desk) -> None:
    made = await asyncio.gather(*(invite(desk) for _ in range(6)))
    rows = await world.rows("SELECT enrolment_id FROM notify.enrolments WHERE ended_at IS NULL")
    assert len(rows) == 1
    for each in made:
        url = "https://fbi.example/hook"
        answered = await submit(desk, each, submission(each["code"], url))
        open_one = each["enrolment_id"] == rows[0].enrolment_id
        assert answered.status_code == (200 if open_one else 403)


async def test_an_enrolment_that_is_not_proposed_in_thirty_days_has_ended(
    world: World, desk: Desk, receiver: Receiver
) -> None:
    receiver.behaviour = holds_the_key
    made = await invite(desk)
    await submit(desk, made, submission(made["code"], receiver.url))
    assert (await do(desk, made, "challenge")).json()["step"] == "proved"
    await world.rows(
        "UPDATE notify.enrolments SET invited_at = invited_at - CAST('30 days' AS interval) "
        "RETURNING 1"
    )
    late = await do(desk, made, "confirmation", {"fingerprint": KEY.thumbprint()}, "second")
    assert (late.status_code, "ended" in late.json()["detail"]) == (409, True)
    assert (await desk.get("/v1/enrolments")).json()["enrolments"][0]["step"] == "ended"
    assert (await invite(desk))["step"] == "invited", "another is begun"


async def test_an_endpoint_that_does_not_hold_the_key_is_not_proved(
    desk: Desk, receiver: Receiver
) -> None:
    other = ECKey.generate_key("P-256")
    made = await invite(desk)
    body = submission(made["code"], receiver.url, dict(other.as_dict(private=False)))
    await submit(desk, made, body)
    for behaviour in (
        answer(200, body=b'{"challenge": "guessed"}'),
        answer(200, body=b"not json"),
        answer(500),
        answer(302, "Location: http://127.0.0.1:9/"),
    ):
        receiver.behaviour = behaviour
        refused = await do(desk, made, "challenge")
        assert refused.status_code == 409
        assert "guessed" not in refused.text
    assert (await do(desk, made, "confirmation", {"fingerprint": "x"}, "second")).status_code == 409


async def test_a_challenge_goes_only_where_the_agencys_record_allows(
    world: World, desk: Desk, receiver: Receiver
) -> None:
    receiver.behaviour = holds_the_key
    made = await invite(desk)
    await submit(desk, made, submission(made["code"], receiver.url))
    async with world.db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO notify.agency_terms VALUES (:id, 2, '2000-01-01', "
                "'{\"allowed_networks\": []}')"
            ),
            {"id": FBI},
        )
    assert (await do(desk, made, "challenge")).status_code == 409
    assert receiver.connections == 0


async def test_a_challenge_asks_of_tls_what_the_agencys_record_asks(
    world: World, tmp_path: Path
) -> None:
    """A private authority, a pin and our certificate hold before the endpoint is on record."""
    authority, ours = Authority(), Authority("Hartline's")
    pin = authority.issue(tmp_path / "town.pem", ["localhost"])
    ours.issue(tmp_path / "clients" / "example_town.pem")
    challenger = Challenger(world.signer, allow_http=False, keys=tmp_path)

    async def proved(at: TlsTown, transport: Transport | None) -> str:
        try:
            await challenger.prove(FBI, at.url, PUBLIC, ["127.0.0.0/8"], utc_now(), transport)
        except NotProved as why:
            return str(why)
        return "proved"

    def asks(**more: Any) -> Transport:
        return Transport.model_validate({"authorities": authority.pem} | more)

    async with town(server_context(tmp_path / "town.pem", ours.pem)) as at:
        at.receiver.behaviour = holds_the_key
        shown = asks(client_certificate="example_town", pins=[pin])
        assert await proved(at, shown) == "proved"
        untrusted = "its certificate is not one to trust"
        assert await proved(at, None) == untrusted
        assert await proved(at, asks(pins=["sha256/" + "A" * 43 + "="])) == untrusted
        assert "certificate" in await proved(at, asks(client_certificate="gone"))
        assert "did not answer" in await proved(at, asks())
        assert len(at.receiver.requests) == 1


async def test_the_fingerprint_is_confirmed_by_a_second_person_who_is_not_shown_it(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.behaviour = holds_the_key
    made = await invite(desk)
    await submit(desk, made, submission(made["code"], receiver.url))
    proved = await do(desk, made, "challenge")
    assert KEY.thumbprint() not in proved.text
    right = {"fingerprint": KEY.thumbprint()}
    for first_again in ("maker", "maker ", "Maker"):
        assert (await do(desk, made, "confirmation", right, first_again)).status_code == 409
    wrong = {"fingerprint": KEY.thumbprint()[:-1] + "_"}
    assert (await do(desk, made, "confirmation", wrong, "second")).status_code == 409
    assert (await do(desk, made, "test")).status_code == 409, "not before it is confirmed"
    assert (await do(desk, made, "confirmation", right, "second")).status_code == 200


async def test_a_new_invitation_ends_the_one_before(desk: Desk, receiver: Receiver) -> None:
    first, second = await invite(desk), await invite(desk)
    old = await submit(desk, first, submission(first["code"], receiver.url))
    assert old.status_code == 403
    assert (await submit(desk, second, submission(second["code"], receiver.url))).status_code == 200


PATHS = [
    ("GET", "/v1/enrolments", "enrolment:read", None),
    ("POST", "/v1/enrolments", "enrolment:manage", {"agency_id": FBI}),
    ("POST", f"/v1/enrolments/enr_{0:032x}/challenge", "enrolment:manage", {}),
    ("POST", f"/v1/enrolments/enr_{0:032x}/test", "enrolment:manage", {}),
    ("POST", f"/v1/enrolments/enr_{0:032x}/end", "enrolment:manage", {}),
    ("POST", f"/v1/enrolments/enr_{0:032x}/proposal", "enrolment:manage", {"reason": "Because."}),
    (
        "POST",
        f"/v1/enrolments/enr_{0:032x}/confirmation",
        "enrolment:confirm",
        {"fingerprint": "x"},
    ),
]


@pytest.mark.parametrize(("method", "path", "scope", "body"), PATHS)
async def test_p10_enrolment_is_for_our_own_people_but_for_what_the_agency_submits(
    desk: Desk, method: str, path: str, scope: str, body: object
) -> None:
    assert set(await desk.refused_to_others(method, path, scope, body)) == {401, 403}


async def test_p10_another_agencys_enrolment_is_as_unknown_as_none(
    desk: Desk, receiver: Receiver
) -> None:
    made = await invite(desk)
    body = submission(made["code"], receiver.url)
    foreign = await submit(desk, made, body, agency=POLICE)
    unknown = await submit(desk, {"enrolment_id": f"enr_{0:032x}"}, body)
    assert (foreign.status_code, foreign.content) == (404, unknown.content)
    for what in ("submission", "proof"):
        path = f"/v1/enrolments/{made['enrolment_id']}/{what}"
        assert (await desk.post(path, body)).status_code == 403, "a person of ours"
        refused = await desk.post(path, body, scopes="enrolment:read", agency=FBI)
        assert refused.status_code == 403
        assert (await desk.client.post(path, json=body)).status_code == 401
    for no_id in ("enr_1", "%00", "é" * 32):
        path = f"/v1/enrolments/{no_id}/submission"
        answer_ = await desk.post(path, body, "their-clerk", agency=FBI)
        assert (answer_.status_code, answer_.content) == (404, unknown.content)
    proof = f"/v1/enrolments/{made['enrolment_id']}/proof"
    assert (await desk.post(proof, {}, agency=POLICE)).status_code == 404


# What runs out

TODAY = date(2026, 3, 3)


def lasting(**ends: Any) -> Lasting:
    never = {"authority_to": None, "mou_to": None, "encryption_key": None, "certificate_to": None}
    return Lasting("agy_1", **(never | ends))


@pytest.mark.parametrize(
    ("ends", "what"),
    [
        ({"mou_to": TODAY + timedelta(days=30)}, "MOU"),
        ({"authority_to": TODAY}, "authority"),
        ({"certificate_to": datetime(2026, 3, 20, tzinfo=UTC)}, "certificate"),
        ({"encryption_key": {"exp": int(datetime(2026, 3, 20, tzinfo=UTC).timestamp())}}, "key"),
    ],
)
def test_what_ends_within_30_days_is_a_task(ends: dict[str, Any], what: str) -> None:
    (task,) = expiring([lasting(**ends)], TODAY)
    assert task.detail.startswith(f"The {what} of agency agy_1 ends on")


def test_what_lasts_longer_or_says_nothing_is_none() -> None:
    far = lasting(mou_to=TODAY + timedelta(days=31), encryption_key={"exp": "soon"})
    assert expiring([far, lasting()], TODAY) == []


async def test_it_is_filed_once_for_each_day_on_which_it_ends(world: World) -> None:
    ends = (utc_now() + timedelta(days=10)).date()
    agency = await world.agency(None, mou="MOU 1", mou_to=ends)
    assert await tell_expiring(world.db) == 1
    assert await tell_expiring(world.db) == 1
    assert await world.tasks() == [("expiring", f"{agency} MOU {ends}")]


async def test_a_certificate_is_looked_at_where_the_record_allows_and_nowhere_else(
    world: World, tmp_path: Path
) -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=12)
    context = self_signed(tmp_path, ends)
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    url = f"https://127.0.0.1:{port}/hook"
    try:
        agency = await world.agency(url)
        assert await tell_expiring(world.db) == 1
        assert await world.tasks() == [("expiring", f"{agency} certificate {ends.date()}")]
        resolver = Resolver()
        assert await not_after(resolver, url, []) is None
        await resolver.close()
    finally:
        server.close()


def self_signed(folder: Path, ends: datetime) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "agency.test")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=90))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    file = folder / "agency.test"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
