"""Bearer tokens: JWT access tokens (RFC 9068) signed with ES256, and what they allow."""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.runtime import keys
from shared.runtime.errors import Misconfigured
from shared.runtime.problem import Problem, not_found

_ALGORITHMS = ["ES256"]
_TYPES = ("at+jwt", "application/at+jwt")
_LONGEST = 15 * 60
_LEEWAY = 30
_MAX_TOKEN = 8192
_CACHED = 1024


class InvalidToken(Exception):
    """The token is not one of ours, not for us, or not valid now."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: `person` for a natural person, `agency` for whom a partner acts."""

    subject: str
    scopes: frozenset[str]
    person: bool = False
    agency: str | None = None


class TokenVerifier:
    """Verifies tokens against a JWK Set file, which is read again when it changes."""

    def __init__(
        self,
        jwks_path: Path,
        issuer: str,
        audience: str = "hartline",
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises Misconfigured when the file is missing or holds no key."""
        self._path = jwks_path
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._verified: dict[bytes, tuple[Principal, float]] = {}
        self._looked_at = clock()
        self._stamp = self._stat()
        self._keys = self._read()

    def verify(self, token: str) -> Principal:
        """Who the token says is calling. Raises InvalidToken."""
        self._refresh()
        now = self._clock()
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is None:
            known = self._verify(token, now)
            if len(self._verified) >= _CACHED:
                self._verified.clear()
            self._verified[digest] = known
        principal, expires = known
        if now >= expires + _LEEWAY:
            raise InvalidToken("expired")
        return principal

    def _verify(self, token: str, now: float) -> tuple[Principal, float]:
        if len(token) > _MAX_TOKEN:
            raise InvalidToken("too long")
        try:
            decoded = jwt.decode(token, self._keys, algorithms=_ALGORITHMS)
        except Exception as error:  # joserfc meets a hostile header with a TypeError, too
            raise InvalidToken(type(error).__name__) from None
        if str(decoded.header.get("typ", "")).lower() not in _TYPES:
            raise InvalidToken("typ")
        expires = self._check(decoded.claims, now)
        return _principal(decoded.claims), expires

    def _check(self, claims: dict[str, Any], now: float) -> float:
        """The moment it expires. Raises InvalidToken, naming the claim."""
        audience = claims.get("aud")
        if claims.get("iss") != self._issuer:
            raise InvalidToken("iss")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise InvalidToken("aud")
        expires, issued = _time(claims, "exp"), _time(claims, "iat")
        starts = max(issued, _time(claims, "nbf")) if "nbf" in claims else issued
        if not 0 < expires - issued <= _LONGEST or starts > now + _LEEWAY:
            raise InvalidToken("exp, iat or nbf")
        return expires

    def _refresh(self) -> None:
        """Look at the file once a second; a broken new one leaves the old keys in use."""
        now = self._clock()
        if 0 <= now - self._looked_at < 1:
            return
        self._looked_at = now
        try:
            stamp = self._stat()
            if stamp == self._stamp:
                return
            self._keys, self._stamp = self._read(), stamp
        except Misconfigured:
            return
        self._verified.clear()

    def _stat(self) -> tuple[int, int, int]:
        try:
            stat = self._path.stat()
        except OSError as error:
            raise Misconfigured(f"{self._path} cannot be read ({error.strerror}).") from None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size

    def _read(self) -> KeySet:
        try:
            found = KeySet.import_key_set(json.loads(self._path.read_bytes()))
        except (JoseError, OSError, ValueError, TypeError, KeyError):
            raise Misconfigured(f"{self._path} is not a JWK Set (RFC 7517).") from None
        if not found.keys or any(key.is_private or not key.kid for key in found.keys):
            raise Misconfigured(f"{self._path} must hold public keys only, each with a kid.")
        return found


def _principal(claims: dict[str, Any]) -> Principal:
    subject, scope = claims.get("sub"), claims.get("scope", "")
    agency, person = claims.get("agency"), claims.get("person", False)
    if not isinstance(subject, str) or not subject or not isinstance(scope, str):
        raise InvalidToken("sub or scope")
    if not isinstance(agency, str | None) or not isinstance(person, bool):
        raise InvalidToken("agency or person")
    return Principal(subject, frozenset(scope.split()), person, agency)


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(name)
    return float(value)


class LocalIssuer:
    """Signs tokens on one machine. Production refuses to start with its key."""

    def __init__(self, key_path: Path, issuer: str, audience: str = "hartline") -> None:
        self._key = keys.load_issuer(key_path)
        self._issuer = issuer
        self._audience = audience

    def token(
        self,
        subject: str,
        scopes: Iterable[str],
        *,
        person: bool = False,
        agency: str | None = None,
        lifetime: timedelta = timedelta(minutes=10),
    ) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
            "scope": " ".join(sorted(scopes)),
            "person": person,
        }
        if agency is not None:
            claims["agency"] = agency
        header = {"alg": "ES256", "typ": "at+jwt", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=_ALGORITHMS)


def authenticate(verifier: TokenVerifier, authorization: str | None) -> Principal:
    """The caller, from the Authorization header. Raises Problem 401."""
    if not authorization:
        raise _unauthorized("Bearer")
    scheme, _, token = authorization.partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise InvalidToken("scheme")
        return verifier.verify(token.strip())
    except InvalidToken:
        raise _unauthorized('Bearer error="invalid_token"') from None


def require(scope: str, *others: str) -> Callable[[Request], Awaitable[Principal]]:
    """A FastAPI dependency: the caller, if its token carries one of the scopes; otherwise 403."""
    wanted = (scope, *others)

    async def dependency(request: Request) -> Principal:
        principal: Principal | None = getattr(request.state, "principal", None)
        if principal is None:
            raise _unauthorized("Bearer")
        if principal.scopes.isdisjoint(wanted):
            challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
            raise Problem(
                403,
                "Forbidden",
                f"The token must carry the scope {' or '.join(wanted)}.",
                headers={"WWW-Authenticate": challenge},
            )
        if getattr(request.state, "hidden", False):
            raise not_found()
        return principal

    return dependency


def hide(request: Request) -> None:
    """For a caller with the right scope there is nothing here: the one 404, as for any unknown id.
    To be called before the route's own `require`, which refuses what lacks the scope as ever."""
    request.state.hidden = True


def _unauthorized(challenge: str) -> Problem:
    return Problem(
        401,
        "Unauthorized",
        "Send a valid bearer token in the Authorization header.",
        headers={"WWW-Authenticate": challenge},
    )
