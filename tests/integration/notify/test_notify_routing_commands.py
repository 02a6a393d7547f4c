"""`python -m services.notify routing …`: explain, what-if and replay, as an operator runs them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from services.notify.commitment import Committer
from services.notify.drafting import Clerk
from services.notify.rulebook import DCF_737
from shared.contracts.codes import HtType
from shared.runtime import keys
from shared.runtime.sealing import Keyring, Sealer
from tests.support import planning as support
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
    command = [sys.executable, "-m", "services.notify", "routing", *arguments]
    return subprocess.run(
        command,
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


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


async def test_replay_shows_what_a_rules_file_would_change_and_no_fact_of_anybody(
    planning: Planning, environment: dict[str, str], tmp_path: Path
) -> None:
    for ht_type in (HtType.SEX, HtType.LABOR):
        await planning.plan(planning.announce(Child(ht_type=ht_type)))
    same = run(environment, "replay", "--rules", str(DCF_737))
    assert same.returncode == 0, same.stderr
    assert "2 referral versions replayed, 0 differ." in same.stdout
    proposed = yaml.safe_load(DCF_737.read_text())
    proposed["version"] = "proposed"
    for rule in proposed["rules"]:
        if rule["id"] == "careline.local_police.labor":
            rule["profile"] = "mdt"
    (tmp_path / "proposed.yaml").write_text(yaml.safe_dump(proposed))
    done = run(environment, "replay", "--rules", str(tmp_path / "proposed.yaml"), "--each")
    assert done.returncode == 0, done.stderr
    assert "2 referral versions replayed, 1 differ." in done.stdout
    assert "- told       Example Agency 0 (profile law_enforcement): 1" in done.stdout
    assert "+ refused    Example Agency 0: 1" in done.stdout
    assert "2 of 2" in done.stderr
    assert "Ansonia" not in done.stdout + done.stderr
