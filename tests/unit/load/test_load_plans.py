"""Reading plans: node kinds with what they read, and when a statement counts as flat."""

from dataclasses import replace

from tests.load.bench_finished import FILLED, NOISE_MS, TIMES
from tests.load.explaining import Compared, Plan, Seen, compare, nodes

EXPLAINED = [
    {
        "Execution Time": 1.5,
        "Plan": {
            "Node Type": "ModifyTable",
            "Operation": "Update",
            "Relation Name": "outbox",
            "Shared Hit Blocks": 7,
            "Shared Read Blocks": 2,
            "Plans": [
                {"Node Type": "Index Scan", "Index Name": "ix_a", "Relation Name": "outbox"},
                {"Node Type": "Nested Loop", "Plans": [{"Node Type": "Seq Scan"}]},
            ],
        },
    }
]


def test_a_plan_names_its_nodes_from_the_root_on() -> None:
    assert list(nodes(EXPLAINED[0]["Plan"])) == [  # type: ignore[arg-type]
        *("Update outbox", "Index Scan ix_a", "Nested Loop", "Seq Scan")
    ]


def test_a_plan_counts_the_pages_it_looked_at() -> None:
    plan = Plan.read(EXPLAINED)
    assert (plan.milliseconds, plan.blocks) == (1.5, 9)


def compared(without_ms: float, with_ms: float, *nodes: str) -> Compared:
    return Compared("claim", 1, without_ms, with_ms, 10, 10, (), nodes)


def flat(each: Compared) -> bool:
    return each.flat(FILLED, times=TIMES, noise_ms=NOISE_MS)


def test_much_slower_is_not_flat_and_a_little_is_noise() -> None:
    assert flat(compared(0.1, 0.9, "Index Scan ix_outbox_pending"))
    assert flat(compared(10, 14))
    assert not flat(compared(10, 16))


def test_a_filled_table_read_through_is_not_flat_however_fast() -> None:
    assert not flat(compared(1, 1, "Update deliveries", "Seq Scan deliveries"))
    assert flat(compared(1, 1, "Seq Scan agencies"))


def test_statements_are_compared_by_their_place_in_a_step() -> None:
    without, with_ = Seen(), Seen()
    for seen, milliseconds in ((without, (1.0, 3.0, 2.0)), (with_, (4.0, 4.0, 5.0))):
        for each in milliseconds:
            seen.begin("claim")
            seen.add(replace(Plan.read(EXPLAINED), milliseconds=each))
    (found,) = compare(without, with_)
    assert (found.step, found.place) == ("claim", 1)
    assert (found.without_ms, found.with_ms) == (1.0, 4.0)
