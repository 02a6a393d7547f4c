"""What a recipient may hold, in SQL: an attempt by which content left, or may have."""

from services.notify.delivery.channels import POINTERS

_POINTERS = ", ".join(f"'{channel.value}'" for channel in sorted(POINTERS))


def with_content(disclosures: str) -> str:
    """Of rows of the table disclosures under that name: pointers hold nothing, whatever became
    of them."""
    return f"{disclosures}.channel NOT IN ({_POINTERS})"
