"""One route's legs in a form in which two routes can be compared, and what differs. Pure."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from itertools import zip_longest

from services.notify.routing.routes import Recipient, Refused, Route, Suppressed

TOLD, INERT = "told", "named in vain"
"""INERT: by a rule of a stage whose plans go by no rule."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A leg, with everything of it that a rule decides."""

    child_id: str
    who: str
    """The agency's id, or the role that nobody fits."""
    role: str
    fate: str
    profile: str = ""
    form: str = ""
    authority: str = ""
    purpose: str = ""
    reason: str = ""
    in_place: bool = False
    rule: str = ""
    words: str = ""


Told = tuple[str, str]
"""(child id, agency id)."""
Pair = tuple[Seen | None, Seen | None]
"""Before and after."""


def seen(found: Route, told: str = TOLD) -> list[Seen]:
    """`told`: what the fate of a recipient is called."""
    legs = [_told(leg, told) for leg in found.recipients]
    legs += [_refused(leg) for leg in found.refused]
    legs += [_suppressed(leg) for leg in found.suppressed]
    legs += [
        Seen(leg.child_id, leg.agency_id, leg.role.value, "stands in") for leg in found.stand_ins
    ]
    legs += [
        Seen(
            leg.child_id,
            leg.role.value,
            leg.role.value,
            leg.effect.value,
            rule=leg.rule,
            words=leg.because,
        )
        for leg in found.matters
    ]
    return legs


def apart(before: Route, after: Route) -> tuple[Route, Route]:
    """Without the recipients that are the same in both, which are most, and costly to look at."""
    old = {_key(leg): leg for leg in before.recipients}
    new = {_key(leg): leg for leg in after.recipients}
    if (len(old), len(new)) != (len(before.recipients), len(after.recipients)):
        return before, after
    same = {key for key, leg in new.items() if old.get(key) == leg}
    return _without(same, before), _without(same, after)


def _without(keys: Set[tuple[str, str, str]], found: Route) -> Route:
    left = tuple(leg for leg in found.recipients if _key(leg) not in keys)
    return replace(found, recipients=left)


def _key(leg: Recipient) -> tuple[str, str, str]:
    return leg.child_id, leg.agency_id, leg.rule


def told_by(routes: Iterable[Route]) -> set[Told]:
    """Whoever any of these tells, of which child."""
    return {(leg.child_id, leg.agency_id) for each in routes for leg in each.recipients}


def holders(told: Iterable[Told]) -> list[Seen]:
    """Who hears of a withdrawal once these were told: each once per child, whatever by."""
    return [Seen(child_id, who, "", TOLD, form="withdrawal") for child_id, who in told]


def differing(before: Sequence[Seen], after: Sequence[Seen]) -> Iterator[Pair]:
    """What goes, what comes, and what stays with another content: a pair of both."""
    if before == after:
        return
    old, new = _by_whose(before), _by_whose(after)
    for whose in old | new:
        gone, come = [], new.get(whose, [])
        for each in old.get(whose, []):
            if each in come:
                come.remove(each)
            else:
                gone.append(each)
        yield from zip_longest(gone, come)


def _by_whose(legs: Iterable[Seen]) -> dict[tuple[str, str, str], list[Seen]]:
    found: dict[tuple[str, str, str], list[Seen]] = {}
    for leg in legs:
        found.setdefault((leg.child_id, leg.who, leg.role), []).append(leg)
    return found


def sign_of(pair: Pair) -> str:
    """+, - or ~."""
    before, after = pair
    return "+" if before is None else "-" if after is None else "~"


def words_of(pair: Pair, name: str) -> str:
    """What it was or is, or what changes of it. `name`: of whose leg it is."""
    before, after = pair
    if before is None or after is None:
        leg = before or after
        assert leg is not None
        return f"{leg.fate} {name}{_content(leg)}"
    if before.fate == after.fate:
        return f"{after.fate} {name} ({'; '.join(_changed(before, after))})"
    return f"{before.fate}{_content(before)} becomes {after.fate}{_content(after)}: {name}"


def _content(leg: Seen) -> str:
    parts = (
        leg.profile and f"profile {leg.profile}",
        leg.form and f"form {leg.form}",
        leg.reason,
        "in place of another" if leg.in_place else "",
    )
    known = ", ".join(part for part in parts if part)
    return f" ({known})" if known else ""


_SAID = ("profile", "form", "authority", "reason", "rule", "purpose")


def _changed(before: Seen, after: Seen) -> list[str]:
    """The words change with nearly everything; they are named when nothing else says why."""
    changed = [
        f"{name} {getattr(before, name)} becomes {getattr(after, name)}"
        for name in _SAID
        if getattr(before, name) != getattr(after, name)
    ]
    if before.in_place != after.in_place:
        changed.append("in place of another" if after.in_place else "no longer in place of another")
    if not changed and before.words != after.words:
        changed.append("the reason given, or its citation")
    return changed


def _told(leg: Recipient, fate: str) -> Seen:
    return Seen(
        leg.child_id,
        leg.agency_id,
        leg.role.value,
        fate,
        leg.profile,
        leg.form.value,
        leg.authority,
        leg.purpose,
        in_place=leg.in_place,
        rule=leg.rule,
        words=leg.because,
    )


def _refused(leg: Refused) -> Seen:
    return Seen(
        leg.child_id,
        leg.agency_id or leg.role.value,
        leg.role.value,
        "refused",
        reason=leg.reason.value,
        rule=leg.rule,
        words=leg.because,
    )


def _suppressed(leg: Suppressed) -> Seen:
    return Seen(
        leg.child_id,
        leg.agency_id,
        leg.role.value,
        "suppressed",
        reason=leg.ground.value,
        rule=leg.rule,
        words=leg.because,
    )
