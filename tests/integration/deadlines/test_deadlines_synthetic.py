"""A synthetic referral proves that the way is open: its clocks run, and nothing is said of them."""

from services.deadlines import sweep_store
from shared.contracts.codes import Role
from tests.integration.deadlines.conftest import PATH, Desk
from tests.support.clock_events import acknowledged, consult_requested
from tests.support.deadlines import DUE, HOUR, RECEIVED, delivered, planned, received

SYNTHETIC = received(synthetic=True)
DAYS = (-2, 1, 30, 80)


async def test_synthetic_clocks_are_satisfied_like_any_and_never_breach_or_warn(desk: Desk) -> None:
    of = desk.deadlines
    told = delivered("A", RECEIVED + HOUR)
    await of.hear(consult_requested(RECEIVED), SYNTHETIC, planned("A"), told)
    await of.hear(planned("B", role=Role.FBI))
    for hours in DAYS:
        assert (await of.sweep_at(DUE + hours * HOUR)).taken == 0
    await of.hear(acknowledged("A", RECEIVED + 2 * HOUR))
    assert await of.emitted(None) == []
    states = {each["policy"]: each["state"] for each in (await desk.get(PATH)).json()["clocks"]}
    assert (states["le12"], states["ack24"], states["fbi12"]) == ("satisfied", "satisfied", "open")


async def test_synthetic_clocks_are_not_among_what_is_due_and_ring_for_nobody(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(SYNTHETIC, planned("A"))
    for path in ("/v1/clocks/due?hours=72", "/v1/clocks/due.ics?hours=72"):
        answer = await desk.get(path)
        assert "clk_" not in answer.text
    async with of.db.transaction() as session:
        assert await sweep_store.waiting(session) == (0.0, None, 0)


async def test_synthetic_clocks_that_were_to_be_looked_at_are_let_go(desk: Desk) -> None:
    """What an earlier release wrote: taken once, and never again; a late fact corrects nothing."""
    of = desk.deadlines
    await of.hear(received(), planned("A"))
    await of.sweep_at(DUE + HOUR)
    said = await of.emitted(None)
    await of.hear(SYNTHETIC.model_copy(update={"received_at": RECEIVED + HOUR}))
    await of.rows("UPDATE deadlines.clocks SET look_at = due_at, state = 'open' RETURNING clock_id")
    taken = [(await of.sweep_at(DUE + hours * HOUR)).taken for hours in (2, 3)]
    assert (taken[0] > 0, taken[1]) == (True, 0)
    await of.hear(delivered("A", RECEIVED + HOUR))
    assert await of.emitted(None) == said
