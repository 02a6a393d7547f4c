"""The doctor's words, and when it is worried."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.operations import topics
from deploy.operations.asking import Seen, ask_all
from deploy.operations.doctor import examine, old, running
from deploy.operations.places import Place, places, read_env, write_env
from deploy.operations.saying import in_words, words
from deploy.operations.status import view
from deploy.operations.thresholds import thresholds
from deploy.topics.plan import Topic
from shared.runtime.errors import Misconfigured
from shared.runtime.findings import Finding, Level, act, clock, ending, look, well, worst
from shared.runtime.ops import Ages, Readiness, operations
from shared.runtime.server import listen, serve_on
from tests.architecture.test_alert_rules import waiting_with_a_rule

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
AGE = "hartline_oldest_age_seconds"
LIMITS = thresholds()


def test_p9_every_age_that_an_alert_knows_is_known_here_with_its_own_threshold() -> None:
    assert set(LIMITS) == waiting_with_a_rule()
    assert (LIMITS["outbox"].seconds, LIMITS["outbox"].level) == (60, Level.ACT)
    assert LIMITS["proposal"].level is Level.LOOK


def test_an_age_beyond_its_alert_is_told_with_the_page_to_open() -> None:
    seen = Seen("notify", metrics={(AGE, "outbox"): 300.0, (AGE, "inbox"): 59.0})
    (found,) = old(seen, LIMITS)
    assert (found.level, found.about) == (Level.ACT, "notify, outbox")
    assert found.says.endswith("The oldest has waited 5 min.")
    assert "docs/runbook.md" in found.do
    assert "OutboxWaits" in found.do


def test_what_is_not_ready_is_wrong_now() -> None:
    found = running(Seen("notify", problems={"directory": "holds no agency."}), LIMITS)
    assert worst(found) is Level.ACT
    assert found[0].about == "notify, directory"


@pytest.mark.parametrize(
    ("seconds", "level"),
    [
        (0.0, Level.WELL),
        (0.09, Level.WELL),
        (0.5, Level.LOOK),
        (-0.5, Level.LOOK),
        (2.0, Level.ACT),
    ],
)
def test_a_clock_is_judged_by_how_far_it_is_off(seconds: float, level: Level) -> None:
    other = NOW + timedelta(seconds=seconds)
    assert clock("x", NOW, other, timedelta(0)).level is level


def test_a_slow_answer_is_no_evidence_against_a_clock() -> None:
    other = NOW + timedelta(seconds=2)
    assert clock("x", NOW, other, timedelta(seconds=2)).level is Level.WELL


@pytest.mark.parametrize(
    ("day", "level"),
    [(2, Level.ACT), (3, Level.LOOK), (31, Level.LOOK)],
)
def test_what_ends_is_told_thirty_days_before(day: int, level: Level) -> None:
    assert ending("x", "It", date(2026, 3, day), NOW.date(), "Renew it.").level is level
    assert ending("x", "It", date(2026, 4, 3), NOW.date(), "Renew it.").level is Level.WELL


def test_the_worst_decides_and_what_is_well_is_only_counted() -> None:
    found = [
        act("a", "is broken.", "Mend it."),
        look("b", "is old.", "Renew it."),
        well("c", "ok."),
    ]
    assert worst(found) == 2
    assert in_words(found, everything=False) == [
        "Something is wrong: see NOW.",
        "",
        "NOW   a: is broken.",
        "      -> Mend it.",
        "soon  b: is old.",
        "      -> Renew it.",
        "1 of 3 looks found all well. The exit code says so too: 2, which make calls an error.",
    ]
    assert in_words(found[1:], everything=False)[-1].endswith("too: 1, which make calls an error.")
    assert in_words(found[2:], everything=False)[-1] == "1 of 1 looks found all well."
    assert "well  c: ok." in in_words(found, everything=True)
    assert worst([]) == 0


def test_a_finding_survives_its_json() -> None:
    finding = look("a", "b", "c")
    assert Finding.of_json(finding.as_json()) == finding


def test_durations_are_said_as_people_say_them() -> None:
    assert [words(each) for each in (3, 300, 8000, 300_000)] == [
        "3 s",
        "5 min",
        "2 h 13 min",
        "3 days",
    ]


async def test_a_service_that_is_not_there_is_told_with_what_to_run() -> None:
    nowhere = Place("intake", "http://127.0.0.1:1", {})
    found = await examine([nowhere])
    assert (found[0].level, found[0].about) == (Level.ACT, "intake, process")
    assert "python -m services.intake.check" in found[0].do


async def test_a_service_that_cannot_start_is_told_which_setting_is_missing() -> None:
    broken = {"HARTLINE_INTAKE_DSN": "postgresql://nobody@127.0.0.1:1/none"}
    found = await examine([Place("intake", "http://127.0.0.1:1", broken)])
    says = [finding.says for finding in found]
    assert "HARTLINE_ISSUER is not set: set it." in says
    assert not any("nobody@" in each for each in says)


def test_settings_are_read_from_files_as_production_has_them(tmp_path: Path) -> None:
    (tmp_path / "hartline.environment").write_text("# all\nHARTLINE_HOST=0.0.0.0\n")
    (tmp_path / "notify.env").write_text('HARTLINE_NOTIFY_OPS_PORT="9999"\n')
    urls = {place.service: place.url for place in places(tmp_path, ["audit=http://10.0.0.4:9104/"])}
    assert urls["notify"] == "http://127.0.0.1:9999"
    assert urls["audit"] == "http://10.0.0.4:9104"
    settings = {"HARTLINE_A": "x=y", "PATH": "/bin"}
    (tmp_path / "a").write_text(write_env(settings))
    assert read_env(tmp_path / "a") == {"HARTLINE_A": "x=y"}


def test_a_broken_settings_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "intake.env").write_text("HARTLINE_HOST=x\nnonsense\n")
    with pytest.raises(Misconfigured, match=r"intake\.env, line 2: write it as NAME=VALUE"):
        places(tmp_path, [])
    with pytest.raises(Misconfigured, match="SERVICE=http://HOST:PORT"):
        places(None, ["nobody=http://x"])


AS_WANTED = {"cleanup.policy": "delete", "retention.ms": "1000", "min.insync.replicas": "1"}
WANTED = Topic(6, 1, AS_WANTED)


def test_topics_as_the_file_says_or_safer_are_well() -> None:
    safer = AS_WANTED | {"retention.ms": "-1", "min.insync.replicas": "2", "segment.ms": "9"}
    for has in (WANTED, Topic(6, 3, safer)):
        found = topics.differences({"referrals": WANTED}, {"referrals": has})
        assert worst(found) is Level.WELL


@pytest.mark.parametrize(
    ("has", "says", "level"),
    [
        (None, "referrals does not exist.", Level.ACT),
        (Topic(3, 1, AS_WANTED), "referrals has 3 partitions and not 6", Level.LOOK),
        (Topic(6, 1, AS_WANTED | {"retention.ms": "10"}), "ms is 10, not 1000.", Level.ACT),
        (Topic(6, 1, AS_WANTED | {"retention.ms": "?"}), "ms is ?, not 1000.", Level.ACT),
        (Topic(6, 1, {**AS_WANTED, "cleanup.policy": "compact"}), "policy is compact", Level.ACT),
        (Topic(6, 1, {}), "min.insync.replicas is not set, not 1.", Level.ACT),
        (Topic(6, 1, AS_WANTED, behind=True), "has replicas that are behind.", Level.LOOK),
    ],
)
def test_a_topic_that_is_otherwise_is_told(has: Topic | None, says: str, level: Level) -> None:
    there = {} if has is None else {"referrals": has}
    found = topics.differences({"referrals": WANTED}, there)
    assert any(says in finding.says for finding in found)
    assert worst(found) is level


def test_a_topic_with_fewer_replicas_than_the_file_says_is_to_be_acted_on() -> None:
    found = topics.differences({"referrals": replace(WANTED, replicas=3)}, {"referrals": WANTED})
    assert worst(found) is Level.ACT
    assert "referrals has 1 replicas and not 3" in found[0].says


def another(run: str | None) -> AbstractAsyncContextManager[Place]:
    """A notify of the run named so, and our settings of where notify is."""
    return serving(operations("notify", Readiness(), Ages("notify"), run=run))


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[Place]:
    with listen("127.0.0.1", 0) as listener:
        stop = asyncio.Event()
        task = asyncio.create_task(serve_on(app, listener, stop))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield Place("notify", url, {"HARTLINE_RUN": "ours"})
        stop.set()
        await task


async def test_what_another_run_says_is_never_taken_for_ours() -> None:
    async with another("theirs") as place:
        found = await examine([place])
        (seen,) = await ask_all([place], checks=False)
    assert (found[0].level, found[0].about) == (Level.ACT, "notify, process")
    assert "another run of Hartline answers there" in found[0].says
    assert "DOWN    notify" in "\n".join(view([seen], LIMITS, NOW))
    assert (seen.metrics, seen.way) == ({}, None)


@pytest.mark.parametrize("run", ["ours", None])
async def test_our_own_run_is_believed_and_one_of_a_version_before(run: str | None) -> None:
    async with another(run) as place:
        (seen,) = await ask_all([place], checks=False)
    assert seen.silent is None


async def test_a_program_that_is_not_ours_is_not_said_to_be_silent() -> None:
    async def ready(_: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async with serving(Starlette(routes=[Route("/readyz", ready)])) as place:
        found = await examine([place])
    assert "what answers there is no operations port of Hartline's" in found[0].says
    assert "`make down` and `make up` take ports that nobody has" in found[0].do
