"""What a later stage needs of intake: the version's copies, and the part that its form is about."""

from collections.abc import Mapping

from services.notify.planning.intake_client import Content, Projection
from services.notify.planning.occasion import part_of
from services.notify.routing.rule import Effect, Form, Rule, Rulebook
from services.notify.stages.intake_client import StageIntake
from services.notify.stages.wishes import Wish
from shared.contracts.codes import Stage
from shared.runtime.errors import Permanent

_FORMS = {Stage.ACCEPTED: Form.DCF_823, Stage.CONSULT_SHARED: Form.CONSULT_OUTCOME}
BARE_INCIDENT: Mapping[str, object] = {"incident_type": "human_trafficking", "standing": "open"}
"""Of a child that came to an accepted case by an amendment: nobody has filled in more yet."""


async def fetch(intake: StageIntake, rulebook: Rulebook, wish: Wish) -> Projection:
    """Nothing is fetched that nobody is sent (P4). Raises Retryable or Permanent."""
    projection = await _copies(intake, rulebook, wish)
    parts = await _parts(intake, wish, projection)
    name = part_of(_FORMS[wish.stage], wish.series, wish.revision)
    children = tuple(
        child.model_copy(update={"copies": child.copies | {name: parts[child.child_id]}})
        for child in projection.children
        if child.child_id in parts
    )
    return projection.model_copy(update={"children": children})


async def _copies(intake: StageIntake, rulebook: Rulebook, wish: Wish) -> Projection:
    """First what whoever gets the stage's own form may see, then what the facts call for."""
    rules = [
        rule for rule in rulebook.rules if rule.stage is wish.stage and rule.effect is Effect.NOTICE
    ]
    form = _FORMS[wish.stage]
    first = sorted({rule.profile for rule in rules if rule.form is form})
    projection = await intake.project(wish.referral_id, wish.version, first)
    further = sorted(_called_for(rules, projection).difference(first))
    if not further:
        return projection
    more = await intake.project(wish.referral_id, wish.version, further)
    return projection.with_copies_of(more)


def _called_for(rules: list[Rule], projection: Projection) -> set[str]:
    facts = [child.routing for child in projection.children]
    mine = [rule for rule in rules if rule.trigger in (None, projection.trigger)]
    return {rule.profile for rule in mine if any(rule.fits(child) for child in facts)}


async def _parts(intake: StageIntake, wish: Wish, projection: Projection) -> Mapping[str, Content]:
    """By child; of a consult, its own child alone."""
    there = {child.child_id for child in projection.children}
    if wish.stage is Stage.ACCEPTED:
        found = await intake.incidents(wish.referral_id, wish.revision)
        known = {each.child_id: each.incident for each in found.children}
        return {
            child_id: {"incident": known.get(child_id, dict(BARE_INCIDENT))} for child_id in there
        }
    outcome = await intake.outcome(wish.consult_id or "")
    if (outcome.referral_id, outcome.child_id) != (wish.referral_id, wish.child_id):
        raise Permanent("intake answered for another consult than the one asked for")
    return {outcome.child_id: {"consult": outcome.consult}} if outcome.child_id in there else {}
