"""Whom a change of the directory leaves places without, and which towns it moves. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from services.notify.directory.agencies import POLICE, Agency, Kind
from services.notify.directory.coverage import STATEWIDE, Gap, gaps
from services.notify.directory.difference import EntryChange
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.jurisdiction import Beat
from services.notify.directory.register import Directory
from services.notify.directory.towns import dcf_offices, judicial_districts

_MANDATED = MappingProxyType(
    {"State Police": Kind.STATE_POLICE} | {kind.value: kind for kind in STATEWIDE}
)
"""Whom every referral must reach, by the role that a gap names."""
_TROOP = " An entry with towns or beats is a troop, and not the State Police as a whole."


@dataclass(frozen=True, slots=True)
class Losses:
    """What a change takes away. `lines`: in words, a `!` before each."""

    lines: Sequence[str]
    statewide: frozenset[Kind]
    """Of whom nobody lawful is left for the whole state."""

    def unsaid(self, said: Iterable[Kind]) -> list[str]:
        """The kinds that the change leaves nobody of without saying so."""
        return sorted(kind.value for kind in self.statewide - frozenset(said))


NOTHING = Losses((), frozenset())


def losses(known: Mapping[str, AgencyEntry], changes: Sequence[EntryChange], day: date) -> Losses:
    """By the law of that day. What was missing before is nobody's loss. Samples count for
    samples, and never in the place of a real agency."""
    after = {**known, **{change.after.agency_id: change.after for change in changes}}
    old, new = _directory(known), _directory(after)
    lost = dict.fromkeys(
        (
            *_lost(old, new, day),
            *_lost(old.without_samples(), new.without_samples(), day),
        )
    )
    return Losses(
        [*map(_without, lost), *_moved(old, new)],
        frozenset(_MANDATED[gap.role] for gap in lost if gap.role in _MANDATED),
    )


def _directory(entries: Mapping[str, AgencyEntry]) -> Directory:
    agencies = tuple(each.agency() for each in entries.values() if not each.closed)
    return Directory(0, agencies, judicial_districts(), dcf_offices())


def _lost(old: Directory, new: Directory, day: date) -> Iterator[Gap]:
    before = {(gap.place, gap.role) for gap in gaps(old, day)}
    for gap in gaps(new, day):
        if (gap.place, gap.role) not in before and gap.role != "affiliation":
            yield gap


def _without(gap: Gap) -> str:
    kind = _MANDATED.get(gap.role)
    troop = _TROOP if kind is Kind.STATE_POLICE else ""
    named = f" Refused unless leaves_without names {kind.value}." if kind else ""
    return f"! {gap.place}: no lawful {gap.role} is left: {gap.why}.{troop}{named}"


def _moved(old: Directory, new: Directory) -> Iterator[str]:
    """A town, or a part or an hour of one, that other police have from then on."""
    before, after = _policed(old.agencies), _policed(new.agencies)
    for place, had in sorted(before.items()):
        if (has := after.get(place, {})).keys() != had.keys():
            yield (
                f"! {place}: {_named(had)} until now, then {_named(has)}: "
                "notices about its children go to others."
            )


def _policed(agencies: Iterable[Agency]) -> dict[str, dict[str, str]]:
    """The names of the police of each place, by their ids."""
    found: dict[str, dict[str, str]] = {}
    for agency in agencies:
        if agency.kind in POLICE:
            for beat in (*map(Beat, agency.towns), *agency.beats):
                found.setdefault(str(beat), {})[agency.agency_id] = agency.name
    return found


def _named(agencies: Mapping[str, str]) -> str:
    return ", ".join(sorted(agencies.values())) or "no police of its own"
