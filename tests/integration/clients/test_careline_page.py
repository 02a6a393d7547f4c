"""docs/careline.md: its commands are run as they stand, against intake in a sandbox."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from deploy.machine.home import ROOT
from services.intake.openapi.document import problems
from services.intake.versions import DEPRECATIONS
from tests.support.databases import FreshDatabase
from tests.support.intake import Keys
from tests.support.intake_process import intake_process

PAGE = (ROOT / "docs" / "careline.md").read_text(encoding="utf-8")
SCOPES = "referrals:create referrals:amend referrals:status calls:write calls:status"


def blocks(language: str) -> str:
    """Every block of the page in that language, as one script."""
    return "\n".join(
        re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    )


@pytest.fixture(scope="module")
def environment(
    module_database: FreshDatabase, intake_keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    home = tmp_path_factory.mktemp("page")
    made = intake_process(module_database, intake_keys, home)
    sandbox = {**made.environment, "HARTLINE_INTAKE_SANDBOX": "true"}
    process = replace(made, environment=sandbox)
    try:
        asyncio.run(process.start("api"))
        token = intake_keys.bearer(scopes=SCOPES.split())["Authorization"].removeprefix("Bearer ")
        yield {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "clients" / "python"),
            "URL": process.url,
            "TOKEN": token,
            "SPOOL": str(home / "spool"),
            "SPOOL_KEY": "07" * 32,
        }
    finally:
        process.kill()


def run(argv: list[str], environment: Mapping[str, str], script: str) -> str:
    done = subprocess.run(
        argv, input=script, env=dict(environment), cwd=ROOT, check=False,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_curl_commands_keep_a_referral(environment: Mapping[str, str]) -> None:
    """`make token` is the one-machine run's; here it gives the token of this process."""
    asked = f'[ "$*" = "-s token SCOPE={SCOPES}" ] && echo "$TOKEN"'
    script = blocks("sh").replace("URL=http://127.0.0.1:8101\n", "")
    told = run(["bash"], environment, f"set -euo pipefail\nmake() {{ {asked}; }}\n{script}")
    assert re.search(r'"number":"HL-[0-9A-Z]{4}-[0-9A-Z]{4}"', told)


def test_the_python_commands_keep_a_call_and_a_spooled_referral(
    environment: Mapping[str, str],
) -> None:
    told = run([sys.executable, "-"], environment, blocks("python")).splitlines()
    assert told[0] == "['female', 'male', 'other', 'unknown']"
    assert re.fullmatch(r"HL-[0-9A-Z]{4}-[0-9A-Z]{4} 2", told[1])
    assert re.fullmatch(r"kept HL-[0-9A-Z]{4}-[0-9A-Z]{4}", told[2])


def test_the_page_says_what_to_do_on_every_status_there_is() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `?\w+`? \|", PAGE, flags=re.MULTILINE)
    named = {int(each) for row in rows for each in re.findall(r"\b[45]\d\d\b", row)}
    assert named == {status for status, _ in problems()} | {500}


def test_the_page_says_whether_anything_is_deprecated() -> None:
    assert ("There are none now." in PAGE) == (not DEPRECATIONS)
