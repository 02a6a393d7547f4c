"""What law and policy make mandatory of a rules file, and what fits each role. Tables and no code.

A file may tell more than this and never less: `rule_checks` holds every file against it. The
sources are those of docs/routing.md, and as tentative; DCF's legal staff decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notify.directory.agencies import Kind
from services.notify.routing.rule import Condition, Effect, Form, Selector
from shared.contracts.codes import Role, Stage, Trigger

_POLICY = "DCF Policy 21-14"
_BOTH = tuple(Trigger)


@dataclass(frozen=True, slots=True)
class Duty:
    """A role that exactly one rule must serve, for each trigger and type of trafficking, of every
    child of which `when` holds."""

    role: Role
    citation: str
    triggers: tuple[Trigger, ...] = _BOTH
    when: tuple[Condition, ...] = ()
    stage: Stage = Stage.RECEIVED
    effect: Effect = Effect.NOTICE


DUTIES = (
    Duty(Role.LOCAL_LAW_ENFORCEMENT, f"CGS 17a-101b(c); {_POLICY}"),
    Duty(Role.FBI, _POLICY),
    Duty(Role.CHIEF_STATES_ATTORNEY, _POLICY),
    Duty(Role.MDT, f"{_POLICY}; CGS 17a-106a"),
    Duty(Role.HART_LEAD_STATEWIDE, _POLICY, (Trigger.CARELINE,)),
    Duty(Role.HART_DIRECTOR, _POLICY, (Trigger.ONGOING_WORKER,)),
    Duty(Role.HART_DIRECTOR, _POLICY, effect=Effect.REVIEW),
    Duty(Role.NCMEC, "42 USC 671(a)(35)(B)", when=(Condition.MISSING_FROM_CARE,)),
    Duty(
        Role.ELIGIBILITY_COORDINATOR,
        f"22 USC 7105(b)(1); {_POLICY}",
        when=(Condition.FOREIGN_NATIONAL,),
    ),
    Duty(Role.LICENSING, "CGS 17a-101g(a)", when=(Condition.LICENSED_IMPLICATED,)),
    Duty(
        Role.REGIONAL_OFFICE,
        f"{_POLICY}; DCF Policy 22-1-2",
        when=(Condition.DCF_NOT_IMPLICATED,),
        stage=Stage.ACCEPTED,
    ),
    Duty(
        Role.SIU,
        "DCF Policy 22-1-1; DCF Policy 22-1-2",
        when=(Condition.DCF_IMPLICATED,),
        stage=Stage.ACCEPTED,
    ),
    Duty(
        Role.INTERSTATE_COMPACT,
        f"CGS 17a-175; {_POLICY}",
        when=(Condition.LIVES_ELSEWHERE,),
        stage=Stage.ACCEPTED,
    ),
    Duty(
        Role.INTERSTATE_COMPACT,
        f"CGS 17a-175; {_POLICY}",
        when=(Condition.AWAY_UNAUTHORIZED,),
        stage=Stage.ACCEPTED,
    ),
    Duty(
        Role.INTERSTATE_COMPACT,
        f"CGS 17a-175; {_POLICY}",
        when=(Condition.AWAY_UNDECIDED,),
        stage=Stage.ACCEPTED,
        effect=Effect.ASK,
    ),
    Duty(
        Role.EDUCATION,
        "CGS 17a-101j(b)",
        when=(Condition.SCHOOL_IMPLICATED,),
        stage=Stage.ACCEPTED,
    ),
    Duty(Role.MDT, f"{_POLICY}; CGS 17a-106a", stage=Stage.CONSULT_SHARED),
)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a role may be told, if at all. Default deny: what is not here fits no role."""

    select: Selector
    kind: Kind | None
    profile: str
    forms: Mapping[Stage, Form]
    """The stages in which it may be told, and by which form in each."""
    only: tuple[Condition, ...] = ()
    """Of no child may it be told but where one of these holds; none: of every child."""


_AT_ONCE: Mapping[Stage, Form] = {Stage.RECEIVED: Form.DCF_737}
_ASSIGNED: Mapping[Stage, Form] = {Stage.ACCEPTED: Form.DCF_823}
_IF_ACCEPTED: Mapping[Stage, Form] = {Stage.ACCEPTED: Form.DCF_737}

FITS: Mapping[Role, Fit] = {
    Role.LOCAL_LAW_ENFORCEMENT: Fit(Selector.POLICE_OF_TOWNS, None, "law_enforcement", _AT_ONCE),
    Role.HART_LEAD_STATEWIDE: Fit(Selector.STATEWIDE, Kind.HART_LEAD_STATEWIDE, "hart", _AT_ONCE),
    Role.HART_DIRECTOR: Fit(Selector.STATEWIDE, Kind.HART_DIRECTOR, "hart", _AT_ONCE),
    Role.FBI: Fit(Selector.STATEWIDE, Kind.FBI, "law_enforcement", _AT_ONCE),
    Role.CHIEF_STATES_ATTORNEY: Fit(
        Selector.STATEWIDE, Kind.CHIEF_STATES_ATTORNEY, "prosecution", _AT_ONCE
    ),
    Role.MDT: Fit(
        Selector.MDT_OF_DISTRICT,
        None,
        "mdt",
        {**_AT_ONCE, Stage.CONSULT_SHARED: Form.CONSULT_OUTCOME},
    ),
    Role.REGIONAL_OFFICE: Fit(
        Selector.OFFICE_OF_TOWNS,
        Kind.REGIONAL_OFFICE,
        "child_protection",
        _ASSIGNED,
        (Condition.DCF_NOT_IMPLICATED,),
    ),
    Role.SIU: Fit(
        Selector.OFFICE_OF_TOWNS,
        Kind.SIU,
        "child_protection",
        _ASSIGNED,
        (Condition.DCF_IMPLICATED,),
    ),
    Role.INTERSTATE_COMPACT: Fit(
        Selector.STATEWIDE,
        Kind.INTERSTATE_COMPACT,
        "interstate",
        _IF_ACCEPTED,
        (Condition.LIVES_ELSEWHERE, Condition.AWAY_UNAUTHORIZED),
    ),
    Role.ELIGIBILITY_COORDINATOR: Fit(
        Selector.STATEWIDE,
        Kind.ELIGIBILITY_COORDINATOR,
        "eligibility",
        _AT_ONCE,
        (Condition.FOREIGN_NATIONAL,),
    ),
    Role.NCMEC: Fit(
        Selector.STATEWIDE, Kind.NCMEC, "ncmec", _AT_ONCE, (Condition.MISSING_FROM_CARE,)
    ),
    Role.LICENSING: Fit(
        Selector.STATEWIDE, Kind.LICENSING, "licensing", _AT_ONCE, (Condition.LICENSED_IMPLICATED,)
    ),
    Role.EDUCATION: Fit(
        Selector.STATEWIDE,
        Kind.EDUCATION,
        "licensing",
        _IF_ACCEPTED,
        (Condition.SCHOOL_IMPLICATED,),
    ),
}

_NOT_THE_TOWNS_OWN = frozenset({Kind.STATE_POLICE, Kind.FBI, Kind.CHIEF_STATES_ATTORNEY})
STAND_INS: Mapping[Kind, frozenset[Kind]] = {
    Kind.MUNICIPAL_POLICE: _NOT_THE_TOWNS_OWN,
    Kind.TRIBAL_POLICE: _NOT_THE_TOWNS_OWN,
    Kind.CAMPUS_POLICE: _NOT_THE_TOWNS_OWN,
    Kind.AIRPORT_POLICE: _NOT_THE_TOWNS_OWN,
    Kind.STATE_POLICE: _NOT_THE_TOWNS_OWN - {Kind.STATE_POLICE},
    Kind.FBI: _NOT_THE_TOWNS_OWN - {Kind.FBI},
}
"""Who must stand in where one of these has a conflict of interest (C16)."""
MAY_STAND_IN = _NOT_THE_TOWNS_OWN
"""CGS 17a-28(b): nobody else is an appropriate authority for what another may not be told."""
STAND_IN_CITATION = f"CGS 17a-28(b); {_POLICY}"
