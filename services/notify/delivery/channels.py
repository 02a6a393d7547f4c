"""How an agency is told, and what each way needs on file. Pure."""

from collections.abc import Mapping

from shared.contracts.codes import Channel

POINTERS = frozenset({Channel.PICKUP, Channel.EMAIL})
"""Say that something waits in the mailbox, and nothing else: no content leaves by these."""


def channel_of(stored: str) -> Channel | None:
    """None: no channel of this release; of a later one, perhaps."""
    try:
        return Channel(stored)
    except ValueError:
        return None


def is_complete(
    channel: Channel | None,
    endpoint: str | None,
    key: Mapping[str, object] | None,
    email: str | None,
) -> bool:
    """Whether the record holds what the channel needs. Nobody's record is told by the mailbox
    alone: nothing would tell them to look. None: what it needs is not known (`channel_of`)."""
    match channel:
        case Channel.ENCRYPTED:
            return endpoint is not None and key is not None
        case Channel.PICKUP:
            return endpoint is not None
        case Channel.EMAIL:
            return email is not None
        case Channel.ORAL:
            return True
        case Channel.MAILBOX | None:
            return False


def beside_encrypted(
    channel: Channel | None, endpoint: str | None, email: str | None
) -> Channel | None:
    """The channel, if it is another than the encrypted one and can be used."""
    return channel if is_complete(channel, endpoint, None, email) else None
