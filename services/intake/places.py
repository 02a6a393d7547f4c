"""Where something happened, when a town of Connecticut alone does not say it."""

from typing import Annotated

from services.intake.codes import OneOf
from services.intake.fields import Body, Long, Moment, Short, State


class IncidentPlace(Body):
    """One place. Jurisdiction can hang on a part of a town and on the hour.

    `town` and `district` go with in_state and tribal_land (the town is in `incident_towns` too),
    `nation` with tribal_land, `state` with out_of_state, `country` with out_of_country.
    """

    kind: Annotated[str, OneOf("incident_place_kind")]
    town: Short | None = None
    district: Annotated[str, OneOf("police_district")] | None = None
    nation: Annotated[str, OneOf("tribal_nation")] | None = None
    state: State | None = None
    country: Short | None = None
    occurred_at: Moment | None = None
    description: Long | None = None


FITS = {
    "in_state": {"town", "district"},
    "tribal_land": {"town", "nation", "state"},
    "out_of_state": {"state"},
    "out_of_country": {"country"},
    "internet": set[str](),
    "unknown": set[str](),
}
"""Which of the fields that say where go with which kind."""
