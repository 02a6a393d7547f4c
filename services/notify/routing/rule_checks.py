"""Holds rules against the duties and the roles: what is wrong, where, and what would be right."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from services.notify.directory.agencies import Kind
from services.notify.routing.duties import (
    DUTIES,
    FITS,
    MAY_STAND_IN,
    STAND_IN_CITATION,
    STAND_INS,
    Duty,
    Fit,
)
from services.notify.routing.rule import Effect, Rule, Rulebook, Substitute
from shared.contracts.codes import HtType, Stage, Trigger

Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """A place in the file, and a sentence that says what would be right there."""

    path: Path
    sentence: str


def flaws(book: Rulebook) -> Iterator[Flaw]:
    """Everything in which a rulebook leaves a duty out, or tells a role what does not fit it."""
    yield from _repeated(book)
    for place, rule in enumerate(book.rules):
        for name, sentence in _misfits(rule):
            yield Flaw(("rules", place, name), f"{rule.role.value}: {sentence}")
    for duty in DUTIES:
        for trigger in duty.triggers:
            yield from _unmet(duty, trigger, book.rules)
    yield from _stand_in_flaws(book.substitutes)


def _repeated(book: Rulebook) -> Iterator[Flaw]:
    named: list[tuple[Path, str]] = [
        *((("rules", place, "id"), each.id) for place, each in enumerate(book.rules)),
        *((("substitutes", place, "id"), each.id) for place, each in enumerate(book.substitutes)),
    ]
    ids = [name for _, name in named]
    for place, (path, name) in enumerate(named):
        if name in ids[:place]:
            yield Flaw(path, "two rules have the same id; give each its own")
    kinds: set[Kind] = set()
    for place, each in enumerate(book.substitutes):
        if kinds & each.instead_of:
            sentence = "two substitutes stand in for the same kind; let one do so"
            yield Flaw(("substitutes", place, "instead_of"), sentence)
        kinds |= each.instead_of


def _misfits(rule: Rule) -> Iterator[tuple[str, str]]:
    """By the field that is wrong."""
    if rule.stage is Stage.WITHDRAWN:
        yield "stage", "no rule tells of a withdrawal: whoever may hold a notice hears of it"
    if rule.effect is not Effect.NOTICE:
        return
    fit = FITS[rule.role]
    right = {"select": fit.select, "kind": fit.kind, "profile": fit.profile}
    for name, value in right.items():
        if getattr(rule, name) != value:
            yield name, _should(name, value)
    yield from _untimely(rule, fit)
    if fit.only and not set(fit.only) & set(rule.when):
        only = " or ".join(each.value for each in fit.only)
        yield "when", f"it may be told of no other child, so `when` must have {only}"


def _untimely(rule: Rule, fit: Fit) -> Iterator[tuple[str, str]]:
    if rule.stage is Stage.WITHDRAWN:
        return
    if rule.stage not in fit.forms:
        yield "stage", f"`stage` must be {' or '.join(each.value for each in fit.forms)}"
    elif rule.form is not fit.forms[rule.stage]:
        yield "form", _should("form", fit.forms[rule.stage])


def _should(name: str, value: Enum | str | None) -> str:
    if value is None:
        return f"leave `{name}` out"
    return f"`{name}` must be {value.value if isinstance(value, Enum) else value}"


def _unmet(duty: Duty, trigger: Trigger, rules: Sequence[Rule]) -> Iterator[Flaw]:
    """One per number of rules that wrongly apply: none, or several."""
    about = [
        (place, rule)
        for place, rule in enumerate(rules)
        if (rule.role, rule.stage, rule.effect) == (duty.role, duty.stage, duty.effect)
        and rule.trigger in (None, trigger)
    ]
    meant = [(place, rule) for place, rule in about if set(rule.when) <= set(duty.when)]
    by_number: dict[int, list[str]] = {}
    for ht_type in HtType:
        number = sum(ht_type in rule.ht_types for _, rule in meant)
        by_number.setdefault(number, []).append(ht_type.value)
    for number, ht_types in sorted(by_number.items()):
        if number != 1:
            near = (meant if number else about)[-1:]
            path: Path = ("rules", near[0][0]) if near else ("rules",)
            what = f"{trigger.value}, {duty.role.value}, {', '.join(ht_types)}"
            yield Flaw(path, f"{what}: {number} rules apply; {_asks(duty, trigger)}")


def _asks(duty: Duty, trigger: Trigger) -> str:
    when = f"`when: [{', '.join(duty.when)}]`" if duty.when else "without `when`"
    effect = "" if duty.effect is Effect.NOTICE else f", `effect: {duty.effect.value}`"
    return (
        f"exactly one must ({duty.citation}): `trigger: {trigger.value}` or none, "
        f"`stage: {duty.stage.value}`{effect}, {when}"
    )


def _stand_in_flaws(substitutes: Sequence[Substitute]) -> Iterator[Flaw]:
    for place, each in enumerate(substitutes):
        if wrong := sorted(set(each.by) - (MAY_STAND_IN - each.instead_of)):
            yield Flaw(
                ("substitutes", place, "by"),
                f"{', '.join(wrong)} may not stand in here; "
                f"{', '.join(sorted(MAY_STAND_IN - each.instead_of))} may ({STAND_IN_CITATION})",
            )
    yield from _missing_stand_ins({k: each for each in substitutes for k in each.instead_of})


def _missing_stand_ins(found: Mapping[Kind, Substitute]) -> Iterator[Flaw]:
    for kind, needed in STAND_INS.items():
        by = found[kind].by if kind in found else ()
        if missing := sorted(needed.difference(by)):
            yield Flaw(
                ("substitutes",),
                f"in place of {kind.value}: {', '.join(missing)} must stand in "
                f"({STAND_IN_CITATION})",
            )
