"""Does our tree continue a head that somebody knows of? Proved as a stranger would."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.audit import store, tlog
from services.audit.note import Checkpoint
from shared.runtime.db import Session


@dataclass(frozen=True)
class Origin:
    """From entry `from_index` on the log goes on as `origin`; that entry commits to `committed`,
    the last checkpoint that is known of `previous`, and admits what of it was lost."""

    origin: str
    from_index: int
    previous: str
    committed: Checkpoint


async def why_not(
    session: Session, known: Checkpoint, grown: Checkpoint, origins: Sequence[Origin]
) -> str | None:
    """Why the tree `grown` must not be signed in the face of `known`; None when it may."""
    if known.origin != grown.origin:
        turn = turned(known.origin, grown.origin, origins)
        if turn is None:
            return "a checkpoint of another origin was signed here"
        if known.size > turn.from_index:
            return lost(known, turn)
    if known.size > grown.size:
        return f"{known.size} entries were signed, and there are {grown.size} now"
    try:
        proof = await store.consistency(session, known.size, grown.size)
        tlog.verify_consistency(known.size, grown.size, known.root, grown.root, proof)
    except KeyError:
        return "a node of the tree is missing"
    except tlog.BadProof as error:
        return str(error)
    return None


def turned(earlier: str, origin: str, origins: Sequence[Origin]) -> Origin | None:
    """Where the log stopped being `earlier`, if `origin` has come of it."""
    by_name = {each.origin: each for each in origins}
    turn = by_name.get(origin)
    while turn is not None and turn.previous != earlier:
        turn = by_name.get(turn.previous)
    return turn


def lost(known: Checkpoint, turn: Origin) -> str | None:
    """Whether the new origin admits the loss of what `known` had beyond the turn."""
    committed = turn.committed
    if known.size > committed.size:
        return (
            f"{known.size} entries of {known.origin} were signed, and {turn.origin} commits to "
            f"{committed.size} of them only"
        )
    if known.size == committed.size and known.root != committed.root:
        return f"two trees of {known.size} entries of {known.origin} were signed"
    return None
