"""The built-in recipient of synthetic referrals: what production has in place of sample agencies.

It listens on the operations port, verifies and opens what it gets as any agency does, writes down
which notice that was, and then answers. Nothing real is ever routed to it.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.notify.delivery.envelope import REGISTRY
from services.notify.delivery.signing import Signer
from services.notify.directory.agencies import Kind
from services.notify.directory.entries import SampleEntry
from services.notify.oncall import drill_store
from services.notify.synthetic import RECIPIENTS, recipient_id
from shared.runtime import keys
from shared.runtime.db import Database
from shared.runtime.ids import utc_now

TOWN, DISTRICT = "Ansonia", "Ansonia-Milford"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_TOLERANCE_SECONDS = 300
_LARGEST = 4 * 1024 * 1024
_JURISDICTIONS: Mapping[Kind, Mapping[str, list[str]]] = {
    Kind.MUNICIPAL_POLICE: {"towns": [TOWN]},
    Kind.STATE_POLICE: {},
    Kind.FBI: {},
    Kind.CHIEF_STATES_ATTORNEY: {},
    Kind.HART_LEAD_STATEWIDE: {},
    Kind.HART_DIRECTOR: {},
    Kind.MDT_MEMBER: {"judicial_districts": [DISTRICT]},
}


def base_url(ops_port: int) -> str:
    return f"http://127.0.0.1:{ops_port}/synthetic/"


def private_key(directory: Path) -> ECKey:
    """Made from notify's newest commitment key, so that every process has the same one.

    Raises Misconfigured.
    """
    versions = keys.load_versions(directory, "commitment")
    derived = HKDF(hashes.SHA256(), 48, None, b"hartline synthetic recipient").derive(
        versions[max(versions)]
    )
    number = int.from_bytes(derived, "big") % (_ORDER - 1) + 1
    pem = ec.derive_private_key(number, ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return ECKey.import_key(pem)


def entries(key: ECKey, ops_port: int) -> list[SampleEntry]:
    """The recipients as the directory has them: samples, which nothing real is routed to."""
    return [
        SampleEntry.model_validate(
            {
                "agency_id": recipient_id(kind.value),
                "code": f"synthetic_{kind.value}",
                "kind": kind,
                "name": f"Synthetic recipient ({kind.value})",
                "authority": "None needed: synthetic",
                "authority_from": "2000-01-01",
                "endpoint": base_url(ops_port) + recipient_id(kind.value),
                "encryption_key": dict(key.as_dict(private=False)),
                "allowed_networks": ["127.0.0.0/8"],
                **jurisdiction,
            }
        )
        for kind, jurisdiction in _JURISDICTIONS.items()
    ]


def route(db: Database, key: ECKey, signer: Signer) -> Route:
    """For the operations port. What is not ours, whole and fresh is refused."""

    async def receive(request: Request) -> Response:
        body = await request.body()
        notice_id = _opened(request.headers, body, request.path_params["agency_id"], key, signer)
        if notice_id is None:
            return Response(status_code=400)
        async with db.transaction() as session:
            await drill_store.receive(session, notice_id, utc_now())
        return Response(status_code=200)

    return Route("/synthetic/{agency_id}", receive, methods=["POST"])


def _opened(
    headers: Mapping[str, str], body: bytes, agency_id: str, key: ECKey, signer: Signer
) -> str | None:
    """The notice's id, when all of it is as an agency would ask."""
    if len(body) > _LARGEST or agency_id not in RECIPIENTS or not _fresh(headers):
        return None
    if not signer.signed(headers, body):
        return None
    try:
        opened = jwe.decrypt_compact(body, key, registry=REGISTRY)
        form: Any = json.loads(opened.plaintext or b"")
        ids = {opened.protected["jti"], form["notice_id"], headers["webhook-id"]}
        addressee = {opened.protected["aud"], form["recipient"]["agency_id"], agency_id}
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    return ids.pop() if len(ids) == 1 and len(addressee) == 1 else None


def _fresh(headers: Mapping[str, str]) -> bool:
    try:
        sent = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    except (KeyError, ValueError, OverflowError):
        return False
    return abs((utc_now() - sent).total_seconds()) <= _TOLERANCE_SECONDS
