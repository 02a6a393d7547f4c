"""Taking a fetch apart where a batch of it cannot be decoded."""

from collections.abc import Callable

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from shared.messaging.kafka.salvage import Boundless, Damaged, Piece, Sound, pieces

LENGTH_AT, CRC_AT, ATTRIBUTES_AT, DELTA_AT = 8, 17, 22, 23
Harm = Callable[[bytearray], None]


def batch(base: int, *values: bytes) -> bytearray:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=10_000,
    )
    for offset, value in enumerate(values):
        builder.append(offset, 0, b"key", value, [])
    built = bytearray(builder.build())
    built[:8] = base.to_bytes(8, "big")
    return built


def flip(built: bytearray) -> None:
    built[-3] ^= 1


def undecodable(built: bytearray) -> None:
    """A sound checksum over a codec that nobody has."""
    from aiokafka.record.util import calc_crc32c

    built[ATTRIBUTES_AT] |= 7
    built[CRC_AT : CRC_AT + 4] = calc_crc32c(bytes(built[CRC_AT + 4 :])).to_bytes(4, "big")


def longer(built: bytearray) -> None:
    """Says that it holds more offsets than it does."""
    built[DELTA_AT : DELTA_AT + 4] = (1000).to_bytes(4, "big")


def told(found: list[Piece]) -> list[object]:
    return [
        [record.offset for record in piece.records]
        if isinstance(piece, Sound)
        else (piece.first, piece.next_offset if isinstance(piece, Damaged) else None)
        for piece in found
    ]


@pytest.mark.parametrize("harm", [flip, undecodable, longer], ids=lambda each: each.__name__)
def test_a_damaged_batch_costs_itself_alone(harm: Harm) -> None:
    bad = batch(2, b"c", b"d", b"e")
    harm(bad)
    fetched = bytes(batch(0, b"a", b"b") + bad + batch(5, b"f"))
    assert told(list(pieces(fetched, 0, 6))) == [[0, 1], (2, 5), [5]]


@pytest.mark.parametrize("harm", [flip, undecodable], ids=lambda each: each.__name__)
def test_the_last_batch_ends_where_the_log_does(harm: Harm) -> None:
    bad = batch(2, b"c", b"d")
    harm(bad)
    assert told(list(pieces(bytes(bad), 2, 4))) == [(2, 4)]


def test_two_damaged_batches_bear_each_other_out() -> None:
    one, two = batch(0, b"a"), batch(1, b"b")
    flip(one)
    flip(two)
    assert told(list(pieces(bytes(one + two), 0, 2))) == [(0, 1), (1, 2)]


@pytest.mark.parametrize("log_end", [2, 4])
def test_a_batch_that_claims_an_end_which_nothing_bears_out_is_not_passed(log_end: int) -> None:
    bad = batch(2, b"c", b"d")
    longer(bad)
    (found,) = pieces(bytes(bad), 2, log_end)
    assert found == Boundless(2, "InvalidChecksum")


def test_what_follows_a_wrong_length_is_not_believed() -> None:
    bad, good = batch(2, b"c"), batch(3, b"d")
    bad[LENGTH_AT : LENGTH_AT + 4] = (len(bad) - 12 + 7).to_bytes(4, "big")
    (found,) = pieces(bytes(bad + good), 2, 4)
    assert found == Boundless(2, "InvalidChecksum")


def test_records_that_the_log_has_and_the_answer_has_not_are_not_passed() -> None:
    bad = batch(2, b"c")
    bad[LENGTH_AT] = 0x40
    assert list(pieces(bytes(bad), 2, 4)) == [Boundless(2, "NotFramed")]
    assert list(pieces(b"", 2, 4)) == [Boundless(2, "NotFramed")]


def test_reading_begins_within_a_batch() -> None:
    """Where a limit, or a commit, fell into the middle of one."""
    bad = batch(3, b"d", b"e", b"f")
    flip(bad)
    assert told(list(pieces(bytes(batch(0, b"a", b"b", b"c") + bad), 2, 6))) == [[2], (3, 6)]
    assert told(list(pieces(bytes(bad), 4, 6))) == [(4, 6)]


def test_a_batch_cut_off_by_the_fetch_is_left_to_the_next_one() -> None:
    fetched = bytes(batch(0, b"a") + batch(1, b"b"))
    assert told(list(pieces(fetched[:-1], 0, 2))) == [[0]]
    assert not list(pieces(b"", 0, 0))
