"""The tables, made of counts. Pure.

A table whose `whole` is true divides its parent: its rows add up to the cell named by `of`. One
whose `whole` is false is of a question with several answers (venues, towns), and does not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.intake.statistics import categories

TOTAL = "total.referrals"
"""The cell that nearly every table divides: children in referrals."""

Counts = Mapping[str, Mapping[str, int]]
"""By table, by row; a row that is not there is zero."""


@dataclass(frozen=True, slots=True)
class Row:
    code: str
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    title: str
    rows: tuple[Row, ...]
    of: str | None = TOTAL
    whole: bool = True

    def cells(self) -> Iterator[tuple[str, int]]:
        """Each row's cell and count."""
        for row in self.rows:
            yield f"{self.name}.{row.code}", row.count

    @property
    def total(self) -> int:
        return sum(row.count for row in self.rows)


PRESENTED = ("race_ethnicity", "age_at_victimization", "residence_at_exploitation")
"""The three of the 2018 presentation."""


def build(counts: Counts, towns: Sequence[str]) -> tuple[Table, ...]:
    """Every table of a period, a parent before those that divide it."""
    places = {town: town for town in towns} | categories.PLACES

    def table(
        name: str,
        title: str,
        rows: Mapping[str, str],
        of: str | None = TOTAL,
        *,
        whole: bool = True,
    ) -> Table:
        counted = counts.get(name, {})
        made = tuple(Row(code, label, counted.get(code, 0)) for code, label in rows.items())
        return Table(name, title, made, of, whole)

    return (
        table("total", "Referrals", {"referrals": "Children in referrals"}, None),
        table("race_ethnicity", "Race/Ethnicity", categories.RACE_ETHNICITY),
        table("age_at_victimization", "Age at time of Victimization", categories.AGE),
        table("residence_at_exploitation", "Residence at Time of Exploitation", _RESIDENCE),
        table("gender", "Gender", categories.GENDER),
        table("ht_type", "Type of trafficking", categories.HT_TYPE),
        table("reports", "Reports", _REPORTS),
        table("children", "Unique children and repeat victims", _CHILDREN),
        table("settings", "Congregate settings with several victims", _SETTINGS, _CONGREGATE),
        table("setting_count", "Number of such settings", _SETTING_COUNT, None),
        table("venue", "Venue (a child may have several)", categories.VENUES, whole=False),
        table("town", "Town of the incident (a child may have several)", places, whole=False),
    )


_RESIDENCE = categories.RESIDENCE
_CONGREGATE = "residence_at_exploitation.congregate_care"
_REPORTS = {"reports": "Reports", "further": "Further children in the same report"}
_CHILDREN = {
    "first": "Children in no other referral so far",
    "repeat": "Repeat victims: children in an earlier referral or in several this year",
    "further": "Further referrals of the same child this year",
}
_SETTINGS = {"shared": "In a setting with several victims", "other": "In any other setting"}
_SETTING_COUNT = {"several": "Settings with more than one victim"}
