"""The receivers' own log against notify's disclosures against the audit's entries, by id (P2)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chaos.agencies import ANSWERS, Arrival
from tests.chaos.diary import Diary
from tests.chaos.ledgers import Attempt, Ledgers, Outcome

_OUTCOMES = ("completed", "failed", "unknown")
_SLACK = 0.05
"""Seconds by which the harness notes a death late."""
_SENDERS = ("notify", "postgresql")
"""Whose trouble leaves an attempt without an outcome."""

Log = Sequence[Mapping[str, Any]]


def unrecorded(arrivals: Sequence[Arrival], ledgers: Ledgers) -> list[str]:
    """Arrivals without an attempt of their own that was on record before them.

    A notice keeps its id through its attempts, so the n-th arrival needs an n-th attempt, made
    earlier, that is not recorded as not sent.
    """
    failed = {each.disclosure_id for each in ledgers.outcomes if each.kind == "failed"}
    attempts: dict[str, list[float]] = defaultdict(list)
    for each in sorted(ledgers.attempts, key=lambda attempt: attempt.at):
        if each.disclosure_id not in failed:
            attempts[each.notice_id].append(each.at)
    seen: Counter[str] = Counter()
    wrong = []
    for arrival in sorted(arrivals, key=lambda each: each.at):
        own = attempts[arrival.notice_id]
        if seen[arrival.notice_id] >= len(own) or own[seen[arrival.notice_id]] > arrival.at:
            wrong.append(f"{arrival.notice_id} at {arrival.at:.3f}")
        seen[arrival.notice_id] += 1
    return wrong


def without_entry(ledgers: Ledgers, log: Log) -> list[str]:
    """Attempts, outcomes and views of which the log has not exactly one entry."""
    return _surplus(_written(ledgers), _entered(log))


def without_record(ledgers: Ledgers, log: Log) -> list[str]:
    """Entries of what nobody has on record, and entries made twice."""
    return _surplus(_entered(log), _written(ledgers))


def unfinished(ledgers: Ledgers) -> list[str]:
    """Attempts of which nobody knows an outcome, though all is quiet."""
    ended = {each.disclosure_id for each in ledgers.outcomes}
    return [each.disclosure_id for each in ledgers.attempts if each.disclosure_id not in ended]


def untrue(arrivals: Sequence[Arrival], ledgers: Ledgers) -> list[str]:
    """Answers that nobody gave, and attempts that were made and not made."""
    by_attempt = _outcomes(ledgers)
    may_answer = Counter((each.notice_id, ANSWERS[each.mood]) for each in arrivals)
    given: Counter[tuple[str, int | None]] = Counter()
    wrong = []
    for attempt in ledgers.attempts:
        kinds = by_attempt[attempt.disclosure_id]
        if {"failed", "completed"} <= kinds.keys():
            wrong.append(f"{attempt.disclosure_id}: not sent, and answered")
        if "completed" in kinds:
            given[attempt.notice_id, kinds["completed"].status] += 1
    return wrong + [f"{notice}: {status}" for notice, status in given - may_answer]


def baseless(arrivals: Sequence[Arrival], ledgers: Ledgers, diary: Diary) -> list[str]:
    """Attempts recorded as `unknown`, and nothing else, that nothing made unknown: neither the
    agency's mood nor trouble of who sends or records."""
    moods: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        if arrival.mood in ("hang", "reset", "lie"):
            moods[arrival.notice_id].append(arrival)
    by_attempt = _outcomes(ledgers)
    return [
        f"{attempt.disclosure_id} of {attempt.notice_id}"
        for attempt in ledgers.attempts
        if by_attempt[attempt.disclosure_id].keys() == {"unknown"}
        and not _had_cause(
            attempt, by_attempt[attempt.disclosure_id]["unknown"], moods[attempt.notice_id], diary
        )
    ]


def _had_cause(attempt: Attempt, unknown: Outcome, odd: Sequence[Arrival], diary: Diary) -> bool:
    begin, end = attempt.at - _SLACK, unknown.at + _SLACK
    return diary.troubled(_SENDERS, begin, end) or any(begin <= each.at <= end for each in odd)


def _outcomes(ledgers: Ledgers) -> Mapping[str, dict[str, Outcome]]:
    found: dict[str, dict[str, Outcome]] = defaultdict(dict)
    for each in ledgers.outcomes:
        found[each.disclosure_id][each.kind] = each
    return found


def _written(ledgers: Ledgers) -> Iterator[tuple[object, ...]]:
    for attempt in ledgers.attempts:
        yield "attempted", attempt.disclosure_id, attempt.notice_id, attempt.agency_id
    for outcome in ledgers.outcomes:
        yield outcome.kind, outcome.disclosure_id, outcome.status
    for view in ledgers.views:
        yield "viewed", view


def _entered(log: Log) -> Iterator[tuple[object, ...]]:
    for leaf in log:
        if leaf["kind"] == "attempted":
            yield "attempted", leaf["disclosure_id"], leaf["notice_id"], leaf["agency_id"]
        elif leaf["kind"] in _OUTCOMES:
            yield leaf["kind"], leaf["disclosure_id"], leaf.get("http_status")
        elif leaf["kind"] == "viewed":
            yield "viewed", leaf["disclosure_id"]


def _surplus(these: Iterator[tuple[object, ...]], those: Iterator[tuple[object, ...]]) -> list[str]:
    return [" ".join(map(str, each)) for each in Counter(these) - Counter(those)]
