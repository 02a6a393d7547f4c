"""Synthetic referrals, obviously so, each told from the others by its number in the run."""

from datetime import UTC, datetime
from typing import Any

TOWNS = ("Ansonia", "Hartford", "New Haven", "Norwich", "Waterbury", "Stamford", "Danbury")


def body(number: int, *, synthetic: bool = False, children: int = 1) -> dict[str, Any]:
    """One known town, five required recipients, who get a notice of each child."""
    town = TOWNS[number % len(TOWNS)]
    return {
        "trigger": "careline",
        "received_at": datetime.now(UTC).isoformat(),
        "source_type": "school",
        "synthetic": synthetic,
        "reporter": {"anonymous": False, "name": f"Example Reporter {number}"},
        "children": [
            {
                "name": f"Test Child {number}" + (f".{place}" if place else ""),
                "age_years": 15,
                "residence_town": town,
                "incident_towns": [town],
                "ht_type": "sex",
                "reasons_for_suspicion": f"Synthetic example number {number}; no real person.",
            }
            for place in range(children)
        ],
    }
