"""The URL of a pager is a secret: who knows it can page, and read of the tasks there. It lies
sealed; people are shown where it leads and a fingerprint by which they know it again."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from services.notify.delivery.webhook_secrets import open_secret, seal_secret
from shared.runtime.sealing import Sealer, Unsealable

_ROW = "pager"
_SEALED = "sealed:"
_FINGERPRINT = 16


def shown(url: str) -> str:
    """For whoever approves it, or is asked whether it is still theirs."""
    parts = urlsplit(url)
    port = "" if parts.port is None else f":{parts.port}"
    fingerprint = hashlib.sha256(url.encode()).hexdigest()[:_FINGERPRINT]
    return f"{parts.scheme}://{parts.hostname}{port}/… (SHA-256 {fingerprint}…)"


def is_sealed(to: str) -> bool:
    return to.startswith(_SEALED)


def sealed(sealer: Sealer, roster: Mapping[str, Any]) -> dict[str, Any]:
    """The roster as it may lie in a table."""
    people = {
        person: [_sealed(sealer, channel) for channel in channels]
        for person, channels in roster["people"].items()
    }
    return {**roster, "people": people}


def opened(sealer: Sealer, to: str) -> str:
    """Where to page. Raises Unsealable."""
    return open_secret(sealer, _ROW, stored(to)) if is_sealed(to) else to


def stored(to: str) -> bytes:
    """What of a sealed URL `webhook_secrets` made. Raises Unsealable."""
    try:
        return base64.b64decode(to.removeprefix(_SEALED), validate=True)
    except ValueError:
        raise Unsealable("not a sealed pager") from None


def _sealed(sealer: Sealer, channel: Mapping[str, Any]) -> Mapping[str, Any]:
    if channel["kind"] != "webhook":
        return channel
    url = channel["to"]
    secret = base64.b64encode(seal_secret(sealer, _ROW, url)).decode()
    return {**channel, "to": _SEALED + secret, "shown": shown(url)}
