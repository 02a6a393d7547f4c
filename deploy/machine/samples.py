"""The sample directory: invented agencies, and the police of `ct_towns.csv`, each with its key.

A sample, never an authority: notify marks every entry so, and refuses to route on it in
production.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from deploy.machine.home import ROOT, write_private
from shared.runtime.ids import new_id

TOWNS = ROOT / "services" / "notify" / "data" / "ct_towns.csv"
STATEWIDE = "Connecticut State Police (statewide)"
_SINCE = date(2020, 1, 1)
_STATE_POLICE = "Connecticut State Police"
_PROFILES_AND_AUTHORITIES = {
    "municipal_police": ("law_enforcement", "CGS 17a-28; CGS 17a-101b(c)"),
    "state_police": ("law_enforcement", "CGS 17a-28; CGS 17a-101b(c)"),
    "fbi": ("law_enforcement", "CGS 17a-28"),
    "chief_states_attorney": ("prosecution", "CGS 17a-28"),
    "hart_lead_statewide": ("hart", "CGS 17a-28; DCF Policy 21-14"),
    "hart_director": ("hart", "CGS 17a-28; DCF Policy 21-14"),
    "mdt_member": ("mdt", "CGS 17a-28; CGS 17a-106a"),
}
_INVENTED = (
    ("fbi", "Sample FBI Field Office"),
    ("chief_states_attorney", "Sample Office of the Chief State's Attorney"),
    ("hart_lead_statewide", "Sample Statewide HART Lead"),
    ("hart_director", "Sample HART Director"),
)


@dataclass(frozen=True)
class Sample:
    """One sample agency, before it has an id, a key and an endpoint."""

    kind: str
    name: str
    towns: tuple[str, ...] = ()
    judicial_districts: tuple[str, ...] = ()


def sample_agencies(towns: Path = TOWNS) -> list[Sample]:
    """The police of every town, the State Police, the invented offices, and one MDT member each.

    Where two forces share a town, each is an agency of that town; a troop's resident troopers
    are the troop.
    """
    with towns.open(newline="") as file:
        rows = list(csv.DictReader(file))
    policed: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name in _forces(row["police_agency"]):
            policed[name].add(row["town"])
    districts = sorted({row["judicial_district"] for row in rows})
    return [
        *(Sample(_kind(name), name, tuple(sorted(policed[name]))) for name in sorted(policed)),
        Sample("state_police", STATEWIDE),
        *(Sample(kind, name) for kind, name in _INVENTED),
        *(
            Sample("mdt_member", f"Sample MDT Member ({district})", (), (district,))
            for district in districts
        ),
    ]


def _forces(cell: str) -> Iterator[str]:
    """`Putnam Police Department (part) / … Troop D (rest of town)` is two forces."""
    for part in cell.split("/"):
        yield re.sub(r"\s*\([^)]*\)\s*$", "", part.strip())


def _kind(name: str) -> str:
    return "state_police" if name.startswith(_STATE_POLICE) else "municipal_police"


def write_directory(
    folder: Path, base_url: str, networks: Sequence[str] = ("127.0.0.0/8",)
) -> Path:
    """Write the directory file that notify is seeded from, and the agencies' private keys.

    An agency keeps its id and key when it has them. `base_url` is where the agencies listen, in
    one of the private `networks`.
    """
    secret, public = folder / "private-keys.json", folder / "directory.json"
    known: dict[str, Any] = json.loads(secret.read_text()) if secret.exists() else {}
    samples = sample_agencies()
    for sample in samples:
        if sample.name not in known:
            known[sample.name] = {"agency_id": new_id("agy"), "key": _new_key()}
    write_private(secret, json.dumps(known))
    entries = [
        _entry(sample, known[sample.name], base_url) | {"allowed_networks": list(networks)}
        for sample in samples
    ]
    write_private(public, json.dumps(entries, indent=2))
    return public


def _new_key() -> dict[str, Any]:
    key = ECKey.generate_key("P-256", {"use": "enc", "alg": "ECDH-ES"}, auto_kid=True)
    return dict(key.as_dict(private=True))


def _entry(sample: Sample, known: dict[str, Any], base_url: str) -> dict[str, Any]:
    profile, authority = _PROFILES_AND_AUTHORITIES[sample.kind]
    return {
        "agency_id": known["agency_id"],
        "kind": sample.kind,
        "name": sample.name,
        "profile": profile,
        "towns": list(sample.towns),
        "judicial_districts": list(sample.judicial_districts),
        "authority": authority,
        "authority_from": _SINCE.isoformat(),
        "endpoint": f"{base_url}/agency/{known['agency_id']}",
        "encryption_key": dict(ECKey.import_key(known["key"]).as_dict(private=False)),
    }


def private_keys(folder: Path) -> dict[str, ECKey]:
    """Every sample agency's private key, by agency id."""
    known: Iterable[dict[str, Any]] = json.loads(
        (folder / "private-keys.json").read_text()
    ).values()
    return {entry["agency_id"]: ECKey.import_key(entry["key"]) for entry in known}
