"""The table rule → law → test, as Markdown. docs/routing.md says how it is made.

Made from the rules file and the names of the tests, so that neither can say more than the other.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from services.notify.routing.rule import Rule, Rulebook, Substitute
from services.notify.routing.rulebook import load_rulebook

ROOT = Path(__file__).parents[3]
TESTS = ROOT / "tests" / "unit" / "notify"
_FILES = ("test_routing_hard_cases.py", "test_routing_conflicts.py", "test_fanout_routes.py")
_LATER = (
    "test_notify_stages.py",
    "test_notify_withdrawals.py",
    "test_notify_recalls.py",
    "test_delivery_stages.py",
)
_HEAD = """# Routing

Who is told, by what law, and which test says so. Made by
`python -m tests.support.hard_cases > docs/routing.md` from `services/notify/rules/dcf_737.yaml` and
the tests; a test fails when it is not current. The
cases C1 … C36 are the domain's edge cases. Nothing here is legal advice: every rule needs the
agreement of DCF's legal staff before real use.
"""
_HOW = """
## How it is decided

1. The rules of the referral's trigger and stage are taken in the order of the file.
2. Each finds its agencies: police by town, part of town and hour (of the incident, else of
   receipt), by tribal land, by residence; MDT members by judicial district; the others statewide.
3. Whoever is implicated, or of whom a person has asserted a conflict, is left out, with its people
   on an MDT and, for a trooper or a town that troopers police, all of the State Police. A named
   agency is meant alone; where none on file is named, everyone of that kind is, and a person finds
   out.
4. Whoever stands in is told under the same rule, or its own notice counts for the role too. Without
   any, the role is refused and a person is told.
5. Nobody is told without authority in force, the rule's profile and an encrypted channel.

## What happens later

1. Accepted: the rules of that stage, by the newest version, with form DCF-823 where they say so.
   Nobody gets the DCF-737 again. Not accepted: nobody new; a reversal corrects the DCF-823 that may
   be held, and takes whoever was told only because of the acceptance off the route.
2. A HART consult that is to be shared reaches every member of the team that has no conflict.
3. An amended version corrects whoever holds a notice of any stage that was reached.
4. Withdrawn: whoever may hold a notice hears of it, with the cause by its code, after everything
   else that is under way to it. Only what was entered in error cancels what was planned.
5. Whom the rules name in place of a recipient that was refused, for want of authority or of a
   channel, is not told by itself: the refusal is a task. Once a person has told it by telephone and
   entered that, it has a notice of its own, under the refused rule: a plan beside the frozen one,
   with the same look at conflicts and authority (`docs/partners/oral.md`).

`GET /v1/referrals/{id}/routing` explains a referral, `POST /v1/routing/what-if` one that does not
exist, by the directory and rules of today or, with `as_of`, of another day. Both need the scope
`routing:explain`, and no agency may call them.

## How the rules change

The file that the software comes with is in force until another is.
`POST /v1/routing/rules/proposals` (scope `rules:propose`) checks a whole file, routes the last
referrals under it and under what would be in force on its day, through every stage whether they
came to it or not, and stores the difference with the proposal: who is told or no longer told, and
whose form, profile, authority or standing in is another. A changed rule that none of them calls for
is named. Synthetic referrals are no part of it. Where fewer than 212 referral versions are on
record, a made-up year is replayed beside them, and called so. Another person
approves it at `/v1/proposals` (scope `proposals:decide`), and it is in force from its day, in every
process, without a restart. Of what has begun by a day, what began last is in force. A file that
leaves out or narrows a duty of `services/notify/routing/duties.py` is refused, each mistake with
its line.
A version's name stands for one content for good: what was planned by it is explained by it.
`GET /v1/routing/rules` lists every version that ever was.

`python -m services.notify routing replay --rules FILE` replays without proposing (`--as-of DAY`:
against the rules of a day and by its directory; `--sample-year`), and `routing what-if --rules
FILE` compares one referral that does not exist.

## What a person decides

`POST /v1/referrals/{id}/conflicts` (scope `conflicts:assert`) takes an agency and a code; it binds
every claim that is committed after it answers. Lifting it, `POST /v1/conflicts/{id}/lift` (scope
`conflicts:lift`), takes two people. What the agency holds stays readable to it, and it gets nothing
further.

`POST /v1/notices/{id}/recall` (scope `notices:recall`) takes a code: a disclosure went to the
wrong recipient. It is an incident on record, the recipient is asked for the notice and told nothing
else, and the duty is open again. `POST /v1/notices/{id}/close` (scope `notices:close`) ends one
that has not arrived; it meets no duty.
"""


def table(rulebook: Rulebook, tests: dict[str, list[str]]) -> str:
    """The whole page. `tests`: case or rule id → the names of its tests."""
    lines = [_HEAD, f"Rules version {rulebook.version}.\n", "## Rules\n"]
    lines += ["| rule | when | told | law | tests |", "|---|---|---|---|---|"]
    lines += [_row(rule, tests) for rule in rulebook.rules]
    lines += ["", "## Who stands in\n", "| rule | instead of | by | law | tests |"]
    lines += ["|---|---|---|---|---|"]
    lines += [_substitute_row(each, tests) for each in rulebook.substitutes]
    lines += ["", "## Cases\n", "| case | tests |", "|---|---|"]
    cases = sorted((name for name in tests if name.startswith("C")), key=lambda c: int(c[1:]))
    lines += [f"| {case} | {_names(tests[case])} |" for case in cases]
    return "\n".join(lines) + "\n" + _HOW


def named_tests(folder: Path = TESTS) -> dict[str, list[str]]:
    """Case → tests, by the case in their names; rule id → tests, by what they quote."""
    found: dict[str, list[str]] = {}
    rules = load_rulebook()
    ids = [rule.id for rule in rules.rules] + [each.id for each in rules.substitutes]
    later = folder.parents[1] / "integration" / "notify"
    for file in (*(folder / each for each in _FILES), *(later / each for each in _LATER)):
        for name, body in _functions(file.read_text(encoding="utf-8")):
            for case in re.findall(r"(?<=_)c([1-9]|[12][0-9]|3[0-6])(?=_)", name):
                found.setdefault(f"C{case}", []).append(name)
            for rule_id in ids:
                if f"`{rule_id}`" in body:
                    found.setdefault(rule_id, []).append(name)
    return found


def _functions(source: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"(?m)^(?=def test_|async def test_)", source)[1:]:
        yield re.match(r"(?:async )?def (test_\w+)", part).group(1), part  # type: ignore[union-attr]


def proofs_of(each: Rule | Substitute, tests: dict[str, list[str]]) -> list[str]:
    """Those of its cases, and those that quote it."""
    names = [name for case in each.cases for name in tests.get(case, [])]
    return list(dict.fromkeys([*tests.get(each.id, []), *names]))


def _row(rule: Rule, tests: dict[str, list[str]]) -> str:
    trigger = rule.trigger.value if rule.trigger else "both"
    when = " and ".join([trigger, rule.stage.value, *(each.value for each in rule.when)])
    told = f"{rule.role.value} ({rule.profile})" if rule.profile else f"{rule.effect.value}"
    return f"| `{rule.id}` | {when} | {told} | {rule.citation} | {_few(rule, tests)} |"


def _substitute_row(each: Substitute, tests: dict[str, list[str]]) -> str:
    instead = ", ".join(sorted(kind.value for kind in each.instead_of))
    by = ", ".join(kind.value for kind in each.by)
    return f"| `{each.id}` | {instead} | {by} | {each.citation} | {_few(each, tests)} |"


def _few(each: Rule | Substitute, tests: dict[str, list[str]]) -> str:
    """Its cases, which the last table spells out, and the tests that quote it."""
    return ", ".join([*each.cases, *(f"`{name}`" for name in tests.get(each.id, []))])


def _names(tests: list[str]) -> str:
    return "<br>".join(f"`{name}`" for name in tests)
