"""When a claim is worth another look: nobody waits for a poll while a place is free."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.notify.delivery.lanes import Lanes, Slots

SLOTS = Slots(first=3, retry=2)
LANES = [("police", False), ("police", True), ("fbi", False), ("fbi", True)]


def attempt(number: int, lane: tuple[str, bool] = LANES[0], **more: Any) -> Any:
    agency_id, retry = lane
    plain = {"limited": False, "probe": False}
    return SimpleNamespace(
        disclosure_id=str(number), agency_id=agency_id, retry=retry, **plain | more
    )


def took(lanes: Lanes, attempts: list[Any]) -> bool:
    seen = lanes.busy
    for each in attempts:
        lanes.take(each)
    return lanes.claimed(attempts, seen)


def test_p9_a_place_in_a_lane_that_a_claim_filled_is_worth_a_claim() -> None:
    lanes = Lanes(SLOTS, most=100)
    assert not took(lanes, [attempt(1), attempt(2), attempt(3)])
    assert lanes.free(["1"])


def test_a_place_in_a_lane_that_had_room_is_not() -> None:
    lanes = Lanes(SLOTS, most=100)
    took(lanes, [attempt(1), attempt(2)])
    assert not lanes.free(["1", "unheard of"])


def test_what_falls_free_during_a_claim_is_looked_at_again() -> None:
    """The claim thought three were under way; one has ended since, and two more came."""
    lanes = Lanes(SLOTS, most=100)
    took(lanes, [attempt(1)])
    seen = lanes.busy
    lanes.free(["1"])
    brought = [attempt(2), attempt(3)]
    for each in brought:
        lanes.take(each)
    assert lanes.claimed(brought, seen)
    assert not took(lanes, [])


def test_the_end_of_a_probe_and_of_what_an_agency_limits_are_worth_a_claim() -> None:
    lanes = Lanes(SLOTS, most=100)
    took(lanes, [attempt(1, probe=True), attempt(2, limited=True), attempt(3)])
    took(lanes, [])
    assert lanes.free(["1"])
    assert lanes.free(["2"])


def test_a_place_is_worth_a_claim_where_all_together_were_too_many() -> None:
    lanes = Lanes(SLOTS, most=2)
    took(lanes, [attempt(1), attempt(2, LANES[2])])
    assert (lanes.room, len(lanes)) == (0, 2)
    assert lanes.free(["2"])


class Loop:
    """The engine's loop over a made-up database, with ends before, within and after each claim."""

    def __init__(self, most: int) -> None:
        self.lanes = Lanes(SLOTS, most)
        self.due = Counter[tuple[str, bool]]()
        self.woken = True
        self._flying: list[Any] = []
        self._number = 0

    def step(self, what: str, value: int) -> None:
        if what == "due":  # Whoever makes it due wakes the claim.
            self.due[LANES[value % 4]] += 1 + value
            self.woken = True
        elif what == "end":
            self._end(value)
        elif self.woken:
            self._claim(ends_within=value if value % 2 else None)

    def _end(self, index: int) -> None:
        if self._flying:
            ended = self._flying.pop(index % len(self._flying))
            self.woken |= self.lanes.free([ended.disclosure_id])

    def _claim(self, ends_within: int | None) -> None:
        self.woken = False
        seen = self.lanes.busy
        brought = [self._attempt(lane) for lane in self._found()[: self.lanes.room]]
        if ends_within is not None:
            self._end(ends_within)
        for each in brought:
            self.lanes.take(each)
        self._flying += brought
        self.woken |= self.lanes.claimed(brought, seen)

    def _found(self) -> list[tuple[str, bool]]:
        return [lane for lane in LANES for _ in range(min(self.free(lane), self.due[lane]))]

    def _attempt(self, lane: tuple[str, bool]) -> Any:
        self._number += 1
        self.due[lane] -= 1
        return attempt(self._number, lane)

    def free(self, lane: tuple[str, bool]) -> int:
        busy = self.lanes.busy.get(lane[0], Slots(0, 0))
        return SLOTS.retry - busy.retry if lane[1] else SLOTS.first - busy.first


@given(
    st.integers(2, 12),
    st.lists(st.tuples(st.sampled_from(["claim", "end", "due"]), st.integers(0, 7)), max_size=60),
)
def test_p9_nobody_sleeps_while_something_is_due_and_its_lane_has_a_place(
    most: int, steps: list[tuple[str, int]]
) -> None:
    loop = Loop(most)
    for what, value in steps:
        loop.step(what, value)
        if not loop.woken and loop.lanes.room > 0:
            assert not [lane for lane in LANES if loop.due[lane] and loop.free(lane) > 0]
