"""The ids of the built-in recipients of synthetic referrals: the same in every installation."""

import hashlib


def recipient_id(kind: str) -> str:
    return f"agy_{hashlib.sha256(f'hartline synthetic {kind}'.encode()).hexdigest()[:32]}"


RECIPIENTS = frozenset(
    map(
        recipient_id,
        (
            "municipal_police",
            "state_police",
            "fbi",
            "chief_states_attorney",
            "hart_lead_statewide",
            "hart_director",
            "mdt_member",
        ),
    )
)
"""One of each kind that a synthetic referral must reach."""
