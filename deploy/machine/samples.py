"""The sample directory as a file that notify is seeded from, and the agencies' private keys.

A sample, never an authority: notify marks every entry so, and refuses to route on it in
production.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from deploy.machine.home import write_private
from deploy.machine.invented import Sample, sample_agencies
from shared.runtime.ids import new_id

_SINCE = "2010-01-01"
_CONTACT = "Invented duty desk, telephone 555-0100"
_POLICE = "CGS 17a-28; CGS 17a-101b(c)"
_OFFICE = "CGS 17a-28; DCF Policy 21-14"
_AUTHORITIES = {
    "municipal_police": _POLICE,
    "state_police": _POLICE,
    "campus_police": _POLICE,
    "airport_police": _POLICE,
    "tribal_police": f"{_POLICE}; CGS 47-65c",
    "fbi": "CGS 17a-28",
    "chief_states_attorney": "CGS 17a-28",
    "states_attorney": "CGS 17a-28; CGS 17a-101j(a)",
    "mdt_member": "CGS 17a-28; CGS 17a-106a",
    "interstate_compact": "CGS 17a-28; CGS 17a-175",
    "eligibility_coordinator": "CGS 17a-28; 22 USC 7105(b)(1)",
    "ncmec": "CGS 17a-28; 42 USC 671(a)(35)(B)",
    "licensing": "CGS 17a-28; CGS 17a-101g(a)",
    "education": "CGS 17a-28; CGS 17a-101j(b)",
}


def write_directory(
    folder: Path, base_url: str, networks: Sequence[str] = ("127.0.0.0/8",)
) -> Path:
    """Write both files. An agency keeps its id and key when it has them.

    `base_url` is where the agencies listen, in one of the private `networks`.
    """
    secret, public = folder / "private-keys.json", folder / "directory.json"
    known: dict[str, Any] = json.loads(secret.read_text()) if secret.exists() else {}
    samples = sample_agencies()
    for sample in samples:
        if sample.code not in known:
            known[sample.code] = _of_old(known, sample) or {
                "agency_id": new_id("agy"),
                "key": _new_key(),
            }
    write_private(secret, json.dumps(known))
    entries = [
        _entry(sample, known[sample.code], base_url) | {"allowed_networks": list(networks)}
        for sample in samples
    ]
    write_private(public, json.dumps(entries, indent=2))
    return public


def _of_old(known: dict[str, Any], sample: Sample) -> Any:
    """In a home of before, agencies are called by name, and a team is one member."""
    if sample.seat == "coordinator":
        return known.pop(f"Sample MDT Member ({sample.judicial_districts[0]})", None)
    return known.pop(sample.name, None) or known.pop(sample.name.removeprefix("Sample "), None)


def _new_key() -> dict[str, Any]:
    key = ECKey.generate_key("P-256", {"use": "enc", "alg": "ECDH-ES"}, auto_kid=True)
    return dict(key.as_dict(private=True))


def _entry(sample: Sample, known: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Its profile is left to notify's rules."""
    said = {name: value for name, value in asdict(sample).items() if value not in (None, (), False)}
    if sample.effective is not None:
        said["effective"] = sample.effective.isoformat()
    return said | {
        "agency_id": known["agency_id"],
        "authority": _AUTHORITIES.get(sample.kind, _OFFICE),
        "authority_from": _SINCE,
        "contact": _CONTACT,
        "endpoint": f"{base_url}/agency/{known['agency_id']}",
        "encryption_key": dict(ECKey.import_key(known["key"]).as_dict(private=False)),
    }


def private_keys(folder: Path) -> dict[str, ECKey]:
    """Every sample agency's private key, by agency id."""
    known: Iterable[dict[str, Any]] = json.loads(
        (folder / "private-keys.json").read_text()
    ).values()
    return {entry["agency_id"]: ECKey.import_key(entry["key"]) for entry in known}
