"""Every example of the OpenAPI document, sent to the real app: it says what the document says."""

import json
import os
from collections.abc import Mapping
from typing import Any

import httpx
import jsonschema
import pytest
import yaml

from deploy.machine.home import ROOT
from services.intake.api import Desk
from services.intake.openapi.document import EXAMPLES, OPERATIONS, document, load_examples
from services.intake.versions import Announcing
from tests.support.intake import BASE, Keys, app_on
from tests.support.story import BY_ID, Scribe, Teller, content, form

_RECORD = os.environ.get("RECORD_EXAMPLES") == "1"


@pytest.fixture
def teller(intake_keys: Keys) -> Teller:
    def bearer(subject: str, scopes: list[str], person: bool) -> Mapping[str, str]:
        return intake_keys.bearer(subject, scopes, person=person)

    return Teller(bearer)


@pytest.fixture
def transport(desk: Desk, intake_keys: Keys) -> httpx.ASGITransport:
    return httpx.ASGITransport(Announcing(app_on(desk, intake_keys)))


async def test_every_example_can_be_sent_and_answers_as_it_says(
    desk: Desk, teller: Teller, transport: httpx.ASGITransport
) -> None:
    """`RECORD_EXAMPLES=1` writes the answers anew; read the difference before you keep it."""
    scribe, told = Scribe(), []
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        for number, example in enumerate(load_examples()):
            if example["operation"] == "readCandidates":
                await desk.life.chores["index"]()
            answer = await client.send(teller.request(example, number))
            operation = BY_ID[example["operation"]]
            assert answer.status_code == operation.status, (example, answer.text)
            if _RECORD:
                recorded = scribe.write(content(answer))
                teller.learn(recorded, content(answer))
                told.append({**example, "answer": recorded})
                continue
            assert form(content(answer)) == form(example["answer"]), example["operation"]
            teller.learn(example["answer"], content(answer))
            assert ("etag" in answer.headers) == operation.etag
            assert ("location" in answer.headers) == operation.location
    if _RECORD:
        EXAMPLES.write_text(yaml.dump(told, Dumper=_Plain, sort_keys=False, width=100))


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def test_the_document_in_docs_is_the_one_that_the_code_makes() -> None:
    """`python -m services.intake.openapi > docs/openapi/intake.json`"""
    kept = json.loads((ROOT / "docs" / "openapi" / "intake.json").read_text(encoding="utf-8"))
    assert kept == document()


def test_every_operation_has_an_example_and_no_two_share_a_name() -> None:
    named = [(each["operation"], each["name"]) for each in load_examples()]
    assert len(set(named)) == len(named)
    assert {operation for operation, _ in named} == set(BY_ID)


def test_every_example_fits_the_schema_that_is_published_for_it() -> None:
    whole = document()
    for example in load_examples():
        operation = BY_ID[example["operation"]]
        if operation.takes is not None:
            _check(whole, operation.takes.name, example["body"])
        if operation.answer is not None and not isinstance(example["answer"], str):
            _check(whole, operation.answer.__name__, example["answer"])
        else:
            assert operation.texts
            assert isinstance(example["answer"], str)


def test_the_document_declares_exactly_the_routes_there_are(desk: Desk, intake_keys: Keys) -> None:
    found = app_on(desk, intake_keys).openapi()["paths"]
    there = {(method.upper(), path) for path, methods in found.items() for method in methods}
    assert {(each.method, each.path) for each in OPERATIONS} == there


async def test_an_operation_declares_its_scopes_and_who_may_not_have_them(
    intake_keys: Keys, transport: httpx.ASGITransport
) -> None:
    """P10: each is 403 without its scopes, and where it says so, to a machine."""
    nowhere = dict.fromkeys(_names(), f"ref_{'0' * 32}") | {
        "version": "1", "number": "1", "year": "2025",
    }  # fmt: skip
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        for each in OPERATIONS:
            path = each.path.format(**nowhere)
            bare = await client.request(each.method, path, headers=intake_keys.bearer(scopes=["x"]))
            assert bare.status_code == 403
            assert bare.json()["detail"] == (
                f"The token must carry the scope {' or '.join(each.scopes)}."
            )
            machine = intake_keys.bearer(scopes=[each.scopes[0]])
            answer = await client.request(each.method, path, headers=machine)
            assert (answer.status_code == 403) == each.person, each.id


def _names() -> set[str]:
    return {"referral_id", "call_id", "incident_id", "consult_id", "flag_id", "operation_id",
            "placement_id", "recusal_id", "export_id"}  # fmt: skip


def _check(whole: Mapping[str, Any], name: str, value: object) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": whole["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)
