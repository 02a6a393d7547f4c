"""What lies in a recipient's mailbox, and what it may do with it. Pure.

What it holds stays readable and unchanged, whatever came later (P8). What it does not hold yet is
there while it may still lawfully be told; otherwise it is as if it had never been (P3, P10).
"""

from dataclasses import dataclass
from datetime import datetime

_OPEN = ("pending", "attempting", "delivered")
"""Not `blocked`: no later version leaves while an attempt of an earlier one is open (P8)."""


@dataclass(frozen=True, slots=True)
class Item:
    """A notice to one recipient, and how things stand with it."""

    notice_id: str
    referral_id: str
    child_id: str
    version: int
    kind: str
    form: str
    series: str
    planned_at: datetime
    state: str
    held: bool
    """Its content reached the recipient, or may have: by webhook, mailbox or telephone."""
    in_conflict: bool
    acknowledged_at: datetime | None


def is_there(item: Item, lawful: bool) -> bool:
    """`lawful`: the recipient has authority in force today, and a channel."""
    return item.held or (lawful and not item.in_conflict and item.state in _OPEN)
