"""Whom a conflict in force keeps a notice from, in SQL."""

OF_ONE = "('not_ours', 'misdirected')"
"""Grounds that hold one recipient alone, and not its house: it gave the notice back, or was sent
it by mistake."""


def bars(conflicts: str, notices: str) -> str:
    """Of rows of the table conflicts, and of notices or deliveries, under those names. Whoever
    said itself that the matter is not its own, or was told by mistake, may still be asked to give
    back what it holds."""
    return (
        f"{conflicts}.referral_id = {notices}.referral_id "
        f"AND {conflicts}.agency_id = {notices}.agency_id "
        f"AND ({conflicts}.child_id IS NULL OR {conflicts}.child_id = {notices}.child_id) "
        f"AND {conflicts}.lifted_at IS NULL "
        f"AND NOT ({conflicts}.ground IN {OF_ONE} AND {notices}.series LIKE 'recall/%')"
    )


AS_REFUSED = (
    "state = CASE WHEN delivered_at IS NOT NULL AND unread_since IS NULL "
    "THEN 'delivered' ELSE 'refused' END"
)
"""What was accepted stays so when it may not be sent once more: a redrive ends, nothing else. A
pointer that nobody has opened told nothing."""
