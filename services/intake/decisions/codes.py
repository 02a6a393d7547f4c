"""Code lists of decisions. Each says where it comes from; none is DCF's own form."""

from enum import StrEnum


class DecisionReason(StrEnum):
    """Why a referral is accepted or not: the Careline's acceptance test by its Operational
    Definitions (policy 22-3, read from a school district's DCF page), with what seed S0 says of
    trafficking."""

    MEETS_DEFINITION = "meets_definition"
    TRAFFICKING_NO_ENTRUSTED_PERPETRATOR = "trafficking_no_entrusted_perpetrator"
    """S0: a report of trafficking is accepted even if nobody who was responsible for the child,
    or entrusted with it, is named."""
    ALREADY_SERVED = "already_served"
    """The age limit does not apply to whom DCF serves already."""

    NOT_A_MINOR = "not_a_minor"
    NO_SPECIFIC_INCIDENT = "no_specific_incident"
    NO_ENTRUSTED_PERPETRATOR = "no_entrusted_perpetrator"
    """Never enough where trafficking is alleged (S0), which is what every referral here alleges;
    listed so that it can be refused by name."""
    KNOWN_ALREADY = "known_already"
    """The same facts are being looked into."""
    ANOTHER_JURISDICTION = "another_jurisdiction"

    OTHER = "other"
    """Said in words, in the explanation."""


ACCEPTING = frozenset(
    {
        DecisionReason.MEETS_DEFINITION,
        DecisionReason.TRAFFICKING_NO_ENTRUSTED_PERPETRATOR,
        DecisionReason.ALREADY_SERVED,
        DecisionReason.OTHER,
    }
)
NOT_ACCEPTING = frozenset(
    {
        DecisionReason.NOT_A_MINOR,
        DecisionReason.NO_SPECIFIC_INCIDENT,
        DecisionReason.KNOWN_ALREADY,
        DecisionReason.ANOTHER_JURISDICTION,
        DecisionReason.OTHER,
    }
)


class IncidentType(StrEnum):
    """What form DCF-823 reports (policy 22-1-2). Our list: no public copy of the form was found."""

    HUMAN_TRAFFICKING = "human_trafficking"
    SERIOUS_INJURY = "serious_injury"
    FATALITY = "fatality"
    MISSING = "missing"
    OTHER = "other"


class Standing(StrEnum):
    """How an incident stands: it is amended when its acceptance is reversed, never deleted."""

    OPEN = "open"
    ACCEPTANCE_REVERSED = "acceptance_reversed"
