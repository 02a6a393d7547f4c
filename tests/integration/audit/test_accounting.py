"""Who saw a child's information, when, and by what right (CGS 4-193, DOMAIN A3.14; C35)."""

import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pypdfium2
import pytest
from sqlalchemy import text

from services.audit.api import routes
from services.audit.proofs import verify_proof
from services.audit.sealer import Sealer
from services.audit.wiring import area_routes
from shared.contracts.codes import Channel
from shared.contracts.disclosures import DisclosuresFailed, DisclosuresUnknown
from shared.runtime.auth import TokenVerifier
from shared.runtime.db import Database
from shared.runtime.http import create_app
from shared.runtime.ids import new_id
from tests.integration.audit.conftest import ISSUER, Tokens
from tests.support import accounting as support
from tests.support.accounting import AT, POLICE, FakeNames, FakePeople, Log
from tests.support.audit import signer

SCOPES = ("accounting:read", "accounting:withhold")
ASKED = "purpose=subject_request"


@dataclass
class Office:
    """The compliance officer's desk, on a real log."""

    log: Log
    client: httpx.AsyncClient
    tokens: Tokens
    people: FakePeople = field(default_factory=FakePeople)
    names: FakeNames = field(default_factory=FakeNames)
    now: datetime = AT + timedelta(days=30)

    def bearer(self, subject: str, **claims: Any) -> Mapping[str, str]:
        return self.tokens.bearer(SCOPES, subject, **claims)

    async def ask(self, child_id: str, query: str = "", status: int = 200) -> Any:
        answer = await self.client.get(f"/v1/accounting/{child_id}?{ASKED}&{query}")
        assert answer.status_code == status, answer.text
        return answer.json()

    async def withhold(self, child_id: str, **body: Any) -> httpx.Response:
        wanted = {"ground": "harm_to_child", "citation": "CGS 17a-28"} | body
        return await self.client.post(f"/v1/accounting/{child_id}/withholdings", json=wanted)

    async def lift(self, withholding_id: str, by: str) -> httpx.Response:
        path = f"/v1/withholdings/{withholding_id}/lifting"
        return await self.client.post(path, headers=self.bearer(by))

    async def records(self, kind: str) -> list[dict[str, Any]]:
        """What is on its way into the log."""
        async with self.log.db.transaction() as session:
            rows = await session.execute(
                text("SELECT leaf FROM audit.submissions WHERE kind = :kind ORDER BY id"),
                {"kind": kind},
            )
            return [json.loads(row.leaf)["record"] for row in rows]


@pytest.fixture
async def office(db: Database, sealer: Sealer, tokens: Tokens) -> AsyncIterator[Office]:
    app = create_app("audit under test", TokenVerifier(tokens.jwks, ISSUER))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://audit.test",
        headers=tokens.bearer(SCOPES),
    ) as client:
        office = Office(Log(db, sealer), client, tokens)
        for router in area_routes(db, office.people, office.names, 5, lambda: office.now):
            app.include_router(router)
        app.include_router(routes(db))
        yield office


@dataclass
class Story:
    """One person in two referrals, a sibling, and everything that can happen to their record."""

    office: Office
    first: str = field(default_factory=lambda: new_id("chd"))
    again: str = field(default_factory=lambda: new_id("chd"))
    sibling: str = field(default_factory=lambda: new_id("chd"))
    ref: str = field(default_factory=lambda: new_id("ref"))
    later: str = field(default_factory=lambda: new_id("ref"))
    call: str = field(default_factory=lambda: new_id("cal"))

    async def tell(self) -> "Story":
        office = self.office
        office.people.person(self.first, self.again, referral_id=self.ref, calls=[self.call])
        office.people.person(self.sibling, referral_id=self.ref)
        arrived = support.attempted(self.ref, self.first)
        lost = support.attempted(self.ref, self.first)
        unsent = support.attempted(self.later, self.again)
        mailbox = support.attempted(self.later, self.again, channel=Channel.MAILBOX)
        await office.log.happened(
            support.call_viewed(self.call),
            arrived,
            lost,
            support.ended(arrived),
            support.ended(lost, DisclosuresUnknown, None),
            unsent,
            support.ended(unsent, DisclosuresFailed, None),
            mailbox,
            support.ended(mailbox, status=None),
            support.refused(self.ref, self.first),
            support.viewed(self.ref, self.first, self.sibling),
            support.told(self.ref, self.first),
            support.attempted(self.ref, self.sibling),
        )
        return self


@pytest.fixture
async def story(office: Office) -> Story:
    return await Story(office).tell()


async def test_an_accounting_spans_the_referrals_that_a_person_confirmed_to_be_about_one_child(
    office: Office, story: Story
) -> None:
    made = await office.ask(story.again)
    assert Counter((row["how"], row["outcome"]) for row in made["rows"]) == {
        ("internal_read", "disclosed"): 2,
        ("webhook", "disclosed"): 1,
        ("webhook", "unknown"): 1,
        ("webhook", "not_sent"): 1,
        ("mailbox", "disclosed"): 1,
        ("webhook", "refused"): 1,
        ("oral", "disclosed"): 1,
    }
    assert made["children"] == [story.again, story.first]
    assert {row["referral_id"] for row in made["rows"]} == {story.ref, story.later, None}


async def test_a_row_says_who_what_when_by_what_right_and_as_of_which_rules_and_directory(
    office: Office, story: Story
) -> None:
    made = await office.ask(story.first)
    row = next(each for each in made["rows"] if each["http_status"] == 200)
    assert row | {"id": "", "entries": []} == {
        "id": "", "how": "webhook", "outcome": "disclosed", "at": "2026-03-02T19:07:00Z",
        "entries": [], "referral_id": story.ref, "child_ids": [story.first],
        "agency_id": POLICE, "agency": "Example Police", "role": "local_law_enforcement",
        "recipient_id": None, "actor": None, "actor_kind": None, "fields": list(support.FIELDS),
        "authority": "CGS 17a-101b(c)", "purpose": "Notification by DCF-737", "reason": None,
        "rule": "incident_town", "rules_version": "dcf_737/3", "directory_version": 4,
        "version": 1, "http_status": 200, "reporter_protected": False,
        "withheld_from_others": None,
    }  # fmt: skip
    assert len(row["entries"]) == 2


async def test_every_row_comes_with_proofs_that_a_stranger_can_verify(
    office: Office, story: Story
) -> None:
    """P7."""
    made = await office.ask(story.first, "proofs=true")
    proven = {each["index"]: each for each in made["proofs"]}
    assert set(proven) == {index for row in made["rows"] for index in row["entries"]}
    for index, each in proven.items():
        leaf = base64.b64decode(each["leaf"])
        assert verify_proof(each["proof"].encode(), leaf, [signer(1).public])[0] == index


async def test_p2_the_question_is_an_entry_of_this_childs_own_accounting(
    office: Office, story: Story
) -> None:
    await office.ask(story.first)
    (asked,) = await office.records("audit_read")
    assert asked == {
        "actor": "officer-1", "actor_kind": "person", "asked": "accounting",
        "about": story.first, "child_id": story.first, "audience": "officer",
        "purpose": "subject_request", "authority": "CGS 4-193",
    }  # fmt: skip
    await office.log.sealer.drain()
    again = await office.ask(story.again)
    assert [row["actor"] for row in again["rows"] if row["how"] == "record_read"] == ["officer-1"]


async def test_while_intake_is_away_nothing_is_answered_rather_than_half(
    office: Office, story: Story
) -> None:
    office.people.away = True
    await office.ask(story.first, status=503)


async def test_while_notify_is_away_ids_stand_for_names_and_it_says_so(
    office: Office, story: Story
) -> None:
    office.names.away = True
    made = await office.ask(story.first)
    assert made["names_known"] is False
    assert {row["agency"] for row in made["rows"]} == {None}


async def test_c35_a_parent_who_is_the_suspect_learns_that_it_is_withheld_and_why_and_no_more(
    office: Office, story: Story
) -> None:
    made = await office.ask(story.first, "audience=suspect&proofs=true")
    assert (made["rows"], made["proofs"]) == ([], [])
    assert made["withheld"] == [
        {"ground": "requester_is_suspect", "citation": "CGS 17a-28", "rows": 8}
    ]
    assert made["children"] == [story.first], "not even that there is another referral"
    betrays = (story.again, story.later, POLICE, "Example Police", "worker-7", "2026-03-02")
    assert [each for each in betrays if each in json.dumps(made)] == []


async def test_c35_the_letter_to_the_suspect_cites_the_law_and_names_nobody(
    office: Office, story: Story
) -> None:
    said = await letter(office, story.first, "suspect")
    assert "8 entries are withheld because whoever asks is alleged" in said
    assert "CGS 17a-28" in said
    assert [w for w in ("Example Police", "worker-7", "webhook", story.again) if w in said] == []


async def test_c35_the_childs_own_copy_shows_who_was_told_and_protects_the_reporter(
    office: Office, story: Story
) -> None:
    made = await office.ask(story.first, "audience=subject&proofs=true")
    assert {row["agency"] for row in made["rows"]} >= {"Example Police"}
    assert not any("reporter" in name for row in made["rows"] for name in row["fields"])
    assert any(row["reporter_protected"] for row in made["rows"])
    leaves = b"".join(base64.b64decode(each["leaf"]) for each in made["proofs"])
    assert b"reporter" not in leaves, "a proof must not say what the row leaves out"


async def test_p4_no_copy_given_out_names_another_child(office: Office, story: Story) -> None:
    for audience in ("subject", "parent"):
        made = await office.ask(story.first, f"audience={audience}&proofs=true")
        leaves = b"".join(base64.b64decode(each["leaf"]) for each in made["proofs"])
        assert story.sibling not in json.dumps(made)
        assert story.sibling.encode() not in leaves


async def test_c35_what_a_named_person_withholds_is_left_out_with_its_reason_until_two_lift_it(
    office: Office, story: Story
) -> None:
    rows = (await office.ask(story.first, "audience=parent"))["rows"]
    (oral,) = [row["id"] for row in rows if row["how"] == "oral"]
    held = (await office.withhold(story.first, disclosure_ids=[oral])).json()
    assert held["withheld_by"] == "officer-1"
    made = await office.ask(story.first, "audience=parent")
    assert made["withheld"] == [{"ground": "harm_to_child", "citation": "CGS 17a-28", "rows": 1}]
    assert oral not in json.dumps(made)
    whole = await office.ask(story.first)
    marked = [row["id"] for row in whole["rows"] if row["withheld_from_others"]]
    assert marked == [oral]

    first = await office.lift(held["withholding_id"], "officer-1")
    assert (first.json()["lift_asked_by"], first.json()["lifted_at"]) == ("officer-1", None)
    assert (await office.lift(held["withholding_id"], "officer-1")).status_code == 409
    assert (await office.ask(story.first, "audience=parent"))["withheld"] != []
    assert (await office.lift(held["withholding_id"], "officer-2")).status_code == 200
    assert (await office.ask(story.first, "audience=parent"))["withheld"] == []
    decided = [each["decided"] for each in await office.records("decided")]
    assert decided == ["withheld", "lift_asked", "lifted"]


async def test_c35_a_suspension_ends_by_itself_and_is_then_shown_as_due(
    office: Office, story: Story
) -> None:
    until = office.now + timedelta(days=10)
    asked = {"ground": "law_enforcement_request", "agency_id": POLICE}
    held = await office.withhold(story.first, **asked, until=until.isoformat())
    assert held.status_code == 201, held.text
    made = await office.ask(story.first, "audience=subject")
    assert {each["ground"] for each in made["withheld"]} == {"law_enforcement_request"}
    assert made["suspended_until"] is None, "to whom it is withheld nobody says until when"
    assert (await office.ask(story.first))["suspended_until"] is not None
    office.now = until
    assert (await office.ask(story.first, "audience=subject"))["withheld"] == []
    (listed,) = (await office.client.get("/v1/withholdings")).json()["withholdings"]
    assert listed["due"] is True
    settled = await office.lift(listed["withholding_id"], "officer-1")
    assert settled.json()["lifted_at"] is not None, "one person settles what has expired"
    assert (await office.client.get("/v1/withholdings")).json()["withholdings"] == []


async def test_a_withholding_is_refused_with_a_pointer_and_no_value(
    office: Office, story: Story
) -> None:
    for body, pointer in (
        ({"citation": "because Example Person says so"}, "#/citation"),
        ({"until": "2027-01-01T00:00:00Z"}, "#/until"),
        ({"until": "9999-12-31T23:59:59-14:00"}, "#/until"),
        ({"ground": "law_enforcement_request"}, "#/until"),
        ({"ground": "example"}, "#/ground"),
    ):
        answer = await office.withhold(story.first, **body)
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
        assert "Example" not in answer.text


async def test_the_letter_says_in_words_who_what_when_and_where_it_stands_in_the_log(
    office: Office, story: Story
) -> None:
    said = await letter(office, story.first, "subject")
    for words in (
        "Example Police (local law enforcement)",
        "March 2, 2026, 2:07:00 PM EST",
        "CGS 17a-101b(c)",
        "It counts as disclosed",
        "rules dcf_737/3, directory 4",
        "CGS 17a-28(f)",
        "Its signed head",
    ):
        assert words in said, words
    assert "reporter.name" not in said


async def test_search_finds_by_every_facet_and_their_combination_in_pages(
    office: Office, story: Story
) -> None:
    async def found(**wanted: Any) -> list[int]:
        indexes: list[int] = []
        after: int | None = -1
        while after is not None:
            body = {"purpose": "investigation", "limit": 2, "after": after} | wanted
            answer = await office.client.post("/v1/search", json=body)
            assert answer.status_code == 200, answer.text
            indexes += [each["index"] for each in answer.json()["found"]]
            after = answer.json()["next"]
        return indexes

    everything = await found()
    assert everything == list(range(13))
    assert len(await found(subject=story.first)) == 7
    assert len(await found(subject=story.ref)) == 8
    police = await found(agency_id=POLICE)
    assert len(police) == 5
    assert await found(agency_id=POLICE, subject=story.sibling) == [12]
    assert await found(actor="careline-2") == [0]
    assert await found(authority="CGS 17a-28") == [11]
    assert await found(authority="CGS 17a-28", actor="careline-2") == []
    assert await found(before="2020-01-01T00:00:00Z") == []
    assert await found(since="2020-01-01T00:00:00Z") == everything
    assert await found(since="2100-01-01T00:00:00Z") == []


async def test_p5_what_was_searched_is_on_record_and_what_was_typed_is_not(
    office: Office, story: Story
) -> None:
    body = {
        "purpose": "investigation",
        "subject": story.first,
        "actor": "Example.Person",
        "authority": "Example Person said so",
    }
    assert (await office.client.post("/v1/search", json=body)).status_code == 200
    (asked,) = await office.records("audit_read")
    assert (asked["asked"], asked["child_id"]) == ("search", story.first)
    assert set(asked["searched"]) == {"subject", "actor", "authority"}
    assert "Example" not in json.dumps(asked)


async def test_p10_only_a_person_with_the_scope_who_says_why_gets_an_answer(
    office: Office, story: Story
) -> None:
    path = f"/v1/accounting/{story.first}"
    client, tokens = office.client, office.tokens
    assert (await client.get(path)).status_code == 422, "a purpose is required"
    assert (await client.get(f"{path}?purpose=Example")).status_code == 422
    for headers, status in (
        ({"Authorization": ""}, 401),
        (tokens.bearer(["audit:read"]), 403),
        (tokens.bearer(SCOPES, person=False), 403),
    ):
        assert (await client.get(f"{path}?{ASKED}", headers=headers)).status_code == status
    unknown = await client.get(f"/v1/accounting/chd_{0:032x}?{ASKED}")
    malformed = await client.get(f"/v1/accounting/Example?{ASKED}")
    assert (unknown.status_code, malformed.content) == (404, unknown.content)
    assert [each["about"] for each in await office.records("audit_read")] == [f"chd_{0:032x}"]


async def test_nobody_changes_what_an_entry_is_found_by(office: Office, story: Story) -> None:
    for statement in ('UPDATE audit.traces SET "index" = 0', "DELETE FROM audit.traces"):
        with pytest.raises(Exception, match="permission denied"):
            async with office.log.db.transaction() as session:
                await session.execute(text(statement))


async def letter(office: Office, child_id: str, audience: str) -> str:
    answer = await office.client.get(
        f"/v1/accounting/{child_id}/letter?{ASKED}&audience={audience}"
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    document = pypdfium2.PdfDocument(answer.content)
    said = "\n".join(page.get_textpage().get_text_range() for page in document)
    return " ".join(said.split())


async def test_c35_what_is_withheld_is_withheld_under_every_id_of_the_person(
    office: Office, story: Story
) -> None:
    assert (await office.withhold(story.first)).status_code == 201
    for child in (story.first, story.again):
        made = await office.ask(child, "audience=subject")
        assert (made["rows"], sum(each["rows"] for each in made["withheld"])) == ([], 8)


async def test_c35_a_withholding_of_nothing_is_refused(office: Office, story: Story) -> None:
    assert (await office.withhold(f"chd_{0:032x}")).status_code == 404
    known = (await office.ask(story.sibling))["rows"][-1]["id"]
    for unknown in (new_id("dsc"), known):
        answer = await office.withhold(story.first, disclosure_ids=[unknown])
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json()["errors"]] == ["#/disclosure_ids/0"]
        assert unknown not in answer.text
    assert (await office.client.get("/v1/withholdings")).json()["withholdings"] == []


async def test_c35_every_kind_of_row_can_be_withheld_by_its_id(
    office: Office, story: Story
) -> None:
    await office.ask(story.first)
    await office.log.sealer.drain()
    rows = (await office.ask(story.first))["rows"]
    assert {"record_read"} <= {row["how"] for row in rows}
    for row in rows:
        held = await office.withhold(story.first, disclosure_ids=[row["id"]])
        assert held.status_code == 201, (row["how"], held.text)
    assert (await office.ask(story.first, "audience=subject"))["rows"] == []


async def test_a_read_of_a_case_flag_is_in_the_accounting_of_whom_it_speaks_of(
    office: Office, story: Story
) -> None:
    flag = new_id("rec")
    office.people.person(story.first, referral_id=story.ref, records=[flag])
    await office.log.happened(support.record_viewed(flag))
    rows = (await office.ask(story.first))["rows"]
    assert [row["actor"] for row in rows if row["fields"] == ["content"]] == ["director-1"]


async def test_whoever_a_search_or_a_list_names_has_it_in_their_accounting(
    office: Office, story: Story
) -> None:
    """CGS 4-193(c)."""
    wanted = {"purpose": "court_order", "agency_id": POLICE}
    snoop, lister = office.bearer("snoop"), office.bearer("lister")
    assert (await office.client.post("/v1/search", json=wanted, headers=snoop)).status_code == 200
    await office.withhold(story.sibling)
    await office.client.get("/v1/withholdings", headers=lister)
    await office.log.sealer.drain()
    assert await readers(office, story.sibling) == {("snoop", "court_order"),
                                                    ("lister", "compliance_review")}  # fmt: skip
    assert await readers(office, story.first) == {("snoop", "court_order")}
    made = await office.ask(story.first, "audience=subject")
    assert story.sibling not in json.dumps(made), "P4"


async def test_whose_entry_proof_or_disclosure_is_read_has_it_in_their_accounting(
    office: Office, story: Story
) -> None:
    """CGS 4-193(c). A call has no child of its own, and is in the accounting of whom it became."""
    row = next(r for r in (await office.ask(story.first))["rows"] if r["http_status"] == 200)
    call = next(r for r in (await office.ask(story.first))["rows"] if r["actor"] == "careline-2")
    await office.log.sealer.drain()
    paths = {
        "reader-1": f"entries/{row['entries'][0]}",
        "reader-2": f"entries/{row['entries'][1]}/proof",
        "reader-3": f"disclosures/{row['id']}",
        "reader-4": f"entries/{call['entries'][0]}",
    }
    for reader, path in paths.items():
        bearer = office.tokens.bearer(["audit:read"], reader)
        assert (await office.client.get(f"/v1/{path}", headers=bearer)).status_code == 200
    await office.log.sealer.drain()
    assert {reader for reader, _ in await readers(office, story.first)} >= set(paths)
    assert {reader for reader, _ in await readers(office, story.sibling)}.isdisjoint(paths)


async def readers(office: Office, child_id: str) -> set[tuple[str, str]]:
    rows = (await office.ask(child_id))["rows"]
    return {(row["actor"], row["purpose"]) for row in rows if row["how"] == "record_read"}
