"""The roster as people write it: YAML, checked whole before anybody relies on it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from services.notify.directory.addresses import checked_endpoint, new_endpoint
from services.notify.directory.entries import Words
from services.notify.oncall import pager_secrets
from services.notify.oncall.roster import (
    Channel,
    ChannelKind,
    Duty,
    Holidays,
    Override,
    Person,
    Roster,
    Shift,
)
from services.notify.tasks.task import TaskKind
from shared.contracts.codes import Desk
from shared.runtime.errors import Misconfigured, Wrong
from shared.runtime.sealing import Sealer

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$")]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _hour(written: object) -> object:
    """YAML reads an unquoted 18:00 as a number in base sixty."""
    if isinstance(written, int) and not isinstance(written, bool) and 0 <= written < 24 * 60:
        return f"{written // 60:02}:{written % 60:02}"
    return written


Hour = Annotated[time, BeforeValidator(_hour)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ChannelPart(_Part):
    kind: ChannelKind
    to: Words

    @model_validator(mode="after")
    def _can_be_reached(self) -> "ChannelPart":
        if self.kind is ChannelKind.WEBHOOK:
            self._check_url()
        elif self.to.count("@") != 1 or any(each.isspace() for each in self.to):
            raise Wrong("must be an e-mail address")
        return self

    def _check_url(self) -> None:
        new_endpoint(self.to)

    @property
    def says(self) -> str:
        """Never the URL of a pager, which is a secret."""
        return pager_secrets.shown(self.to) if self.kind is ChannelKind.WEBHOOK else self.to


class StoredChannelPart(ChannelPart):
    """As it lies in a table: `to` sealed, where it is a URL. `shown`: where that leads."""

    shown: str | None = None

    def _check_url(self) -> None:
        if not pager_secrets.is_sealed(self.to):
            checked_endpoint(self.to)

    @property
    def says(self) -> str:
        return self.shown or super().says


class ShiftPart(_Part):
    days: list[Day] = list(_DAYS)
    begins: Hour = time(0)
    ends: Hour = time(0)
    """Not after `begins`: on the next day."""
    holidays: Holidays = Holidays.AS_USUAL
    people: list[Id] = Field(min_length=1)


class DutyPart(_Part):
    role: Id
    urgent: bool = True


class _Roster(_Part):
    people: Mapping[Id, Sequence[ChannelPart]] = Field(min_length=1)
    roles: dict[Id, list[ShiftPart]] = Field(min_length=1)
    tasks: dict[TaskKind, DutyPart] = {}
    desks: dict[Id, DutyPart] = {}
    otherwise: DutyPart
    fallback: list[Id] = Field(min_length=1)
    holidays: list[date] = []

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if not all(self.people.values()):
            raise Wrong("every person needs a channel")
        if unknown := set(self._named()) - self.people.keys():
            raise Wrong(f"{len(unknown)} of those on call are not among the people")
        duties = (*self.tasks.values(), *self.desks.values(), self.otherwise)
        if {each.role for each in duties} - self.roles.keys():
            raise Wrong("a task goes to a role that has no shift")
        return self

    def _named(self) -> Iterator[str]:
        yield from self.fallback
        for shifts in self.roles.values():
            for shift in shifts:
                yield from shift.people

    def roster(self, overrides: tuple[Override, ...] = ()) -> Roster:
        return Roster(
            people={
                id_: Person(id_, tuple(Channel(each.kind, each.to) for each in channels))
                for id_, channels in self.people.items()
            },
            shifts={role: [_shift(each) for each in some] for role, some in self.roles.items()},
            duties={kind.value: Duty(d.role, d.urgent) for kind, d in self.tasks.items()},
            otherwise=Duty(self.otherwise.role, self.otherwise.urgent),
            fallback=tuple(self.fallback),
            holidays=frozenset(self.holidays),
            overrides=overrides,
            desks={desk: Duty(d.role, d.urgent) for desk, d in self.desks.items()},
        )


class RosterFile(_Roster):
    """`people` by id (the subject of their tokens), `roles` by name, `tasks` by kind,
    `desks` by their names in the policies of deadlines."""

    @model_validator(mode="after")
    def _desks_are_known(self) -> Self:
        if self.desks.keys() - set(Desk):
            raise Wrong(f"desks are {', '.join(Desk)}: nothing is ever for another")
        return self

    def stored(self, sealer: Sealer) -> dict[str, Any]:
        """With every pager's URL sealed."""
        return pager_secrets.sealed(sealer, self.model_dump(mode="json"))


class StoredRoster(_Roster):
    """A roster as it lies in a table, or in a proposal."""

    people: Mapping[Id, Sequence[StoredChannelPart]] = Field(min_length=1)


NOBODY = Roster({}, {}, {}, Duty(""), ())
"""While no roster is in force: the settings' fallback is all there is."""


def _shift(part: ShiftPart) -> Shift:
    days = frozenset(_DAYS.index(day) for day in part.days)
    return Shift(days, part.begins, part.ends, tuple(part.people), part.holidays)


def read(path: Path) -> RosterFile:
    """Raises Misconfigured, naming what is wrong and never repeating it."""
    try:
        return RosterFile.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}).") from None
    except yaml.YAMLError:
        raise Misconfigured(f"{path} is not YAML.") from None
    except ValidationError as error:
        wrong = [
            f"{path}: {'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}."
            for each in error.errors(include_input=False, include_url=False)
        ]
        raise Misconfigured("\n".join(wrong)) from None


def changes(before: _Roster | None, after: _Roster) -> list[str]:
    """What differs, a line each: `-` as it stands now, `+` as it would be."""
    if before is None:
        return ["There is no roster yet: all of it is new."]
    old, new = describe(before), describe(after)
    gone = [f"- {line}" for line in old if line not in new]
    come = [f"+ {line}" for line in new if line not in old]
    return [*gone, *come] or ["Nothing changes."]


def describe(file: _Roster) -> list[str]:
    """A proposed roster in words, for whoever is to approve it."""
    lines = [
        f"{role}: {_days(shift)} {_hours(shift)} ({_HOLIDAYS[shift.holidays]}): "
        f"{', '.join(shift.people)}"
        for role, shifts in sorted(file.roles.items())
        for shift in shifts
    ]
    channels = [
        f"{id_} is paged by {', '.join(f'{each.kind.value} {each.says}' for each in channels)}"
        for id_, channels in sorted(file.people.items())
    ]
    lines += [
        f"What is for {desk} goes to {_goes_to(duty)}" for desk, duty in sorted(file.desks.items())
    ]
    lines += [
        f"A task {kind} goes to {_goes_to(duty)}" for kind, duty in sorted(file.tasks.items())
    ]
    lines += [f"Every other task goes to {_goes_to(file.otherwise)}"]
    lines += [f"Holidays: {', '.join(map(str, sorted(file.holidays)))}"] if file.holidays else []
    return [*lines, f"When nobody is reached: {', '.join(file.fallback)}", *channels]


_HOLIDAYS = {
    Holidays.AS_USUAL: "holidays too",
    Holidays.OFF: "not on holidays",
    Holidays.ONLY: "on holidays, whatever the day",
}


def _days(shift: ShiftPart) -> str:
    days = sorted(set(shift.days), key=_DAYS.index)
    return "every day" if len(days) == len(_DAYS) else ", ".join(days)


def _hours(shift: ShiftPart) -> str:
    return "all day" if shift.begins == shift.ends else f"{shift.begins:%H:%M}–{shift.ends:%H:%M}"


def _goes_to(duty: DutyPart) -> str:
    return f"{duty.role}{'' if duty.urgent else ', in its hours'}"
