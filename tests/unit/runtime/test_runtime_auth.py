import base64
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from shared.runtime import keys
from shared.runtime.auth import InvalidToken, LocalIssuer, Principal, TokenVerifier, authenticate
from shared.runtime.errors import Misconfigured
from shared.runtime.problem import Problem

ISSUER = "https://issuer.example"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("auth")
    keys.make("issuer", directory / "issuer.jwk")
    keys.make("issuer", directory / "other.jwk")
    (directory / "jwks.json").write_text(json.dumps(keys.jwks(directory / "issuer.jwk")))
    return directory


@pytest.fixture
def verifier(directory: Path) -> TokenVerifier:
    return TokenVerifier(directory / "jwks.json", ISSUER)


@pytest.fixture
def issuer(directory: Path) -> LocalIssuer:
    return LocalIssuer(directory / "issuer.jwk", ISSUER)


@pytest.fixture
def sign(directory: Path) -> Callable[..., str]:
    key = keys.load_issuer(directory / "issuer.jwk")

    def sign(header: dict[str, Any] | None = None, **changes: Any) -> str:
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "hartline", "sub": "x", "iat": now, "exp": now + 600}
        claims = {name: v for name, v in (claims | changes).items() if v is not None}
        head = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid} | (header or {})
        return jwt.encode({k: v for k, v in head.items() if v is not None}, claims, key)

    return sign


def test_a_token_says_who_calls_and_what_it_may(
    verifier: TokenVerifier, issuer: LocalIssuer
) -> None:
    token = issuer.token("phone", ["a:b", "c:d"])
    assert verifier.verify(token) == Principal("phone", frozenset({"a:b", "c:d"}))
    token = issuer.token("someone", ["a:b"], person=True, agency="agy_1")
    expected = Principal("someone", frozenset({"a:b"}), person=True, agency="agy_1")
    assert verifier.verify(token) == verifier.verify(token) == expected


NOW = int(time.time())


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": None},
        {"aud": ["other"]},
        {"aud": {"hartline": 1}},
        {"sub": None},
        {"sub": ""},
        {"sub": 1},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": NOW - 60, "iat": NOW - 120},
        {"exp": NOW + 3600, "iat": NOW},
        {"exp": NOW + 3600 * 24, "iat": NOW + 3600 * 24 - 60},
        {"iat": None},
        {"nbf": NOW + 24 * 3600},
        {"nbf": "x"},
        {"scope": ["a:b"]},
        {"person": "yes"},
        {"agency": 1},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": None}},
        {"header": {"kid": "unknown"}},
    ],
)
def test_a_token_with_a_wrong_claim_is_refused(
    verifier: TokenVerifier, sign: Callable[..., str], changes: dict[str, Any]
) -> None:
    """P10"""
    verifier.verify(sign())
    with pytest.raises(InvalidToken):
        verifier.verify(sign(**changes))


def test_only_our_key_and_our_algorithm_count(
    verifier: TokenVerifier, directory: Path, issuer: LocalIssuer, sign: Callable[..., str]
) -> None:
    """P10: another key, `none`, and HMAC with the public key as its secret."""
    kid = keys.load_issuer(directory / "issuer.jwk").kid
    stranger = LocalIssuer(directory / "other.jwk", ISSUER).token("x", ["a:b"])
    head, body, _ = sign().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').decode().rstrip("=")
    public = keys.load_issuer(directory / "issuer.jwk").as_pem(private=False)
    claims = jwt.decode(sign(), keys.load_issuer(directory / "issuer.jwk")).claims
    header = {"alg": "HS256", "typ": "at+jwt", "kid": kid}
    confused = jwt.encode(header, claims, OctKey.import_key(public[26:60]))
    for token in (stranger, f"{none}.{body}.", f"{head}.{body}.", confused, sign()[:-4] + "AAAA"):
        with pytest.raises(InvalidToken):
            verifier.verify(token)


@given(st.text(max_size=60) | st.builds(".".join, st.lists(st.text(max_size=9), max_size=5)))
def test_noise_is_an_invalid_token_and_nothing_worse(noise: str) -> None:
    with pytest.raises(InvalidToken):
        NOISE.verify(noise)


@given(st.tuples(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=70)))
def test_well_framed_noise_is_an_invalid_token(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(InvalidToken):
        NOISE.verify(".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), inner)
        ),
        max_leaves=5,
    )
)
def test_a_header_of_any_shape_is_an_invalid_token(header: object) -> None:
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    with pytest.raises(InvalidToken):
        NOISE.verify(f"{head}.e30.AAAA")


def _verifier_for_noise() -> TokenVerifier:
    import tempfile

    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "jwks.json"
        path.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        return TokenVerifier(path, ISSUER)


NOISE = _verifier_for_noise()


def test_an_expired_token_is_refused_even_if_it_was_seen_before(
    directory: Path, issuer: LocalIssuer
) -> None:
    now = time.time()
    verifier = TokenVerifier(directory / "jwks.json", ISSUER, clock=lambda: now)
    token = issuer.token("x", [], lifetime=timedelta(seconds=60))
    verifier.verify(token)
    now += 89
    verifier.verify(token)
    now += 3
    with pytest.raises(InvalidToken, match="expired"):
        verifier.verify(token)


def test_a_revoked_key_is_forgotten_within_a_second(directory: Path, tmp_path: Path) -> None:
    now = time.time()
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(keys.jwks(directory / "issuer.jwk")))
    verifier = TokenVerifier(path, ISSUER, clock=lambda: now)
    old = LocalIssuer(directory / "issuer.jwk", ISSUER).token("x", [])
    new = LocalIssuer(directory / "other.jwk", ISSUER).token("x", [])
    verifier.verify(old)
    path.write_text(json.dumps(keys.jwks(directory / "other.jwk")))
    now += 1
    verifier.verify(new)
    with pytest.raises(InvalidToken):
        verifier.verify(old)


def test_a_broken_key_file_leaves_the_keys_that_were_there(directory: Path, tmp_path: Path) -> None:
    now = time.time()
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(keys.jwks(directory / "issuer.jwk")))
    verifier = TokenVerifier(path, ISSUER, clock=lambda: now)
    token = LocalIssuer(directory / "issuer.jwk", ISSUER).token("x", [])
    for broken in ("", "{", '{"keys": []}'):
        path.write_text(broken)
        now += 1
        verifier.verify(token)
    path.unlink()
    now += 1
    verifier.verify(token)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": []}', '{"keys": [{"kty": "x"}]}'])
def test_a_file_without_keys_is_refused_at_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "jwks.json").write_text(content)
    with pytest.raises(Misconfigured, match=r"JWK Set|public keys"):
        TokenVerifier(tmp_path / "jwks.json", ISSUER)


def test_a_private_key_among_the_public_ones_is_refused(directory: Path, tmp_path: Path) -> None:
    private = json.loads((directory / "issuer.jwk").read_text())
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [private]}))
    with pytest.raises(Misconfigured, match="public keys only"):
        TokenVerifier(tmp_path / "jwks.json", ISSUER)


def test_a_missing_file_is_refused_at_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        TokenVerifier(tmp_path / "jwks.json", ISSUER)


@pytest.mark.parametrize("header", [None, "", "Basic eDp5", "Bearer", "Bearer ", "Bearer x y z"])
def test_without_a_good_token_the_answer_is_401_with_a_challenge(
    verifier: TokenVerifier, header: str | None
) -> None:
    with pytest.raises(Problem) as refused:
        authenticate(verifier, header)
    assert refused.value.status == 401
    assert refused.value.headers is not None
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_cache_of_verified_tokens_stays_small(
    verifier: TokenVerifier, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.runtime.auth._CACHED", 3)
    for number in range(10):
        verifier.verify(issuer.token(f"x{number}", []))
    assert len(verifier._verified) <= 3
