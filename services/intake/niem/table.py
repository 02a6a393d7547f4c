"""The table of NIEM names (`niem.yaml`): read, and refused when a path is not one of NIEM's.

NIEM is the National Information Exchange Model; `names.csv` holds the names of it that are used,
each with its type, what that type extends, and the types that hold it.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.runtime.errors import Misconfigured

TABLE = Path(__file__).with_name("niem.yaml")
NAMES = Path(__file__).with_name("names.csv")
OURS = "hl:"


class Row(BaseModel):
    """Where a field's value stands; what stands `beside` it; NIEM's `codes` for ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    source: str = Field(min_length=1)
    beside: Mapping[str, str] = {}
    codes: Mapping[str, str] = {}


class Constant(BaseModel):
    """What every view says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    value: str


class Table(BaseModel):
    """Field → NIEM path → source. A group's items are objects of their own at the group's path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    namespaces: Mapping[str, str]
    constants: tuple[Constant, ...]
    groups: Mapping[str, str]
    fields: Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class Name:
    """A name of NIEM's: its type with all that this extends, and the types that hold it."""

    types: frozenset[str]
    within: frozenset[str]


@cache
def load_table(listed: frozenset[str], path: Path = TABLE) -> Table:
    """The table, with a row for every field that a profile lists. Raises Misconfigured."""
    try:
        table = Table.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise Misconfigured(f"{path}: {error.errors(include_url=False)[0]['loc']}") from None
    if missing := sorted(set(listed) - set(table.fields)):
        raise Misconfigured(f"{path}: there is no row for {missing[0]}, which a profile lists.")
    if flaw := next(flaws(table, load_names()), None):
        raise Misconfigured(f"{path}: {flaw}")
    return table


def load_names(path: Path = NAMES) -> Mapping[str, Name]:
    with path.open(newline="", encoding="utf-8") as file:
        return {
            row["name"]: Name(
                frozenset([row["type"], *row["extends"].split()]),
                frozenset(row["within"].split()),
            )
            for row in csv.DictReader(file)
        }


def flaws(table: Table, names: Mapping[str, Name]) -> Iterator[str]:
    """The paths that NIEM does not allow, in words, and the prefixes that nobody declares."""
    for path in _paths(table):
        steps = path.split("/")
        for holder, step in zip([None, *steps], steps, strict=False):
            if step.partition(":")[0] not in table.namespaces:
                yield f"{path}: {step} has a prefix that is no namespace here."
            elif not step.startswith(OURS) and not _fits(step, holder, names):
                yield f"{path}: {step} is no name of NIEM's in that place."


def _paths(table: Table) -> Iterator[str]:
    for constant in table.constants:
        yield constant.path
    yield from table.groups.values()
    for field, row in table.fields.items():
        group = table.groups.get(field.partition(".")[0])
        path = row.path if group is None else f"{group}/{row.path}"
        yield path
        for name in row.beside:
            yield f"{path.rpartition('/')[0]}/{name}"


def _fits(step: str, holder: str | None, names: Mapping[str, Name]) -> bool:
    if step not in names:
        return False
    if holder is None or holder.startswith(OURS):
        return True
    return bool(names[step].within & names[holder].types)
