"""Routes in words, for a person who knows the policy. Pure; never a town's name."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from services.notify.directory.register import Directory
from services.notify.routing.choosing import OPEN_TOWNS
from services.notify.routing.routes import Matter, Recipient, Refused, Route, StandIn, Suppressed
from services.notify.routing.rule import Effect, Rulebook
from shared.contracts.codes import RefusalReason

_AnyLeg = Recipient | Refused | Suppressed | StandIn | Matter


class Fate(StrEnum):
    """What would become of a leg; of one that is planned, what did is in `fates`."""

    TOLD = "told"
    STANDS_IN = "stands_in"
    REFUSED = "refused"
    SUPPRESSED = "suppressed"
    REVIEW = "review"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Explained:
    """One leg and the sentence that explains it."""

    child_id: str
    fate: Fate
    role: str
    recipient: str | None
    rule: str | None
    citation: str | None
    profile: str | None
    form: str | None
    sentence: str


REASONS = {
    "no_authority_on_file": "no authority on file permits telling it what this rule sends",
    "authority_not_yet_in_force": "its authority is not yet in force",
    "authority_expired": "its authority has expired",
    "no_encryption_key": "its record lacks what its channel needs (an endpoint and key)",
}


def explain(route: Route, directory: Directory, rulebook: Rulebook) -> list[Explained]:
    """Every leg of a route, by child, in the order of the rules."""
    citations = {rule.id: rule.citation for rule in rulebook.rules}
    order = {rule.id: place for place, rule in enumerate(rulebook.rules)}
    legs: list[_AnyLeg] = [*route.recipients, *route.refused, *route.suppressed]
    legs += [*route.stand_ins, *route.matters]
    found = [_leg(leg, directory, citations) for leg in legs]
    return sorted(
        found,
        key=lambda each: (
            each.child_id,
            order.get(each.rule or "", len(order)),
            each.role,
            each.recipient or "",
        ),
    )


def questions(route: Route) -> Iterator[str]:
    """What a person must find out."""
    for child_id, found in route.gaps.items():
        said = " ".join(OPEN_TOWNS[gap] for gap in found)
        yield f"{child_id}: {said} The clock runs; a person finds it out."
    for child_id in route.unnamed:
        yield (
            f"{child_id}: somebody of a public agency is implicated and the agency is not named "
            "as the directory has it. Whoever it may be by the kind and the name is left out, and "
            "nobody where neither says anything; a person finds out which it is."
        )


def _leg(
    leg: _AnyLeg,
    directory: Directory,
    citations: dict[str, str],
) -> Explained:
    name = _name(leg, directory)
    rule = None if isinstance(leg, StandIn) else leg.rule
    return Explained(
        child_id=leg.child_id,
        fate=_fate(leg),
        role=leg.role.value,
        recipient=name,
        rule=rule,
        citation=citations.get(rule or ""),
        profile=leg.profile if isinstance(leg, Recipient) else None,
        form=leg.form.value if isinstance(leg, Recipient) else None,
        sentence=_sentence(leg, name),
    )


def _name(leg: _AnyLeg, by: Directory) -> str | None:
    if isinstance(leg, Matter) or leg.agency_id is None:
        return None
    agency = by.get(leg.agency_id)
    return None if agency is None else agency.name


def _fate(leg: _AnyLeg) -> Fate:
    match leg:
        case Recipient():
            return Fate.TOLD
        case Refused():
            return Fate.REFUSED
        case Suppressed():
            return Fate.SUPPRESSED
        case StandIn():
            return Fate.STANDS_IN
        case Matter():
            return Fate.REVIEW if leg.effect is Effect.REVIEW else Fate.ASK


def _sentence(leg: _AnyLeg, name: str | None) -> str:
    match leg:
        case Recipient():
            return f"Told. {leg.because}. Sees the profile {leg.profile}, by {leg.authority}."
        case Refused():
            return not_told(leg.reason.value, leg.role.value, leg.because)
        case Suppressed():
            return f"Not told: {leg.because}."
        case StandIn():
            role = role_words(leg.role.value)
            return f"{name}: its own notice counts for {role} too, in place of whoever is left out."
        case Matter():
            return f"{leg.because}."


def not_told(reason: str, role: str, because: str) -> str:
    """A refused leg in words."""
    if reason == RefusalReason.NO_AGENCY_FOR_ROLE:
        return f"Nobody told as {role_words(role)}: {because}. A person is asked to see to it."
    return f"Not told: {REASONS.get(reason, reason)}. {because}."


def role_words(role: str) -> str:
    """A role's code as a person says it: FBI, local law enforcement."""
    said = (word.upper() if word in _ACRONYMS else word for word in role.split("_"))
    return " ".join(said).replace("chief states attorney", "Chief State's Attorney")


_ACRONYMS = frozenset({"fbi", "hart", "mdt", "ncmec", "siu"})
