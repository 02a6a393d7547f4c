"""docs/routing.md, with what `explain` says of each hard case that routing decides.

python -m tests.support.hard_cases > docs/routing.md

Made of the rules, the tests' names, and routes through the tests' directory. Nobody is real.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from services.notify.directory.agencies import Kind
from services.notify.directory.register import Directory
from services.notify.fates import words
from services.notify.legs import LegStatus
from services.notify.planning.new_notice import NewNotice
from services.notify.planning.plan import DeliveryState, Earlier, plan_version
from services.notify.routing.explain import explain, questions
from services.notify.routing.facts import ChildFacts, ImplicatedKind, PlaceKind
from services.notify.routing.routes import Route
from services.notify.routing.rulebook import load_rulebook
from services.notify.routing.table import named_tests, table
from shared.contracts.codes import NoticeKind, Role, Stage
from tests.support.routing import (
    NOW,
    RULES,
    agency,
    changed,
    child,
    directory,
    officer,
    place,
    routed,
)

_SHORT = {
    "Fbi": "FBI",
    "Siu": "SIU",
    "Ncmec": "NCMEC",
    "Mdt": "MDT",
    "Uconn": "UConn",
    "Hart": "HART",
}
_HEAD = """
## What is said of the hard cases

Each case of the domain that routing decides: the facts, and the sentences that `explain` gives. The
plain case comes first; a sentence that is as in the plain case is counted and not repeated. Towns
and agencies are the tests' own.
"""
NIGHT = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
"""Three in the morning in Connecticut."""


@dataclass(frozen=True)
class Shown:
    """One situation. `extra`: what is said beside the routes."""

    case: str
    facts: str
    children: Sequence[ChildFacts] = ()
    accepted: bool = False
    by: Directory = field(default_factory=lambda: _named(directory()))
    at: datetime = NOW
    extra: Sequence[str] = ()

    def routes(self) -> Iterator[tuple[str, Route]]:
        yield "", routed(*self.children, at=self.at, by=self.by)
        if self.accepted:
            found = routed(*self.children, at=self.at, by=self.by, stage=Stage.ACCEPTED)
            yield "If it is accepted: ", found


def sentences(shown: Shown) -> list[tuple[str, str]]:
    """Each with what goes before it: of which child, at which stage."""
    if not shown.children:
        return [("", each) for each in shown.extra]
    several = len(shown.children) > 1
    said = []
    for stage, found in shown.routes():
        for each in explain(found, shown.by, RULES):
            whose = f"{_child(each.child_id)}: " if several else ""
            said.append((f"{stage}{whose}", each.sentence))
        said += [(f"{stage}To find out: ", _child(each)) for each in questions(found)]
    return [*said, *(("", each) for each in shown.extra)]


def _child(said: str) -> str:
    return said.replace("chd_one", "the child").replace("chd_", "child ")


def _named(by: Directory) -> Directory:
    """As a person writes them."""

    def name(written: str) -> str:
        return " ".join(_SHORT.get(word, word) for word in written.split()).replace(
            "States Attorney", "State's Attorney"
        )

    return replace(by, agencies=tuple(replace(e, name=name(e.name)) for e in by.agencies))


def _ledyard_before() -> Directory:
    return changed(
        agency("troop_e", Kind.STATE_POLICE, "Montville", "Ledyard"),
        agency("ledyard_police", Kind.MUNICIPAL_POLICE),
    )


def _corrected() -> list[str]:
    """C13: version 2 says Derby; Ansonia's police hold version 1."""
    held = [_held("ansonia_police"), _held("derby_police")]
    by = _named(directory())
    plan = plan_version(routed(child("Derby"), by=by), held, by, NOW.date())
    police = [n for n in plan.notices if n.role is Role.LOCAL_LAW_ENFORCEMENT]
    return [f"{each.kind.value.capitalize()}: {words(_status(each))}" for each in police]


def _held(code: str) -> Earlier:
    return Earlier(
        f"ntc_{code}",
        "ref_one",
        "chd_one",
        f"agy_{code}",
        Role.LOCAL_LAW_ENFORCEMENT,
        1,
        NoticeKind.ORIGINAL,
        DeliveryState.DELIVERED,
        may_hold=True,
    )


def _status(notice: NewNotice) -> LegStatus:
    return LegStatus(
        notice_id="ntc_2",
        child_id=notice.child_id,
        agency_id=notice.agency_id,
        role=notice.role.value,
        recipient=None,
        because=notice.because,
        version=2,
        kind=notice.kind.value,
        state="pending",
        reason=None,
        attempts=0,
        planned_at=NOW,
        delivered_at=None,
        authority=notice.authority,
        rule=notice.rule,
        rules_version=RULES.version,
        directory_version=1,
        profile=notice.profile,
        fields=("ht_type",) * 21,
        also=(),
        may_hold=False,
        in_conflict=False,
    )


PLAIN = Shown("plain", "One child, in Ansonia, everything known.", [child("Ansonia")])
CASES = (
    Shown("C1", "No town is known.", [child()]),
    Shown("C1", "Nothing is said of where; the child lives in Ansonia.", [child(home="Ansonia")]),
    Shown(
        "C2",
        "In Ansonia; the child lives in New York.",
        [child("Ansonia", residence_state="NY")],
        accepted=True,
    ),
    Shown(
        "C3",
        "In another state, without leave; the child lives in Ansonia.",
        [child(home="Ansonia", places=[place(PlaceKind.OUT_OF_STATE)], travel_authorized=False)],
        accepted=True,
    ),
    Shown(
        "C3",
        "The same, and nobody has said whether the travel was allowed.",
        [child(home="Ansonia", places=[place(PlaceKind.OUT_OF_STATE)])],
        accepted=True,
    ),
    Shown(
        "C3",
        "In another state; the child lives in New York.",
        [child(places=[place(PlaceKind.OUT_OF_STATE)], residence_state="NY")],
        accepted=True,
    ),
    Shown("C4", "In Ansonia; the child lives in Ledyard.", [child("Ansonia", home="Ledyard")]),
    Shown("C5", "In Ansonia, Derby and Groton.", [child("Ansonia", "Derby", "Groton")]),
    Shown(
        "C6",
        "On the internet only; the child lives in Ansonia.",
        [child(home="Ansonia", places=[place(PlaceKind.INTERNET)])],
    ),
    Shown(
        "C7",
        "On the land of the Mohegan Tribe.",
        [child(places=[place(PlaceKind.TRIBAL_LAND, nation="mohegan")])],
    ),
    Shown(
        "C8",
        "In the City of Groton.",
        [
            child(
                "Groton",
                places=[place(PlaceKind.IN_STATE, town="Groton", district="groton_city")],
            )
        ],
    ),
    Shown("C8", "In Windham, and nobody says in which part.", [child("Windham")]),
    Shown(
        "C8", "In Colchester, received at three in the morning.", [child("Colchester")], at=NIGHT
    ),
    Shown("C8", "In Ashford, which a resident trooper polices.", [child("Ashford")]),
    Shown(
        "C13",
        "Version 2 says Derby; version 1 said Ansonia, and both towns' police hold it.",
        extra=_corrected(),
    ),
    Shown(
        "C16",
        "In Ansonia; an officer of its police is implicated.",
        [
            child(
                "Ansonia", implicated=[officer(ImplicatedKind.MUNICIPAL_OFFICER, "ansonia_police")]
            )
        ],
    ),
    Shown(
        "C16",
        "In Ashford; a trooper is implicated.",
        [child("Ashford", implicated=[officer(ImplicatedKind.STATE_TROOPER)])],
    ),
    Shown(
        "C16",
        "In Ansonia; an officer is implicated and nobody says whose.",
        [child("Ansonia", implicated=[officer(ImplicatedKind.MUNICIPAL_OFFICER)])],
    ),
    Shown(
        "C17",
        "In Ansonia; a member of the MDT is implicated.",
        [child("Ansonia", implicated=[officer(ImplicatedKind.MDT_MEMBER, "mdt_milford_advocate")])],
    ),
    Shown(
        "C17",
        "In Ansonia; a prosecutor is implicated.",
        [child("Ansonia", implicated=[officer(ImplicatedKind.PROSECUTOR)])],
    ),
    Shown(
        "C18",
        "In Ansonia; a licensed facility is implicated.",
        [child("Ansonia", implicated=[officer(ImplicatedKind.FACILITY, "Example Home")])],
        accepted=True,
    ),
    Shown(
        "C18",
        "In Ansonia; an employee of a school is implicated.",
        [child("Ansonia", implicated=[officer(ImplicatedKind.SCHOOL_EMPLOYEE)])],
        accepted=True,
    ),
    Shown(
        "C24",
        "Two children in one referral: a in Ansonia, b in Groton.",
        [child("Ansonia", child_id="chd_a"), child("Groton", child_id="chd_b")],
    ),
    Shown(
        "C25",
        "In Ansonia; the child's residence is in the Address Confidentiality Program.",
        [child("Ansonia", home="Derby", address_confidential=True)],
    ),
    Shown(
        "C26",
        "In Ansonia; the child is missing from care.",
        [child("Ansonia", missing_from_care=True)],
    ),
    Shown(
        "C27",
        "In Ansonia; the child may be a foreign national.",
        [child("Ansonia", foreign_national=True)],
    ),
    Shown(
        "C28",
        "An operation of the police, under embargo.",
        extra=("It is no referral: no trigger carries it, nothing is routed, and no feed has it.",),
    ),
    Shown(
        "C34",
        "In Ledyard, by the directory of the days when a troop policed it.",
        [child("Ledyard")],
        by=_named(_ledyard_before()),
    ),
    Shown("C34", "In Ledyard, by the directory of today.", [child("Ledyard")]),
)


def section() -> str:
    plain = [each for _, each in sentences(PLAIN)]
    lines = [_HEAD, f"**Plain.** {PLAIN.facts}\n", *(f"- {each}" for each in plain)]
    for shown in CASES:
        said = sentences(shown)
        new = [f"- {before}{each}" for before, each in said if each not in plain]
        same = len(said) - len(new)
        lines += ["", f"**{shown.case}.** {shown.facts}\n", *new]
        lines += [f"- {same} more as in the plain case."] if same else []
    return "\n".join(lines) + "\n"


def page() -> str:
    """docs/routing.md, whole."""
    return table(load_rulebook(), named_tests()) + section()


if __name__ == "__main__":
    sys.stdout.write(page())
