"""What the task of a parked subject says: the number and the commands of `parked list`."""

from shared.messaging.parked import Parked
from shared.messaging.quarantined import FORK


def parked_detail(parked: Parked) -> str:
    """Of a fork: two events have that number, and other services wait for the same."""
    number = f"{parked.topic} #{parked.sequence}"
    if parked.reason == FORK:
        return (
            f"Two events of this subject have the number {number} (a fork), and everything behind "
            "it waits, in each service that the doctor names. See: ./hartline run notify parked "
            f"show {parked.subject}; the runbook, a fork: two events of one number."
        )
    return (
        f"{number} of this subject cannot be handled ({parked.reason}), and everything behind it "
        f"waits. See: ./hartline run notify parked show {parked.subject}; the runbook, parked."
    )
