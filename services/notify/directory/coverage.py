"""Whether each town has somebody who may lawfully be told, and if not, why. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from shared.contracts.codes import RefusalReason

STATEWIDE = (
    Kind.FBI,
    Kind.CHIEF_STATES_ATTORNEY,
    Kind.HART_LEAD_STATEWIDE,
    Kind.HART_DIRECTOR,
)
"""Whom the policy names by office: somebody of each must be there for every town."""

_WHY = {
    RefusalReason.NO_AUTHORITY_ON_FILE: "no authority on file",
    RefusalReason.AUTHORITY_NOT_YET_IN_FORCE: "its authority is not yet in force",
    RefusalReason.AUTHORITY_EXPIRED: "its authority or agreement has expired",
    RefusalReason.NO_ENCRYPTION_KEY: "its record lacks what its channel needs",
    RefusalReason.NO_AGENCY_FOR_ROLE: "nobody on file",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """A place and a role in it that nobody fills lawfully. `why` is in words."""

    place: str
    role: str
    why: str

    def __str__(self) -> str:
        return f"{self.place}: no lawful {self.role}: {self.why}"


def gaps(directory: Directory, today: date) -> list[Gap]:
    """What is missing, by town in the order of the alphabet, then statewide. Empty: all is well."""
    towns = sorted(directory.districts)
    return [
        *(
            gap
            for town in towns
            for gap in (
                *_gap(town, "police", directory.police_of(town), today),
                *_gap(town, "MDT member", directory.mdt_of(town), today),
            )
        ),
        *_gap("Statewide", "State Police", directory.statewide_police(), today),
        *(
            gap
            for kind in STATEWIDE
            for gap in _gap("Statewide", kind.value, directory.of_kind(kind), today)
        ),
        *(
            Gap(agency.name, "affiliation", f"no agency on file has the code {code}")
            for agency in directory.agencies
            for code in sorted(agency.affiliations)
            if not directory.called(code)
        ),
    ]


def report(directory: Directory, today: date) -> list[str]:
    """The lines to print: how many towns are covered, then each gap."""
    found = gaps(directory, today)
    towns = len(directory.districts)
    open_ = {gap.place for gap in found} & set(directory.districts)
    head = (
        f"Directory version {directory.version} on {today.isoformat()}: {towns - len(open_)} of "
        f"{towns} towns have lawful police and MDT recipients."
    )
    return [head, *map(str, found)]


def _gap(place: str, role: str, agencies: Sequence[Agency], today: date) -> Iterable[Gap]:
    if any(agency.refusal(today) is None for agency in agencies):
        return ()
    whys = [f"{a.name}, {_WHY[reason]}" for a in agencies if (reason := a.refusal(today))]
    return (Gap(place, role, "; ".join(whys) or "nobody on file"),)
