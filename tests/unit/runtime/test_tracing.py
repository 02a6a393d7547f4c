"""Traces: what is traced, what follows what, and what may be said (P5)."""

import ast
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from deploy.machine.home import ROOT
from deploy.machine.ports import free_ports
from shared.runtime import log_events, trace_list, tracing
from shared.runtime.ids import utc_now
from shared.runtime.spans import Door, Listed, open_door

THEIRS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"{THEIRS}-01", f"{THEIRS}-00"
TRACE = THEIRS.split("-")[1]
REFERRAL = "ref_" + "0" * 32


@pytest.fixture
def exported() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    tracing.close()


def opened(
    exporter: InMemorySpanExporter,
    *,
    ratio: float = 1.0,
    trusting: bool = False,
) -> Door:
    door = Door("test", exporter, ratio=ratio, trusting=trusting)
    tracing.use(door)
    return door


def dropped(kind: str) -> float:
    return REGISTRY.get_sample_value("hartline_trace_dropped_total", {"kind": kind}) or 0.0


# What is traced


@pytest.mark.parametrize(
    ("given", "ratio", "trusting", "traced"),
    [
        (UNSAMPLED, 1.0, False, True),
        (SAMPLED, 0.0, False, False),
        (SAMPLED, 0.0, True, True),
        (UNSAMPLED, 1.0, True, False),
    ],
)
def test_a_callers_flag_decides_only_where_it_is_trusted(
    exported: InMemorySpanExporter,
    given: str,
    ratio: float,
    trusting: bool,
    traced: bool,
) -> None:
    opened(exported, ratio=ratio, trusting=trusting)
    span = tracing.enter("POST", [given], ours=False, machine=True)
    assert (span is not None) == traced
    if span is not None:
        assert span.traceparent.split("-")[1] == TRACE


def test_a_partners_or_a_persons_own_trace_is_left_alone(exported: InMemorySpanExporter) -> None:
    opened(exported)
    span = tracing.enter("POST", [SAMPLED], ours=False, machine=False)
    assert span is not None
    assert TRACE not in span.traceparent


@pytest.mark.parametrize("given", [[], [UNSAMPLED], ["nonsense"], [SAMPLED, SAMPLED]])
def test_between_our_services_nothing_new_is_traced(
    exported: InMemorySpanExporter, given: list[str]
) -> None:
    """The decision was made where the call came in; half a trace helps nobody."""
    opened(exported)
    assert tracing.enter("POST", given, ours=True, machine=True) is None


def test_between_our_services_what_is_traced_stays_traced(exported: InMemorySpanExporter) -> None:
    opened(exported, ratio=0.0)
    span = tracing.enter("POST", [SAMPLED], ours=True, machine=True)
    assert span is not None
    assert span.traceparent.split("-")[1] == TRACE


def test_about_so_many_calls_are_traced_as_the_ratio_says(exported: InMemorySpanExporter) -> None:
    opened(exported, ratio=0.25)
    found = [tracing.enter("GET", [], ours=False, machine=True) for _ in range(4000)]
    assert 800 < sum(span is not None for span in found) < 1200


@pytest.mark.parametrize(
    "given",
    [
        "",
        "00",
        SAMPLED.upper(),
        f" {SAMPLED}",
        f"{SAMPLED}-00",
        SAMPLED.replace("00-4", "01-4"),
        SAMPLED.replace("00-4", "ff-4"),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{SAMPLED}\n",
        None,
        7,
    ],
)
def test_what_is_not_well_formed_is_nothing(given: object) -> None:
    assert tracing.well_formed(given) is None
    assert tracing.well_formed(SAMPLED) == SAMPLED


# What follows what


def test_what_follows_soon_is_in_the_same_trace_and_what_follows_late_links_to_it(
    exported: InMemorySpanExporter,
) -> None:
    door = opened(exported)
    now = utc_now()
    for since in (now, now - tracing.LONGEST - timedelta(seconds=1)):
        span = tracing.follow("attempt", "client", SAMPLED, since)
        assert span is not None
        span.end()
    door.close()
    soon, late = exported.get_finished_spans()
    assert soon.parent is not None
    assert f"{soon.context.trace_id:032x}" == TRACE
    assert soon.links == ()
    assert late.parent is None
    assert f"{late.context.trace_id:032x}" != TRACE
    assert [f"{link.context.trace_id:032x}" for link in late.links] == [TRACE]


def test_what_is_not_traced_is_followed_by_nothing(exported: InMemorySpanExporter) -> None:
    opened(exported)
    assert tracing.follow("attempt", "client", None, utc_now()) is None
    assert tracing.follow("attempt", "client", UNSAMPLED, utc_now()) is None


def test_what_is_carried_ends_with_its_work() -> None:
    with tracing.carrying({REFERRAL: SAMPLED}):
        assert tracing.parent_of(REFERRAL) == SAMPLED
        assert tracing.parent_of("ref_other") is None
        assert tracing.here() is None
        with tracing.carrying({tracing.ANY: SAMPLED}):
            assert tracing.parent_of("ref_other") == tracing.here() == SAMPLED
    assert tracing.parent_of(REFERRAL) is None


# What may be said


def test_p5_an_attribute_that_is_not_on_the_list_is_refused_and_counted(
    exported: InMemorySpanExporter,
) -> None:
    door = opened(exported)
    before = dropped("attribute")
    span = tracing.follow(
        "attempt",
        "client",
        SAMPLED,
        utc_now(),
        referral_id=REFERRAL,
        agency_id="agy_" + "0" * 32,
        town="Ansonia",
        notice="Test Child One",
    )
    assert span is not None
    span.end(outcome="Test Child One", status=200, error="ValueError")
    door.close()
    (told,) = exported.get_finished_spans()
    assert dict(told.attributes or {}) == {
        "hartline.referral_id": REFERRAL,
        "http.response.status_code": 200,
        "error.type": "ValueError",
    }
    assert dropped("attribute") == before + 4


def test_p5_whoever_goes_past_the_door_is_refused_too(exported: InMemorySpanExporter) -> None:
    """A library's span, an exception's text, a baggage of words: the exporter lets none out."""
    door = Door("test", exporter=exported, ratio=1.0, trusting=False)
    tracer = door._provider.get_tracer("some library")
    before = dropped("span"), dropped("event")
    with tracer.start_as_current_span("GET /things/Test Child One"):
        pass
    with (
        pytest.raises(ValueError, match="Test Child One"),
        tracer.start_as_current_span("attempt", attributes={"url.path": "/Test Child One"}),
    ):
        raise ValueError("Test Child One")
    door.close()
    (told,) = exported.get_finished_spans()
    assert "Test Child One" not in told.to_json()
    assert (dropped("span"), dropped("event")) == (before[0] + 1, before[1] + 1)


def test_p5_what_is_ours_among_the_attributes_may_be_logged_too_and_names_no_recipient() -> None:
    fields = frozenset().union(*log_events.EVENTS.values())
    prefix = trace_list.OF_LOGS
    ours = {name.removeprefix(prefix) for name in trace_list.ATTRIBUTES if name.startswith(prefix)}
    assert ours
    assert ours <= fields
    words = " ".join(trace_list.ATTRIBUTES)
    assert not [word for word in ("agency", "town", "name_", "role", "reason") if word in words]


def test_the_sdk_is_imported_by_one_module_only() -> None:
    """One door: whatever leaves has passed the list."""
    importing = set()
    for folder in ("services", "shared", "deploy"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else []
                )
                if any(name.split(".")[0] == "opentelemetry" for name in names):
                    importing.add(str(path.relative_to(ROOT)))
    assert importing == {"shared/runtime/spans.py"}


def test_where_tracing_is_off_nothing_of_the_sdk_is_imported() -> None:
    code = (
        "import sys, services.intake.wiring, services.notify.wiring, services.audit.wiring\n"
        "import services.deadlines.wiring\n"
        "loaded = [m for m in sys.modules if m.startswith(('opentelemetry.sdk', "
        "'opentelemetry.exporter', 'google.protobuf', 'shared.runtime.spans'))]\n"
        "sys.exit(' '.join(loaded) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


# The collector


def test_a_collector_that_is_not_there_holds_up_nobody() -> None:
    door = open_door("test", f"http://127.0.0.1:{free_ports(1)[0]}", ratio=1.0, trusting=False)
    began = time.monotonic()
    for _ in range(5000):
        door.start("attempt", "client").end()
    assert time.monotonic() - began < 5
    began = time.monotonic()
    door.close()
    assert time.monotonic() - began < 3


def test_the_exporter_behind_the_list_is_shut_down_with_it(exported: InMemorySpanExporter) -> None:
    Listed(exported).shutdown()
    assert exported._stopped
