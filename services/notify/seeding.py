"""The sample directory: agencies of a JSON file, marked as samples. Never for production."""

import json
from datetime import date
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from services.notify.agencies import POLICE, Kind
from services.notify.directory import judicial_districts, put_agencies
from services.notify.fanout import Selector
from services.notify.rulebook import load_rulebook
from shared.contracts.base import OpaqueId
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured

Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


def _town(name: str) -> str:
    if name not in judicial_districts():
        raise ValueError("is not one of Connecticut's 169 towns as ct_towns.csv spells them")
    return name


def _district(name: str) -> str:
    if name not in judicial_districts().values():
        raise ValueError("is not one of the thirteen judicial districts of ct_towns.csv")
    return name


def _network(value: str) -> str:
    return str(ip_network(value))


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise ValueError("must be an http or https URL without a user name")
    return url


def _public_key(jwk: dict[str, Any]) -> dict[str, Any]:
    try:
        key = ECKey.import_key(jwk)
    except (JoseError, ValueError, KeyError):
        raise ValueError("must be a JWK on P-256") from None
    if key.is_private or key.curve_name != "P-256":
        raise ValueError("must be the public half of a JWK on P-256")
    return jwk


class SampleAgency(BaseModel):
    """One entry of the file. Without authority, endpoint or key it is on file and refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agency_id: OpaqueId
    kind: Kind
    name: Words
    profile: Words
    towns: list[Annotated[str, AfterValidator(_town)]] = []
    judicial_districts: list[Annotated[str, AfterValidator(_district)]] = []
    authority: Words | None = None
    authority_from: date | None = None
    authority_to: date | None = None
    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    encryption_key: Annotated[dict[str, Any], AfterValidator(_public_key)] | None = None
    allowed_networks: list[Annotated[str, AfterValidator(_network)]] = []

    @model_validator(mode="after")
    def _profile_is_what_the_rules_send(self) -> "SampleAgency":
        sent = _profiles().get(self.kind, self.profile)
        if self.profile != sent:
            raise ValueError(f"the rules send {self.kind.value} the profile {sent}")
        return self


async def seed_samples(db: Database, path: Path) -> tuple[int, int]:
    """Put the file's agencies into the directory. (How many, the directory's version.)

    Idempotent. Raises Misconfigured, naming the entry and the field, and changes nothing.
    """
    agencies = _parse(path)
    rows = [agency.model_dump() | {"sample": True} for agency in agencies]
    async with db.transaction() as session:
        return len(rows), await put_agencies(session, rows)


def _parse(path: Path) -> list[SampleAgency]:
    try:
        agencies = TypeAdapter(list[SampleAgency]).validate_python(json.loads(path.read_bytes()))
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}).") from None
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in detail["loc"])
        raise Misconfigured(f"{path}: {where or 'file'}: {detail['msg']}.") from None
    except ValueError:
        raise Misconfigured(f"{path} is not JSON.") from None
    if len({agency.agency_id for agency in agencies}) != len(agencies):
        raise Misconfigured(f"{path}: two agencies have the same agency_id.")
    return agencies


@cache
def _profiles() -> dict[Kind, str]:
    """The profile that the rules send to each kind of agency."""
    chosen = {
        Selector.POLICE_OF_TOWNS: tuple(POLICE),
        Selector.MDT_OF_DISTRICT: (Kind.MDT_MEMBER,),
    }
    return {
        kind: rule.profile
        for rule in load_rulebook().rules
        for kind in (chosen.get(rule.select) or (rule.kind,))
        if kind is not None
    }
