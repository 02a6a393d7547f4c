"""Standard Webhooks signatures: published vectors, the public library, an independent Ed25519."""

import base64
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from standardwebhooks import Webhook

from services.notify.delivery.signing import Signer, parse_secret_key, secret_key
from shared.runtime import keys
from shared.runtime.errors import Misconfigured

# Published by the Svix server (worker.rs, test_asymmetric_key_signing and its v1 neighbour; its
# README gives the key pair): the sender whose scheme became Standard Webhooks.
WHSK = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
WHPK = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
BODY = b'{"test": 2432232314}'
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def _verify(whpk: str, headers: dict[str, str], body: bytes, signature: str) -> None:
    """A receiver's own check, with nothing of ours."""
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(whpk.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    public.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)


def test_v1a_equals_the_published_vector() -> None:
    headers = Signer([parse_secret_key(WHSK)]).headers(ID, AT, BODY)
    assert headers == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": V1A,
    }


def test_v1_beside_it_equals_the_published_vector() -> None:
    headers = Signer([parse_secret_key(WHSK)]).headers(ID, AT, BODY, secret=WHSEC)
    assert headers["webhook-signature"] == f"{V1A} {V1}"


def test_public_key_is_the_published_one() -> None:
    assert Signer([parse_secret_key(WHSK)]).public_keys == (WHPK,)


def test_keys_read_with_and_without_their_public_half() -> None:
    key = parse_secret_key(WHSK)
    seed_only = "whsk_" + base64.b64encode(key.private_bytes_raw()).decode().rstrip("=")
    assert secret_key(parse_secret_key(seed_only)) == secret_key(key) == WHSK


def test_v1a_verifies_with_an_independent_ed25519_and_breaks_with_one_byte() -> None:
    signer = Signer([Ed25519PrivateKey.generate()])
    body = os.urandom(5000)
    headers = signer.headers("ntc_" + "0" * 32, AT, body)
    (whpk,), signature = signer.public_keys, headers["webhook-signature"]
    _verify(whpk, headers, body, signature)
    with pytest.raises(InvalidSignature):
        _verify(whpk, headers, body[:-1] + bytes([body[-1] ^ 1]), signature)
    with pytest.raises(InvalidSignature):
        _verify(whpk, {**headers, "webhook-id": "ntc_" + "1" * 32}, body, signature)
    with pytest.raises(InvalidSignature):
        _verify(whpk, {**headers, "webhook-timestamp": "1614265331"}, body, signature)


def test_v1_verifies_with_the_public_library() -> None:
    signer = Signer([Ed25519PrivateKey.generate()])
    headers = signer.headers("ntc_1", datetime.now(UTC), b'{"a":1}', secret=WHSEC)
    assert Webhook(WHSEC).verify(b'{"a":1}', headers) == {"a": 1}


def test_rotation_signs_with_both_keys_so_that_either_verifies() -> None:
    old, new = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    signer = Signer([old, new])
    headers = signer.headers("ntc_1", AT, b"x")
    for whpk, signature in zip(
        signer.public_keys, headers["webhook-signature"].split(" "), strict=True
    ):
        _verify(whpk, headers, b"x", signature)


def test_keys_made_by_the_key_command_are_loaded_in_order(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        keys.make("ed25519", tmp_path / f"webhook-{version}.key")
    signer = Signer.load(tmp_path)
    expected = [keys.load_ed25519(tmp_path / f"webhook-{version}.key") for version in (1, 2, 10)]
    assert signer.public_keys == Signer(expected).public_keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        WHPK,
        WHSEC,
        "whsk_%%%%",
        "whsk_" + base64.b64encode(b"short").decode(),
        WHSK[:-8] + "AAAAAA==",
    ],
)
def test_a_broken_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        parse_secret_key(text)
    assert not text or text not in str(refused.value)
