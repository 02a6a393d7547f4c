"""Which children are one person, from what persons have answered. Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

Pair = tuple[str, str]
"""Two child ids, the lower one first."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two children would be one person by way of others, and somebody has said that they are not:
    that answer must be taken back first, or this one is wrong."""


def pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)


def regroup(
    persons: Mapping[str, str], answers: Mapping[Pair, bool], new_id: Callable[[], str]
) -> dict[str, str] | Contradiction:
    """The person of every child in `persons`, once the last `answers` hold.

    A group keeps the person of its first child, by id, whom no earlier group has kept; a group
    that is split off gets a new one.
    """
    groups = _groups(sorted(persons), [each for each, same in answers.items() if same])
    for group in groups:
        if any(not same and set(each) <= group for each, same in answers.items()):
            return Contradiction()
    settled: dict[str, str] = {}
    for group in groups:
        person = persons[min(group)]
        if person in settled.values():
            person = new_id()
        settled |= dict.fromkeys(sorted(group), person)
    return settled


def _groups(children: Collection[str], same: Collection[Pair]) -> list[set[str]]:
    """Connected children, the group of the lowest first."""
    group_of = {child: {child} for child in children}
    for one, other in same:
        merged = group_of[one] | group_of[other]
        for child in merged:
            group_of[child] = merged
    groups: list[set[str]] = []
    for child in children:
        if group_of[child] not in groups:
            groups.append(group_of[child])
    return groups
