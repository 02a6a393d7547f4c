"""What a receiver refuses. The notices are made by notify's own code; the receiver shares none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey

from deploy.machine.webhooks import (
    TOLERANCE_SECONDS,
    Opened,
    Refused,
    open_notice,
    parse_public_key,
)
from services.notify.delivery.envelope import CONTENT_TYPE, Notice, encrypt, plaintext
from services.notify.delivery.signing import Signer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
AGENCY, OTHER = "agy_" + "1" * 32, "agy_" + "2" * 32
NOTICE_ID = "ntc_" + "3" * 32
KEY = ECKey.generate_key("P-256", auto_kid=True)
SIGNER = Signer([Ed25519PrivateKey.generate()])
STRANGER = Signer([Ed25519PrivateKey.generate()])
SENDERS = [parse_public_key(key) for key in SIGNER.public_keys]


def notice(agency_id: str = AGENCY, notice_id: str = NOTICE_ID) -> Notice:
    return Notice(
        notice_id=notice_id,
        kind="original",
        version=1,
        supersedes=None,
        referral_number="HL-TEST-0001",
        trigger="careline",
        received_at=NOW,
        agency_id=agency_id,
        role="fbi",
        authority="CGS 17a-28",
        purpose="test",
        child_id="chd_" + "4" * 32,
        child={"name": "Test Child One"},
    )


def sealed(
    inner: Notice | None = None, aud: str = AGENCY, jti: str = NOTICE_ID, key: ECKey = KEY
) -> bytes:
    public: dict[str, Any] = dict(key.as_dict(private=False))
    return encrypt(plaintext(inner or notice()), aud, public, jti, NOW)


def received(
    body: bytes, signer: Signer = SIGNER, at: datetime = NOW, **changed: str
) -> Opened | Refused:
    headers = signer.headers(NOTICE_ID, at, body) | {"content-type": CONTENT_TYPE}
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return open_notice(headers, body, AGENCY, KEY, SENDERS, NOW.timestamp())


def test_a_genuine_notice_is_opened() -> None:
    opened = received(sealed())
    assert isinstance(opened, Opened)
    assert (opened.notice_id, opened.form["child"]["name"]) == (NOTICE_ID, "Test Child One")


def test_one_changed_byte_is_refused() -> None:
    body = sealed()
    signed = SIGNER.headers(NOTICE_ID, NOW, body) | {"content-type": CONTENT_TYPE}
    changed = body[:-1] + (b"A" if body[-1:] != b"A" else b"B")
    refused = open_notice(signed, changed, AGENCY, KEY, SENDERS, NOW.timestamp())
    assert refused == Refused(401, "no signature by a known key")


def test_another_sender_is_refused() -> None:
    assert received(sealed(), STRANGER) == Refused(401, "no signature by a known key")


@pytest.mark.parametrize("seconds", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_a_notice_sent_again_much_later_is_refused(seconds: int) -> None:
    refused = received(sealed(), at=NOW + timedelta(seconds=seconds))
    assert refused == Refused(401, "webhook-timestamp is too far from now")


def test_the_id_is_signed_too() -> None:
    refused = received(sealed(), webhook_id="ntc_" + "9" * 32)
    assert refused == Refused(401, "no signature by a known key")


@pytest.mark.parametrize("signature", ["", "v1a", "v1a,???", "v1,AAAA", "v1a,AAAA v2,BBBB"])
def test_a_malformed_signature_is_refused(signature: str) -> None:
    refused = received(sealed(), webhook_signature=signature)
    assert refused == Refused(401, "no signature by a known key")


def test_a_second_signature_of_a_rotation_is_enough() -> None:
    body = sealed()
    old = STRANGER.headers(NOTICE_ID, NOW, body)["webhook-signature"]
    new = SIGNER.headers(NOTICE_ID, NOW, body)["webhook-signature"]
    assert isinstance(received(body, webhook_signature=f"{old} {new}"), Opened)


def test_what_is_encrypted_to_another_key_is_refused() -> None:
    refused = received(sealed(key=ECKey.generate_key("P-256", auto_kid=True)))
    assert isinstance(refused, Refused)
    assert refused.status == 400


def test_what_is_for_another_agency_is_refused() -> None:
    """P4: a notice that reached the wrong door is not taken for one's own."""
    for body in (sealed(aud=OTHER), sealed(notice(agency_id=OTHER))):
        assert received(body) == Refused(403, "for somebody else")


def test_what_speaks_of_another_notice_is_refused() -> None:
    other = "ntc_" + "5" * 32
    for body in (sealed(jti=other), sealed(notice(notice_id=other))):
        assert received(body) == Refused(400, "its ids differ")


def test_another_media_type_is_refused() -> None:
    assert received(sealed(), content_type="application/json") == Refused(
        415, "not application/jose"
    )
