"""The kinds of notice that a form can be, and what each of them may hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FormKind(StrEnum):
    """What a form is to its recipient. Those of NoticeKind have the same names."""

    ORIGINAL = "original"
    CORRECTION = "correction"
    SUPERSESSION = "supersession"
    WITHDRAWAL = "withdrawal"
    RECALL = "recall"
    CONSULT_OUTCOME = "consult_outcome"
    RELATED_NOTICE = "related_notice"


class ChildPart(StrEnum):
    """How much of a child a kind holds."""

    WHOLE = "whole"
    REFERENCE = "reference"
    """`child_id` and nothing else, or no `child` at all."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class KindRule:
    """`child`: how much of it. `part`: the member that says what this kind is about."""

    child: ChildPart
    part: str | None = None


RULES: Mapping[FormKind, KindRule] = {
    FormKind.ORIGINAL: KindRule(ChildPart.WHOLE),
    FormKind.CORRECTION: KindRule(ChildPart.WHOLE),
    FormKind.SUPERSESSION: KindRule(ChildPart.NONE),
    FormKind.WITHDRAWAL: KindRule(ChildPart.REFERENCE, "withdrawal"),
    FormKind.RECALL: KindRule(ChildPart.NONE, "recall"),
    FormKind.CONSULT_OUTCOME: KindRule(ChildPart.WHOLE, "consult"),
    FormKind.RELATED_NOTICE: KindRule(ChildPart.REFERENCE, "related"),
}
PARTS = frozenset(rule.part for rule in RULES.values() if rule.part is not None)

NEVER: Mapping[str, str] = {
    "reporter": "Who reported it (CGS 17a-28(f)).",
    "how_known": "How it came to be known is as good as the reporter's name.",
    "siblings": "Other children.",
    "implicated": "The agency that is implicated must not learn of it.",
    "substitute_address": "Stands in residence_address where it may be shown.",
    "person_ref": "Ties the children of one referral to one another.",
    "same_as": "Ties the children of one referral to one another.",
    "notified_chain": "No copy lists the other recipients (P4).",
    "recipients": "No copy lists the other recipients (P4).",
}
"""Members that are on no form, whatever a profile lists, at any depth."""


_NEVER = frozenset(NEVER)


def permitted(copy: Mapping[str, object]) -> Mapping[str, object]:
    """The copy without what is on no form; the copy itself when there is nothing to leave out."""
    return _without(copy) if _forbidden(copy) else copy


def _forbidden(copy: Mapping[str, object]) -> bool:
    # Loops and exact classes: this runs for every letter. About 3 µs.
    if not _NEVER.isdisjoint(copy):
        return True
    for value in copy.values():
        if (value.__class__ is dict or value.__class__ is list) and _forbidden_within(value):
            return True
    return False


def _forbidden_within(value: object) -> bool:
    if isinstance(value, dict):
        return _forbidden(value)
    if isinstance(value, list):
        for each in value:
            if each.__class__ is not str and _forbidden_within(each):
                return True
    return False


def _without(copy: Mapping[str, object]) -> dict[str, object]:
    return {name: _cleared(value) for name, value in copy.items() if name not in _NEVER}


def _cleared(value: object) -> object:
    if isinstance(value, dict):
        return _without(value)
    return [_cleared(each) for each in value] if isinstance(value, list) else value
