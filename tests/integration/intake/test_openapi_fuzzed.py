"""Schemathesis over the published document, against intake as a process: no 5xx, no undocumented
answer, and nothing that the document rules out is taken."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from deploy.machine.home import ROOT
from services.intake.openapi.document import OPERATIONS, load_examples
from services.intake.openapi.operations import Operation
from tests.support.databases import FreshDatabase
from tests.support.intake import Keys
from tests.support.intake_process import intake_process
from tests.support.story import Teller, content

CHECKS = {
    # The tokens, methods and ids that nobody may use have tests of their own.
    "ignored_auth": {"enabled": False},
    "unsupported_method": {"enabled": False},
    "use_after_free": {"enabled": False},
    # What a schema cannot say (contradictions.py) is refused too.
    "positive_data_acceptance": {"enabled": False},
    "negative_data_rejection": {"expected-statuses": ["4XX"]},
    "missing_required_header": {"expected-statuses": ["4XX"]},
}
SCHEMA = schemathesis.openapi.from_path(
    ROOT / "docs" / "openapi" / "intake.json",
    config=schemathesis.Config.from_dict({"checks": CHECKS}),
)
_ID = re.compile(r"[a-z]{3}_[0-9a-f]{32}")
EXAMPLES = settings(
    max_examples=3,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""Few of each kind, for seventy operations; deterministic, so that a run is a check."""


@dataclass
class World:
    """The process, and what the story has left in it."""

    url: str
    keys: Keys
    ids: list[str]
    session: requests.Session


@pytest.fixture(scope="module")
def world(
    module_database: FreshDatabase, intake_keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    process = intake_process(module_database, intake_keys, tmp_path_factory.mktemp("fuzzed"))
    try:
        asyncio.run(process.start("api"))
        with requests.Session() as session:
            yield World(process.url, intake_keys, _tell(process.url, intake_keys), session)
    finally:
        process.kill()


def _tell(url: str, keys: Keys) -> list[str]:
    """Send the examples, as far as they go without the sweep; the ids that came of it."""

    def bearer(subject: str, scopes: list[str], person: bool) -> Mapping[str, str]:
        return keys.bearer(subject, scopes, person=person)

    teller = Teller(bearer)
    with httpx.Client(base_url=url) as client:
        for number, example in enumerate(load_examples()):
            request = teller.request(example, number)
            answer = client.request(
                request.method, request.url.raw_path.decode(), headers=request.headers,
                content=request.content,
            )  # fmt: skip
            teller.learn(example["answer"], content(answer))
    return list(teller.real.values())


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
def test_no_answer_is_a_server_error_or_undocumented(
    world: World, operation: Operation, mode: GenerationMode
) -> None:
    strategy = SCHEMA[operation.path][operation.method].as_strategy(generation_mode=mode)
    example = next(each for each in load_examples() if each["operation"] == operation.id)
    bearer = world.keys.bearer(example["as"], [operation.scopes[0]], person=True)

    @EXAMPLES
    @given(case=strategy, data=st.data())
    def sends(case: Case[Any], data: st.DataObject) -> None:
        case.path_parameters = _alive(case.path_parameters, world, data)
        case.body = _alive(case.body, world, data)
        answer = case.call(base_url=world.url, session=world.session, headers=bearer)
        case.validate_response(answer, headers=bearer)

    sends()


def _alive(value: Any, world: World, data: st.DataObject) -> Any:
    """The same, with an id that exists in place of each that is only well-formed."""
    if isinstance(value, dict):
        return {name: _alive(item, world, data) for name, item in value.items()}
    if isinstance(value, list):
        return [_alive(item, world, data) for item in value]
    if isinstance(value, str) and _ID.fullmatch(value):
        return data.draw(st.sampled_from(world.ids))
    return value
