"""A change of the directory in words, for whoever is to approve it. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from joserfc.jwk import ECKey

from services.notify.directory.entries import AgencyEntry
from services.notify.directory.history import changed_fields

WATCHED = ("channel", "email", "endpoint", "encryption_key", "authority", "authority_from",
           "authority_to", "mou", "mou_to", "contact")  # fmt: skip
"""Whoever takes these over takes the notices over, so the old contact is told."""
_MARKED = (*WATCHED, "kind", "profile", "affiliations", "allowed_networks", "closed", "sample",
           "max_in_flight", "max_per_minute", "towns", "beats")  # fmt: skip
"""What decides whether it is told, of whom, what it sees, and where its notices may go."""


@dataclass(frozen=True, slots=True)
class EntryChange:
    """An agency before and after. Before: as in force on the day the change takes effect."""

    before: AgencyEntry | None
    after: AgencyEntry

    @property
    def fields(self) -> list[str]:
        return sorted(changed_fields(self.before, self.after))

    @property
    def watched(self) -> list[str]:
        """What of it the old contact must be told; nobody, of a new agency."""
        if self.before is None:
            return []
        return [name for name in (*WATCHED, "transport") if name in self.fields]


def real_changes(changes: Iterable[EntryChange]) -> list[EntryChange]:
    return [change for change in changes if change.fields]


def puts_back(
    change: EntryChange, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> bool:
    """Whether it sets every watched field that it changes back to what stood before an earlier
    change, as JSON holds that."""
    if change.before is None or before is None:
        return False
    old, new = change.before.stored(), change.after.stored()
    return all(
        old[name] == after.get(name) and new[name] == before.get(name) for name in change.watched
    )


def lines(changes: Sequence[EntryChange], effective: date, losses: Sequence[str] = ()) -> list[str]:
    """What is lost by it, then one line per agency and one per field of it; `!` marks what must
    not change unseen."""
    head = f"{len(changes)} agencies change with effect from {effective.isoformat()}."
    return [head, *losses, *(line for change in changes for line in _lines(change))]


def summary(changes: Sequence[EntryChange]) -> str:
    """One sentence: how many, and what kind of thing."""
    new = sum(change.before is None for change in changes)
    watched = sorted({name for change in changes for name in change.watched})
    words = f"{new} new and {len(changes) - new} changed agencies"
    return f"{words}; of those changed: {', '.join(watched)}" if watched else words


def _lines(change: EntryChange) -> Iterator[str]:
    after = change.after
    called = f"{after.code or after.agency_id} {after.name} ({after.kind.value})"
    yield f"{'~' if change.before else '+'} {called}"
    for name in change.fields:
        new = _shown(getattr(after, name))
        if change.before:
            yield f"    {_mark(name)} {name}: {_shown(getattr(change.before, name))} -> {new}"
        elif name not in _IN_HEAD and new != _NOTHING:
            yield f"    {_mark(name)} {name}: {new}"


_IN_HEAD = ("agency_id", "code", "kind", "name")
_NOTHING = "none"


def _mark(name: str) -> str:
    return "!" if name in (*_MARKED, "transport") else " "


def _shown(value: Any) -> str:
    if value in (None, [], False):
        return _NOTHING
    if isinstance(value, dict):
        return f"key {thumbprint(value)}"
    return ", ".join(value) if isinstance(value, list) else str(value)


def thumbprint(jwk: dict[str, Any]) -> str:
    """A key's fingerprint (RFC 7638), for reading out over the telephone."""
    return str(ECKey.import_key(jwk).thumbprint())
