"""The rows of the tables, and which row a child belongs in. Pure.

The first three tables are those of the 2018 presentation (seed S4), with its row names in its
order; a row of zero is a row. Codes are those of a child's document; what is not a known code
counts as unknown rather than being left out, so that every table totals the same.
"""

from collections.abc import Mapping, Sequence
from datetime import date

UNKNOWN = "unknown"

RACE_ETHNICITY = {
    "hispanic": "Hispanic",
    "caucasian": "Caucasian",
    "african_american_black": "African American/Black",
    "multi_racial": "Multi-racial",
    UNKNOWN: "Unknown",
    "asian": "Asian",
    "other": "Other",
}
AGE = {
    "10_and_under": "10 and Under",
    "11_to_12": "11 to 12",
    "13_to_14": "13 to 14",
    "15_to_16": "15 to 16",
    "17_to_18": "17 to 18",
    "over_18": "Over 18",
    UNKNOWN: "Unknown",
}
RESIDENCE = {
    "parent_guardian_home": "Parent/Guardian Home",
    "awol_runaway": "AWOL/Runaway",
    "foster_home": "Foster home",
    "congregate_care": "Congregate care",
    "relative_other_home": "Relative/Other Home",
    "detention": "Detention",
    "shelter": "Shelter",
    "missing_unknown": "Missing/Unknown",
}
GENDER = {"female": "Female", "male": "Male", "other": "Other", UNKNOWN: "Unknown"}
HT_TYPE = {
    "sex": "Sex trafficking",
    "labor": "Labor trafficking",
    "sex_and_labor": "Sex and labor trafficking",
    "other": "Other/Not specified",
}
VENUES = {
    "internet_based": "Internet-Based Commercial Sex",
    "hotel_motel_based": "Hotel/Motel-Based Commercial Sex",
    "escort_delivery": "Escort Service/Delivery Service",
    "illicit_massage_spa": "Illicit Massage/Spa Business",
    "residence_based": "Residence-Based Commercial Sex",
    "pornography": "Pornography",
    "street_based": "Street-Based Commercial Sex",
    "peddling_ring": "Peddling",
    "traveling_sales_crew": "Traveling sales crews",
    "begging_ring": "Begging",
    "domestic_work": "Domestic work",
    "restaurant_food_service": "Restaurant/Food service",
    "other": "Other",
    UNKNOWN: "Unknown",
}
"""S4's six venues by number, then those that S4 names without one."""
PLACES = {
    "internet": "(Internet)",
    "out_of_state": "(Out of state)",
    "out_of_country": "(Out of the country)",
    "tribal_land": "(Tribal land)",
    UNKNOWN: "(Unknown or not stated)",
}
"""Where it happened, if in none of the 169 towns."""

_UPPER_ENDS = ((10, "10_and_under"), (12, "11_to_12"), (14, "13_to_14"), (16, "15_to_16"))


def race(codes: Sequence[str]) -> str:
    """One bucket for a child (C36): two or more known ones are Multi-racial."""
    known = {code for code in codes if code in RACE_ETHNICITY and code != UNKNOWN}
    if len(known) > 1:
        return "multi_racial"
    return known.pop() if known else UNKNOWN


def age_band(
    born: date | None, victimised: date | None, stated: int | None, band: str | None
) -> str:
    """By age at victimisation: computed from both dates, else the stated age, else the band.

    Age at the time of the report is no substitute: without any of these it is unknown (C19, C20).
    """
    if born is not None and victimised is not None and born <= victimised:
        return band_of(_years(born, victimised))
    if stated is not None:
        return band_of(stated)
    return band if band in AGE else UNKNOWN


def band_of(years: int) -> str:
    for end, code in _UPPER_ENDS:
        if years <= end:
            return code
    return "17_to_18" if years <= 18 else "over_18"


def one_of(rows: Mapping[str, str], code: object, otherwise: str = UNKNOWN) -> str:
    """The code, if it is a row."""
    return code if isinstance(code, str) and code in rows else otherwise


def several_of(rows: Mapping[str, str], codes: Sequence[str], otherwise: str) -> tuple[str, ...]:
    """The rows of a question with several answers: each once; an unknown code is `otherwise`."""
    return tuple(sorted({one_of(rows, code, otherwise) for code in codes})) or (UNKNOWN,)


def _years(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
