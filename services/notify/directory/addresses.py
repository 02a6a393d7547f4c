"""How and where an agency is reached, as an entry of the directory says it."""

import json
from functools import lru_cache
from ipaddress import ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import AfterValidator, StringConstraints

from services.notify.directory.endpoints import EgressRefused, check_endpoint
from shared.contracts.codes import Channel
from shared.runtime.errors import Wrong


def _network(value: str) -> str:
    try:
        return str(ip_network(value))
    except ValueError:
        raise Wrong("must be a network such as 192.0.2.0/24") from None


def checked_endpoint(url: str) -> str:
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and not parts.username
    except ValueError:
        right = False
    if not right:
        raise Wrong("must be an http or https URL without a user name")
    return url


def new_endpoint(url: str) -> str:
    """On its way in: one that may be sent to at all, and that reads as it leads. Old ones stay
    readable, and are refused when they are sent to. http is for the profile to judge."""
    try:
        check_endpoint(checked_endpoint(url), allow_http=True)
    except EgressRefused as error:
        raise Wrong(f"must be an endpoint that may be sent to: {error}") from None
    return url


def _directory_channel(channel: Channel) -> Channel:
    if channel is Channel.MAILBOX:
        raise Wrong("must be encrypted, pickup, email or oral: each of these has a mailbox too")
    return channel


def checked_key(jwk: dict[str, Any]) -> dict[str, Any]:
    if wrong := _what_is_wrong(json.dumps(jwk, sort_keys=True)):
        raise Wrong(wrong)
    return jwk


@lru_cache(maxsize=2048)
def _what_is_wrong(jwk: str) -> str | None:
    """Remembered, for the whole history is read again and again."""
    try:
        key = ECKey.import_key(json.loads(jwk))
    except (JoseError, ValueError, KeyError, TypeError):
        return "must be a JWK on P-256"
    if key.is_private or key.curve_name != "P-256":
        return "must be the public half of a JWK on P-256"
    return None


Network = Annotated[str, AfterValidator(_network)]
Endpoint = Annotated[str, AfterValidator(checked_endpoint)]
PublicKey = Annotated[dict[str, Any], AfterValidator(checked_key)]
DirectoryChannel = Annotated[Channel, AfterValidator(_directory_channel)]
Email = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9._%+-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}$"
    ),
]
NEEDS = {Channel.PICKUP: "an endpoint", Channel.EMAIL: "an email"}
