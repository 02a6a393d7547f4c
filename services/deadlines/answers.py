"""Whether a recipient that was told has said so, or need not any more. Pure."""

from datetime import datetime

from services.deadlines.policy_parts import Satisfied
from services.deadlines.spells import edges
from services.deadlines.story import Story


def answer(
    rule: Satisfied, child_id: str, agency_id: str, story: Story
) -> tuple[datetime | None, datetime | None]:
    """When it first answered, and since when it has owed nothing without a break: because of that,
    because it left, or because the referral was entered in error."""
    met = _first_answer(rule, child_id, agency_id, story)
    held = story.holdings(child_id, agency_id)
    since: datetime | None = None
    for moment in sorted({at for at in (met, story.in_error_at, *edges(held)) if at is not None}):
        ended = (
            (met is not None and met <= moment)
            or (story.in_error_at is not None and story.in_error_at <= moment)
            or not any(each.holds(moment) for each in held)
        )
        since = since or moment if ended else None
    return met, since


def _first_answer(rule: Satisfied, child_id: str, agency_id: str, story: Story) -> datetime | None:
    """To whichever notice; to one with nothing to tell (a withdrawal, say) once it was told."""
    heard = list(story.tellings(child_id, agency_id))
    if heard and (news := story.answers(child_id, agency_id)):
        first = min(each.at for each in heard)
        heard += [each for each in news if each.at >= first]
    return min((each.at for each in heard if each.kind in rule.by), default=None)
