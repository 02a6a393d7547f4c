"""What a caller is told of a referral: ids, times and where to look, never content."""

import json
from datetime import datetime

from services.intake.records import Version


def describe(version: Version) -> str:
    """The JSON of 201, of an amendment's 200 and of a status: one shape for all three."""
    here = f"/v1/referrals/{version.referral_id}"
    return json.dumps(
        {
            "referral_id": version.referral_id,
            "number": version.number,
            "version": version.version,
            "received_at": instant(version.received_at),
            "recorded_at": instant(version.recorded_at),
            "backdated": version.backdated,
            "children": [{"child_id": child_id} for child_id in version.child_ids],
            "links": {"self": here, "notices": f"{here}/notices", "clocks": f"{here}/clocks"},
        },
        separators=(",", ":"),
    )


def version_of(answer: str) -> int:
    """The version that an answer describes."""
    version: int = json.loads(answer)["version"]
    return version


def location(answer: str) -> str:
    """Where the referral of an answer is."""
    path: str = json.loads(answer)["links"]["self"]
    return path


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC."""
    return moment.isoformat().replace("+00:00", "Z")
