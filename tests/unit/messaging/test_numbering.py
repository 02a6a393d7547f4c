"""Numbers that a head gives out to many at once."""

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.numbering import still_to_come


@given(st.lists(st.sampled_from("abc")), st.integers(0, 5))
def test_a_heads_last_number_less_what_is_to_come_counts_up_without_a_gap(
    keys: list[str], before: int
) -> None:
    numbers, to_come = still_to_come(keys)
    for key in set(keys):
        last = before + numbers[key]
        given_out = [last - after for each, after in zip(keys, to_come, strict=True) if each == key]
        assert given_out == list(range(before + 1, last + 1))
