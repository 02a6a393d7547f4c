"""The published vectors: what notify makes, judged alike by five independent implementations, and
`v1` by the public Standard Webhooks libraries."""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc import jwe
from joserfc.jwk import ECKey
from standardwebhooks import Webhook, WebhookVerificationError

from services.notify.delivery.signing import Signer, parse_secret_key
from services.notify.forms.kinds import FormKind
from tests.support.fixed_keys import NEW_SECRET, NEW_SENDER, OLD_SECRET
from tests.support.partner_receivers import LANGUAGES, command, tool
from tests.support.vectors import FOLDER, files

HERE = Path(__file__).parent / "standardwebhooks"
Cases = list[dict[str, Any]]


def _read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def test_the_vectors_are_what_their_program_makes() -> None:
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == files()


def test_every_kind_of_notice_is_among_them() -> None:
    names = {each["name"] for each in _read("requests.json")["requests"]}
    assert {f"dcf-737.{kind.value}" for kind in FormKind} <= names


@pytest.fixture(scope="module", params=LANGUAGES)
def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, ...]:
    return command(request.param, tmp_path_factory.mktemp("built"))


def _check(program: tuple[str, ...], *paths: Path) -> subprocess.CompletedProcess[str]:
    words = [*program, "check", *map(str, paths)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_every_receiver_judges_them_alike(program: tuple[str, ...], tmp_path: Path) -> None:
    done = _check(program, FOLDER / "requests.json", FOLDER / "standings.json")
    assert (done.returncode, done.stderr) == (0, "")
    total = sum(len(_read(f"{part}.json")[part]) for part in ("requests", "standings"))
    assert done.stdout.split() == [str(total), "vectors,", "0", "wrong"]
    # A check that finds nothing wrong must be one that can.
    wrong = _read("requests.json")
    wrong["requests"][0]["expect"] = "signature"
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    done = _check(program, tmp_path / "wrong.json")
    assert done.returncode == 1
    assert wrong["requests"][0]["name"] in done.stderr


def test_v1a_verifies_with_an_independent_ed25519() -> None:
    vectors = _read("signatures.json")
    for each in vectors["signatures"]:
        signed = f"{each['webhook-id']}.{each['webhook-timestamp']}.{each['body']}".encode()
        for whpk, signature in each["v1a"].items():
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(whpk.removeprefix("whpk_")))
            key.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)
            ours = parse_secret_key(vectors["sender_keys"][whpk])
            assert base64.b64encode(ours.sign(signed)).decode() == signature.removeprefix("v1a,")


def test_the_jwe_opens_with_a_jose_library_and_its_parts_are_those_shown() -> None:
    vector = _read("jwe.json")
    registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"], strict_check_header=False)
    key = ECKey.import_key(vector["private_key"])
    opened = jwe.decrypt_compact(vector["jwe"], key, registry=registry)
    assert opened.plaintext is not None
    assert opened.plaintext.decode() == vector["plaintext"]
    assert len(opened.plaintext) % 4096 == 0
    public = {"kty", "crv", "x", "y"}
    ephemeral = {name: vector["ephemeral_private_key"][name] for name in public}
    assert {name: opened.protected["epk"][name] for name in public} == ephemeral


def _python(cases: Cases) -> list[bool]:
    def says(each: dict[str, Any]) -> bool:
        webhook = Webhook(each["secret"])
        if not each["fresh"]:
            at = datetime.fromtimestamp(int(each["headers"]["webhook-timestamp"]), UTC)
            mac = webhook.sign(each["headers"]["webhook-id"], at, each["body"])
            return mac in each["headers"]["webhook-signature"].split()
        try:
            webhook.verify(each["body"], each["headers"])
        except WebhookVerificationError:
            return False
        return True

    return [says(each) for each in cases]


def _javascript(cases: Cases) -> list[bool]:
    node, npm = tool("node", "node"), tool("npm", "node")
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(HERE / "js", copy, dirs_exist_ok=True)
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
        _fetch([npm, "ci", *quiet], copy, "JavaScript")
        return _said([node, "verify.mjs"], copy, cases)


def _go(cases: Cases) -> list[bool]:
    go = tool("go", "go")
    _fetch([go, "mod", "download"], HERE / "go", "Go")
    return _said([go, "run", "-mod=readonly", "."], HERE / "go", cases)


def _fetch(words: list[str], where: str | Path, language: str) -> None:
    done = subprocess.run(words, cwd=where, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(
            f"Not run: the public {language} library of Standard Webhooks could not be fetched "
            f"({' '.join(words[1:3])} in {HERE.name}): try again with a network."
        )


def _said(words: list[str], where: str | Path, cases: Cases) -> list[bool]:
    done = subprocess.run(
        words,
        cwd=where,
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GOTOOLCHAIN": "local"},
    )
    assert done.returncode == 0, done.stderr
    said: list[bool] = json.loads(done.stdout)
    return said


@pytest.mark.slow
@pytest.mark.parametrize("library", [_python, _javascript, _go])
def test_v1_verifies_with_the_public_libraries(library: Callable[[Cases], list[bool]]) -> None:
    """The vectors, and what notify signs now; and they refuse what is another's or changed."""
    cases = [
        {"secret": secret, "headers": {**_headers(each), "webhook-signature": mac}, "fresh": False}
        | {"body": each["body"]}
        for each in _read("signatures.json")["signatures"]
        for secret, mac in each["v1"].items()
        # Their verify() parses the body as JSON; the vectors also hold what is none.
    ]
    now = Signer([NEW_SENDER]).headers("ntc_1", datetime.now(UTC), b'{"a":1}', NEW_SECRET)
    good = {"secret": NEW_SECRET, "headers": now, "body": '{"a":1}', "fresh": True}
    bad = [{**good, "body": '{"a":2}'}, {**good, "secret": OLD_SECRET}]
    assert library([*cases, good, *bad]) == [True] * (len(cases) + 1) + [False, False]


def _headers(vector: dict[str, Any]) -> dict[str, str]:
    return {name: vector[name] for name in ("webhook-id", "webhook-timestamp")}


def test_the_page_for_the_channel_says_what_to_do_with_every_kind() -> None:
    page = (FOLDER.parent / "encrypted.md").read_text(encoding="utf-8")
    table = page.partition("## What each kind means")[2].partition("## ")[0].partition("|---|")[2]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == set(FormKind)


def test_the_page_of_pages_leads_to_every_page_and_to_nothing_else() -> None:
    folder = FOLDER.parent
    linked = re.findall(r"\]\(([^)#]+)", (folder / "README.md").read_text(encoding="utf-8"))
    assert all((folder / each).exists() for each in linked)
    assert {each.name for each in folder.glob("*.md")} - {"README.md"} <= set(linked)
