"""`python -m services.notify routing …`: explain, what-if and replay, as an operator runs them."""

import json
import os
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest

from services.notify import models
from services.notify.delivery.commitment import Committer
from services.notify.directory.authority import today
from services.notify.planning.drafting import Clerk
from services.notify.routing.rulebook import DCF_737, load_rulebook, read_rulebook
from services.notify.rulemaking import store
from shared.contracts.codes import HtType
from shared.runtime import keys
from shared.runtime.ids import utc_now
from shared.runtime.sealing import Keyring, Sealer
from tests.support import planning as support
from tests.support import warm
from tests.support.databases import FreshDatabase
from tests.support.planning import Child, Planning

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(database: FreshDatabase, tmp_path: Path) -> dict[str, str]:
    keys.make("issuer", tmp_path / "issuer.jwk")
    (tmp_path / "jwks.json").write_text(json.dumps(keys.jwks(tmp_path / "issuer.jwk")))
    (tmp_path / "keys").mkdir()
    for kind, name in (("kek", "kek-1"), ("hmac", "commitment-1")):
        keys.make(kind, tmp_path / "keys" / f"{name}.key")
    return {
        "PATH": os.environ["PATH"],
        "HARTLINE_PROFILE": "development",
        "HARTLINE_BUS_DSN": database.dsns["bus"].app,
        "HARTLINE_ISSUER": "https://issuer.test",
        "HARTLINE_JWKS": str(tmp_path / "jwks.json"),
        "HARTLINE_NOTIFY_DSN": database.dsns["notify"].app,
        "HARTLINE_NOTIFY_KEYS": str(tmp_path / "keys"),
        "HARTLINE_INTAKE_URL": "http://127.0.0.1:9",
    }


@pytest.fixture
async def planning(
    database: FreshDatabase, environment: dict[str, str], tmp_path: Path
) -> Planning:
    db = database.open("notify")
    await support.seed(db, support.agencies(), tmp_path)
    folder = Path(environment["HARTLINE_NOTIFY_KEYS"])
    clerk = Clerk(Sealer(Keyring.load(folder)), Committer.load(folder))
    return Planning(db, clerk=clerk)


def run(
    environment: dict[str, str], *arguments: str, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    return warm.run("services.notify", ("routing", *arguments), environment, typed)


async def test_explain_says_why_each_was_told(
    planning: Planning, environment: dict[str, str]
) -> None:
    data = planning.announce()
    await planning.plan(data)
    done = run(environment, "explain", data.referral_id)
    assert done.returncode == 0, done.stderr
    assert "Example Agency 0: incident town, CGS 17a-101b(c)" in done.stdout
    assert len(done.stdout.splitlines()) == 6
    assert "hart_director: review: The HART Director or designee reviews it" in done.stdout
    assert run(environment, "explain", "ref_" + "0" * 32).returncode == 1


async def test_what_if_reads_facts_and_says_who_at_once_and_who_later(
    planning: Planning, environment: dict[str, str]
) -> None:
    trooper = {"kind": "state_trooper"}
    typed = json.dumps({"children": [{"ht_type": "sex", "implicated": [trooper]}]})
    done = run(environment, "what-if", typed=typed)
    assert done.returncode == 0, done.stderr
    assert "Example Agency 1: town unresolved, and implicated in a conflict" in done.stdout
    assert "If it is accepted:" in done.stdout
    assert "To find out: child_1: no town of Connecticut is known" in done.stdout
    wrong = run(environment, "what-if", typed='{"children": [{"ht_type": "secret-typo"}]}')
    assert wrong.returncode == 2
    assert "children.0.ht_type" in wrong.stderr
    assert "secret-typo" not in wrong.stderr


CHILD = {"ht_type": "sex", "residence_town": "Ansonia", "residence_state": "CT"}
TYPED = json.dumps({"children": [CHILD]})
DIRECTOR = """  - id: careline.hart_director
    trigger: careline
    role: hart_director
    select: statewide
    kind: hart_director
    profile: hart
    citation: DCF Policy 21-14
    purpose: Human Anti-trafficking Response Team oversight
    because: "{agency}: a rule of the test, {citation}"

"""


def rules(version: str, added: str = DIRECTOR) -> str:
    """The shipped file, and that the Careline's referrals go to the HART Director as well."""
    shipped = DCF_737.read_text().replace(load_rulebook().version, version)
    return shipped.replace("  - id: careline.fbi\n", f"{added}  - id: careline.fbi\n")


async def adopt(planning: Planning, text: str, effective: date) -> None:
    version = read_rulebook(text, "a test").version
    async with planning.db.transaction() as session:
        assert await store.adopt(session, version, text, effective, "prp_one", utc_now())


async def test_what_if_goes_by_the_rules_in_force_on_the_day(
    planning: Planning, environment: dict[str, str]
) -> None:
    day = today(utc_now()) + timedelta(days=30)
    await adopt(planning, rules("test-1"), day)
    now = run(environment, "what-if", typed=TYPED)
    assert f"Rules {load_rulebook().version}, directory" in now.stdout, now.stderr
    assert "a rule of the test" not in now.stdout
    for asked in (("--as-of", day.isoformat()), ()):
        typed = TYPED if asked else json.dumps({"children": [CHILD], "as_of": day.isoformat()})
        then = run(environment, "what-if", *asked, typed=typed)
        assert "Rules test-1, directory" in then.stdout, then.stderr
        assert "Example Agency 6: a rule of the test, DCF Policy 21-14" in then.stdout


async def test_what_if_compares_a_file_with_the_rules_in_force(
    planning: Planning, environment: dict[str, str], tmp_path: Path
) -> None:
    await adopt(planning, rules("test-1"), today(utc_now()))
    (tmp_path / "proposed.yaml").write_text(rules("test-2", ""))
    done = run(environment, "what-if", "--rules", str(tmp_path / "proposed.yaml"), typed=TYPED)
    assert done.returncode == 0, done.stderr
    assert "a rule of the test" not in done.stdout
    assert "Compared with rules test-1, in force:" in done.stdout
    assert "- received: told Example Agency 6 (profile hart, form dcf_737): 1" in done.stdout


async def test_replay_shows_what_a_rules_file_would_change_and_no_fact_of_anybody(
    planning: Planning, environment: dict[str, str], tmp_path: Path
) -> None:
    for ht_type in (HtType.SEX, HtType.LABOR):
        await planning.plan(planning.announce(Child(ht_type=ht_type)))
    same = run(environment, "replay", "--rules", str(DCF_737))
    assert same.returncode == 0, same.stderr
    assert "2 referral versions replayed, 0 differ." in same.stdout
    cited = "CGS 17a-106a\n    purpose: Multi"
    text = rules("test-1").replace(cited, f"CGS 1-2; {cited}", 1)
    (tmp_path / "proposed.yaml").write_text(text)
    done = run(environment, "replay", "--rules", str(tmp_path / "proposed.yaml"), "--each")
    assert done.returncode == 0, done.stderr
    title = f"Rules test-1 in place of {load_rulebook().version}, each by the directory of its day."
    assert title in done.stdout
    assert "2 referral versions replayed, 2 differ." in done.stdout
    assert "+ received: told Example Agency 6 (profile hart, form dcf_737): 2" in done.stdout
    assert (
        "~ received: told Example Agency 5 (authority CGS 17a-106a; CGS 17a-28 becomes "
        "CGS 1-2; CGS 17a-106a; CGS 17a-28): 2" in done.stdout
    )
    assert "Rule + careline.hart_director is new" in done.stdout
    assert "2 of 2" in done.stderr
    assert "Ansonia" not in done.stdout + done.stderr


async def test_replay_compares_with_the_rules_in_force_on_the_day(
    planning: Planning, environment: dict[str, str], tmp_path: Path
) -> None:
    await planning.plan(planning.announce(Child()))
    day = today(utc_now()) + timedelta(days=30)
    await adopt(planning, rules("test-1"), day)
    file = tmp_path / "proposed.yaml"
    file.write_text(rules("test-2"))
    now = run(environment, "replay", "--rules", str(file))
    assert f"Rules test-2 in place of {load_rulebook().version}" in now.stdout, now.stderr
    assert "1 referral versions replayed, 1 differ." in now.stdout
    then = run(environment, "replay", "--rules", str(file), "--as-of", day.isoformat())
    assert f"Rules test-2 in place of test-1, each by the directory of {day}." in then.stdout
    assert "1 referral versions replayed, 0 differ." in then.stdout


async def test_replay_takes_the_sample_year_where_few_referrals_are_on_record_or_it_is_asked_for(
    planning: Planning, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "proposed.yaml"
    file.write_text(rules("test-1"))
    made_up = "212 made-up referrals of the sample year replayed, 170 differ."
    none = run(environment, "replay", "--rules", str(file))
    assert "No referral is on record that can be replayed." in none.stdout, none.stderr
    assert made_up in none.stdout
    assert "+ received: told Example Agency 6 (profile hart, form dcf_737): 1" in none.stdout
    await planning.plan(planning.announce(Child()))
    few = run(environment, "replay", "--rules", str(file)).stdout
    assert "1 referral versions replayed, 1 differ." in few
    assert f"Beside them: {made_up}" in few
    asked = run(environment, "replay", "--rules", str(file), "--sample-year")
    assert made_up in asked.stdout
    assert "212 of 212" in asked.stderr
    assert len(await planning.rows(models.plans)) == 1
