"""What routing costs: `python -m tests.load.bench_routing [--referrals 10000]`.

169 towns, 400 agencies. One referral with one child, one with six and every hard fact, and a replay
of many under changed rules. Prints JSON. Pure: no database, no network.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from services.notify.directory.towns import dcf_offices, judicial_districts
from services.notify.routing.facts import (
    ChildFacts,
    Implicated,
    ImplicatedKind,
    Place,
    PlaceKind,
    ReferralFacts,
)
from services.notify.routing.fanout import route
from services.notify.routing.replay import Past, replay
from services.notify.routing.rulebook import load_rulebook
from shared.contracts.codes import HtType, Trigger

AGENCIES = 400
NOW = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
RULES = load_rulebook()
STATEWIDE = {
    Kind.STATE_POLICE: "law_enforcement",
    Kind.FBI: "law_enforcement",
    Kind.CHIEF_STATES_ATTORNEY: "prosecution",
    Kind.HART_LEAD_STATEWIDE: "hart",
    Kind.HART_DIRECTOR: "hart",
    Kind.NCMEC: "ncmec",
    Kind.ELIGIBILITY_COORDINATOR: "eligibility",
    Kind.LICENSING: "licensing",
}


def agency(number: int, kind: Kind, profile: str, **jurisdiction: Any) -> Agency:
    return Agency(
        f"agy_{number:032x}",
        kind,
        f"Example Agency {number}",
        profile,
        authority="CGS 17a-28",
        authority_from=date(2020, 1, 1),
        encrypted_channel=True,
        code=f"agency_{number}",
        **jurisdiction,
    )


def directory() -> Directory:
    """A police agency for every town, who serves the whole state, and MDT rolls for the rest."""
    towns = sorted(judicial_districts())
    districts = sorted(set(judicial_districts().values()))
    made = [
        agency(n, Kind.MUNICIPAL_POLICE, "law_enforcement", towns=frozenset({town}))
        for n, town in enumerate(towns)
    ]
    made += [agency(len(made) + n, kind, STATEWIDE[kind]) for n, kind in enumerate(STATEWIDE)]
    while len(made) < AGENCIES:
        district = frozenset({districts[len(made) % len(districts)]})
        made.append(agency(len(made), Kind.MDT_MEMBER, "mdt", judicial_districts=district))
    return Directory(1, tuple(made), judicial_districts(), dcf_offices())


def referral(rng: random.Random, children: int, *, hard: bool) -> ReferralFacts:
    towns = sorted(judicial_districts())

    def child(number: int) -> ChildFacts:
        officer = Implicated(ImplicatedKind.MUNICIPAL_OFFICER, f"agency_{rng.randrange(169)}")
        return ChildFacts(
            f"chd_{number}",
            rng.choice(list(HtType)),
            rng.choice(towns),
            frozenset(rng.sample(towns, 3 if hard else 1)),
            places=frozenset([Place(PlaceKind.INTERNET)] if hard else []),
            missing_from_care=hard,
            foreign_national=hard,
            implicated=frozenset([officer] if hard else []),
        )

    at = NOW - timedelta(minutes=rng.randrange(500_000))
    return ReferralFacts(Trigger.CARELINE, at, tuple(child(n) for n in range(children)))


def milliseconds(call: Callable[[], object], rounds: int = 2000) -> dict[str, float]:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return {
        "median_ms": round(statistics.median(took), 4),
        "p99_ms": round(took[int(rounds * 0.99)], 4),
    }


def replayed(by: Directory, count: int) -> dict[str, object]:
    """Under rules that no longer tell the FBI of labour trafficking alone: a wrong change, seen."""
    rng = random.Random(737)
    past = [
        Past(f"ref_{n}", 1, referral(rng, rng.choice((1, 1, 1, 2, 6)), hard=n % 10 == 0), NOW)
        for n in range(count)
    ]
    some = frozenset(HtType) - {HtType.LABOR}
    rules = tuple(
        replace(rule, ht_types=some) if rule.id == "careline.fbi" else rule for rule in RULES.rules
    )

    def progress(done: int) -> None:
        sys.stderr.write(f"\r{done} of {count} ")
        sys.stderr.flush()

    began = time.perf_counter()
    found = replay(past, lambda _: by, RULES, replace(RULES, rules=rules), progress)
    seconds = time.perf_counter() - began
    sys.stderr.write("\n")
    return {"referrals": count, "differ": found.changed, "seconds": round(seconds, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--referrals", type=int, default=10_000)
    count = parser.parse_args().referrals
    by, rng = directory(), random.Random(1)
    plain, hard = referral(rng, 1, hard=False), referral(rng, 6, hard=True)
    found = {
        "towns": len(judicial_districts()),
        "agencies": len(by.agencies),
        "one_child": milliseconds(lambda: route(plain, by, RULES, NOW)),
        "six_children_and_conflicts": milliseconds(lambda: route(hard, by, RULES, NOW), 500),
        "replay": replayed(by, count),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
