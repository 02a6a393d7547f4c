"""The TLS of one agency's endpoint: private authorities, pins, our certificate. Fails closed."""

import asyncio
import os
import ssl
import warnings
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from joserfc.jwk import ECKey
from pydantic import ValidationError

from services.notify.delivery.outcomes import Answered, NotSent, Obstacle, Outcome, Unknown
from services.notify.delivery.sender import HttpSender, Letter
from services.notify.directory import file as directory_file
from services.notify.directory.agencies import Kind
from services.notify.directory.changes import body, draft, read_body
from services.notify.directory.difference import lines
from services.notify.directory.endpoint_tls import (
    Transport,
    context_for,
    context_of,
    ends_of,
    pin_of,
)
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.schemas import AgencyOut
from tests.support.certificates import Authority, TlsTown, server_context, town

UNREACHABLE = NotSent(Obstacle.UNREACHABLE)
UNTRUSTED = NotSent(Obstacle.UNTRUSTED)
OTHER_PIN = "sha256/" + "A" * 43 + "="


async def _post(sender: HttpSender, at: TlsTown, transport: Transport | None) -> Outcome:
    by = asyncio.get_running_loop().time() + 3
    return await sender.post(Letter("agy", at.url, ("127.0.0.0/8",), {}, b"x", by, transport))


async def _once(at: TlsTown, transport: Transport | None, keys: Path | None = None) -> Outcome:
    async with HttpSender(keys=keys) as sender:
        return await _post(sender, at, transport)


@pytest.mark.parametrize(
    ("names", "ended", "outcome"),
    [
        (["localhost"], False, Answered(200)),
        (["other.example"], False, UNTRUSTED),
        ([], False, UNTRUSTED),
        (["*.localhost"], False, UNTRUSTED),
        (["localhost"], True, UNTRUSTED),
    ],
    ids=["good", "another's name", "no name", "a wildcard beside it", "ended"],
)
async def test_a_private_authority_vouches_for_its_name_and_time(
    tmp_path: Path, names: list[str], ended: bool, outcome: Outcome
) -> None:
    authority = Authority()
    authority.issue(tmp_path / "town.pem", names, ended=ended)
    async with town(server_context(tmp_path / "town.pem")) as at:
        assert await _once(at, Transport(authorities=authority.pem)) == outcome
        assert len(at.receiver.requests) == (1 if outcome == Answered(200) else 0)


async def test_a_name_in_the_cn_alone_is_no_name(tmp_path: Path) -> None:
    """RFC 9525: only subjectAltName says whose it is."""
    authority = Authority()
    authority.issue(tmp_path / "town.pem", common_name="localhost")
    async with town(server_context(tmp_path / "town.pem")) as at:
        assert await _once(at, Transport(authorities=authority.pem)) == UNTRUSTED
        assert at.receiver.requests == []


@pytest.mark.parametrize("listed", [True, False])
async def test_an_address_is_vouched_for_as_an_address(tmp_path: Path, listed: bool) -> None:
    authority = Authority()
    named = [x509.IPAddress(ip_address("127.0.0.1" if listed else "127.0.0.2"))]
    names: list[x509.GeneralName] = [*named, x509.DNSName("127.0.0.1")]
    authority.issue(tmp_path / "town.pem", extensions=[x509.SubjectAlternativeName(names)])
    async with town(server_context(tmp_path / "town.pem")) as at, HttpSender() as sender:
        by = asyncio.get_running_loop().time() + 3
        url = f"https://127.0.0.1:{at.port}/hook"
        transport = Transport(authorities=authority.pem)
        letter = Letter("agy", url, ("127.0.0.0/8",), {}, b"x", by, transport)
        assert await sender.post(letter) == (Answered(200) if listed else UNTRUSTED)


async def test_a_clients_certificate_serves_no_endpoint(tmp_path: Path) -> None:
    authority = Authority()
    for_clients = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    authority.issue(tmp_path / "town.pem", ["localhost"], extensions=[for_clients])
    async with town(server_context(tmp_path / "town.pem")) as at:
        assert await _once(at, Transport(authorities=authority.pem)) == UNTRUSTED


async def test_an_authority_that_has_ended_vouches_for_nobody(tmp_path: Path) -> None:
    authority = Authority(ended=True)
    authority.issue(tmp_path / "town.pem", ["localhost"])
    async with town(server_context(tmp_path / "town.pem")) as at:
        assert await _once(at, Transport(authorities=authority.pem)) == UNTRUSTED


@pytest.mark.parametrize("named", [True, False])
async def test_who_vouches_for_itself_is_trusted_where_the_record_names_it(
    tmp_path: Path, named: bool
) -> None:
    """A self-signed certificate: its own authority, or nobody's."""
    itself = Authority("Example Town")
    itself.issue(tmp_path / "town.pem", ["localhost"], key=itself.key, common_name="Example Town")
    certificate = x509.load_pem_x509_certificates((tmp_path / "town.pem").read_bytes())[0]
    assert certificate.subject == certificate.issuer
    pem = certificate.public_bytes(Encoding.PEM).decode()
    async with town(server_context(tmp_path / "town.pem")) as at:
        outcome = await _once(at, Transport(authorities=pem) if named else None)
        assert outcome == (Answered(200) if named else UNTRUSTED)
        assert len(at.receiver.requests) == (1 if named else 0)


async def test_one_agencys_authority_vouches_for_no_other_agency(tmp_path: Path) -> None:
    """Not for the next letter of the same sender, to the same endpoint, either."""
    authority = Authority()
    authority.issue(tmp_path / "town.pem", ["localhost"])
    async with town(server_context(tmp_path / "town.pem")) as at, HttpSender() as sender:
        assert await _post(sender, at, Transport(authorities=authority.pem)) == Answered(200)
        assert await _post(sender, at, None) == UNTRUSTED
        others = Transport(authorities=Authority().pem)
        assert await _post(sender, at, others) == UNTRUSTED
        assert len(at.receiver.requests) == 1


@pytest.mark.parametrize("kind", ["its own", "one of two", "another", "the authority's"])
async def test_a_pin_is_asked_before_a_byte_of_http(tmp_path: Path, kind: str) -> None:
    authority = Authority()
    pin = authority.issue(tmp_path / "town.pem", ["localhost"])
    pins = {
        "its own": (pin,),
        "one of two": (OTHER_PIN, pin),
        "another": (OTHER_PIN,),
        "the authority's": (pin_of(ssl.PEM_cert_to_DER_cert(authority.pem)),),
    }[kind]
    good = kind in ("its own", "one of two")
    async with town(server_context(tmp_path / "town.pem")) as at:
        outcome = await _once(at, Transport(authorities=authority.pem, pins=pins))
        assert outcome == (Answered(200) if good else UNTRUSTED)
        assert len(at.receiver.requests) == (1 if good else 0)


async def test_a_pin_stands_beside_the_authorities_and_replaces_none(tmp_path: Path) -> None:
    pin = Authority().issue(tmp_path / "town.pem", ["localhost"])
    async with town(server_context(tmp_path / "town.pem")) as at:
        assert await _once(at, Transport(pins=(pin,))) == UNTRUSTED


async def test_a_pin_outlives_a_renewed_certificate_of_the_same_key(tmp_path: Path) -> None:
    authority, key = Authority(), ec.generate_private_key(ec.SECP256R1())
    first = authority.issue(tmp_path / "first.pem", ["localhost"], key=key)
    assert authority.issue(tmp_path / "second.pem", ["localhost"], key=key) == first


def test_pins_and_authorities_hold_on_the_loop_that_the_service_runs_on(tmp_path: Path) -> None:
    authority = Authority()
    pin = authority.issue(tmp_path / "town.pem", ["localhost"])

    async def both() -> list[Outcome]:
        async with town(server_context(tmp_path / "town.pem")) as at:
            return [
                await _once(at, Transport(authorities=authority.pem, pins=(each,)))
                for each in (pin, OTHER_PIN)
            ]

    assert uvloop.run(both()) == [Answered(200), UNTRUSTED]


async def test_our_certificate_is_shown_where_the_record_names_it(tmp_path: Path) -> None:
    authority, ours = Authority(), Authority("Hartline's")
    authority.issue(tmp_path / "town.pem", ["localhost"])
    ours.issue(tmp_path / "clients" / "example_town.pem")
    shown = Transport(authorities=authority.pem, client_certificate="example_town")
    unshown = Transport(authorities=authority.pem)
    async with town(server_context(tmp_path / "town.pem", ours.pem)) as at:
        assert await _once(at, shown, tmp_path) == Answered(200)
        assert await _once(at, unshown, tmp_path) in (UNREACHABLE, Unknown())
        assert len(at.receiver.requests) == 1


async def test_a_renewed_certificate_of_ours_is_taken_up_without_a_restart(
    tmp_path: Path,
) -> None:
    authority, ours = Authority(), Authority("Hartline's")
    authority.issue(tmp_path / "town.pem", ["localhost"])
    file = tmp_path / "clients" / "example_town.pem"
    ours.issue(file, ended=True)
    os.utime(file, (1, 1))
    shown = Transport(authorities=authority.pem, client_certificate="example_town")
    context = server_context(tmp_path / "town.pem", ours.pem)
    async with town(context) as at, HttpSender(keys=tmp_path) as sender:
        assert await _post(sender, at, shown) in (UNREACHABLE, Unknown())
        ours.issue(file)
        assert await _post(sender, at, shown) == Answered(200)


@pytest.mark.parametrize(
    "file", [None, "missing", "empty", "open to all", "under a passphrase", "another's key"]
)
async def test_a_certificate_of_ours_that_cannot_be_used_stops_the_letter(
    tmp_path: Path, file: str | None
) -> None:
    """With an obstacle of its own, for a person to mend; never without the certificate."""
    authority = Authority()
    authority.issue(tmp_path / "town.pem", ["localhost"])
    if file == "empty":
        (tmp_path / "clients").mkdir()
        (tmp_path / "clients" / "example_town.pem").touch(0o600)
    elif file is not None and file != "missing":
        _spoil(tmp_path / "clients" / "example_town.pem", file)
    shown = Transport(authorities=authority.pem, client_certificate="example_town")
    async with town(server_context(tmp_path / "town.pem")) as at:
        outcome = await _once(at, shown, None if file is None else tmp_path)
        assert outcome == NotSent(Obstacle.BAD_TRANSPORT)
        assert at.receiver.connections == 0
    assert Obstacle.BAD_TRANSPORT.needs_person


def _spoil(file: Path, how: str) -> None:
    Authority("Hartline's").issue(file)
    if how == "open to all":
        file.chmod(0o604)
        return
    locked: KeySerializationEncryption = BestAvailableEncryption(b"passphrase")
    key = load_pem_private_key(file.read_bytes(), None)
    if how == "another's key":
        key, locked = ec.generate_private_key(ec.SECP256R1()), NoEncryption()
    certificate, _, _ = file.read_text().partition("-----BEGIN PRIVATE")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)
    file.write_text(certificate + pem.decode())


@pytest.mark.parametrize("with_transport", [False, True])
async def test_tls_before_1_2_is_refused(tmp_path: Path, with_transport: bool) -> None:
    authority = Authority()
    authority.issue(tmp_path / "town.pem", ["localhost"])
    context = server_context(tmp_path / "town.pem")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    transport = Transport(authorities=authority.pem)
    async with town(context) as at:
        assert await _once(at, transport if with_transport else None) == UNREACHABLE
        assert await asyncio.to_thread(_old_client, at.port) == "TLSv1.1"


def _old_client(port: int) -> str | None:
    """That the town does speak it, to whoever lets it."""
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", port), 3) as plain, context.wrap_socket(plain) as s:
        return s.version()


@pytest.mark.parametrize("transport", [None, Transport(pins=(OTHER_PIN,))])
def test_every_context_checks_the_chain_and_the_name(transport: Transport | None) -> None:
    context = context_for(transport, None)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"pins": ["sha1/AAAA"]},
        {"pins": ["sha256/AAAA"]},
        {"pins": ["sha256/%%%"]},
        {"pins": ["sha256/\u0410" + "A" * 42 + "="]},
        {"authorities": "no certificate"},
        {"authorities": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"client_certificate": "../webhook-1"},
        {"client_certificate": "a/b"},
        {"client_certificate": ""},
        {"verify": False},
    ],
)
def test_a_record_that_says_nothing_usable_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Transport.model_validate(given)


def test_a_private_key_among_the_authorities_gets_into_no_record(tmp_path: Path) -> None:
    authority = Authority()
    authority.issue(tmp_path / "with-key.pem", ["localhost"])
    both = (tmp_path / "with-key.pem").read_text() + authority.pem
    kept = Transport(authorities=both).authorities
    assert kept is not None
    assert "PRIVATE" not in kept
    assert kept.count("BEGIN CERTIFICATE") == 2


def test_a_pin_is_kept_as_keys_are_measured() -> None:
    """The last letter of this base64 says two bits more than there are."""
    assert Transport(pins=("sha256/" + "A" * 42 + "B=",)) == Transport(pins=(OTHER_PIN,))


def test_who_asks_the_same_shares_what_was_read_for_it() -> None:
    """The system's authorities take tens of milliseconds to read, in which nothing is sent."""
    first, second = Transport(pins=(OTHER_PIN,)), Transport(pins=(OTHER_PIN,))
    assert context_of(first) is context_of(second)
    assert context_of(first) is not context_of(None)
    assert context_of(first, None, 1) is not context_of(first, None, 2)


def test_it_says_when_its_certificates_end(tmp_path: Path) -> None:
    old, new, ours = Authority(ended=True), Authority(), Authority("Hartline's")
    ours.issue(tmp_path / "clients" / "example_town.pem")
    transport = Transport(authorities=old.pem + new.pem, client_certificate="example_town")
    yesterday, tomorrow = (datetime.now(UTC).date() + timedelta(days=each) for each in (-1, 1))
    authorities = [("authority of its endpoint", each) for each in (yesterday, tomorrow)]
    assert list(ends_of(transport, tmp_path)) == [
        *authorities,
        ("certificate that we show", tomorrow),
    ]
    assert list(ends_of(transport, None)) == authorities
    assert list(ends_of(transport, tmp_path / "gone")) == authorities


def test_it_reads_in_words_for_whoever_approves_it() -> None:
    authority = Authority()
    words = str(
        Transport(authorities=authority.pem, pins=(OTHER_PIN,), client_certificate="example_town")
    )
    assert "authorities of its own (SHA-256 " in words
    assert f"pinned to {OTHER_PIN}" in words
    assert words.endswith("our certificate example_town")


def test_a_transport_is_proposed_like_an_endpoint_and_the_old_contact_is_told(
    tmp_path: Path,
) -> None:
    jwk = dict(ECKey.generate_key("P-256").as_dict(private=False))
    known = AgencyEntry(
        agency_id="agy_" + "1" * 32,
        code="example_1",
        kind=Kind.FBI,
        name="Example",
        profile="law_enforcement",
        endpoint="https://example.test/hook",
        encryption_key=jwk,
    )
    wish = {"code": "example_1", "transport": {"pins": [OTHER_PIN]}}
    (change,) = draft({known.agency_id: known}, [wish], str)
    assert change.watched == ["transport"]
    assert f"    ! transport: none -> pinned to {OTHER_PIN}" in lines([change], date(2026, 3, 3))
    assert read_body(body([change], date(2026, 3, 3)))[1] == [change]
    file = tmp_path / "directory.csv"
    file.write_text(directory_file.write([change.after]))
    assert draft({known.agency_id: change.after}, directory_file.read(file), str) == []
    shown = AgencyOut.of(change.after, date(2026, 3, 3))
    assert shown.transport == Transport(pins=(OTHER_PIN,))
