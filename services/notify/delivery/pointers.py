"""What a pointer says: the same bytes to everybody, at any time. No id, no town, no name.

One size and one text, so that whoever sees one learns that somebody has a mailbox and no more.
"""

import json

CONTENT_TYPE = "application/json"
PADDED_TO = 512
SUBJECT = "A notice is waiting"
TEXT = """\
A notice is waiting in your Hartline mailbox. Sign in as you always do
and open it there.

This message holds no link and no content, and asks for no answer. If
you do not know what Hartline is, call the Connecticut DCF Careline,
1-800-842-2288.
"""


def _padded() -> bytes:
    said = {"type": "hartline.notice.waiting.v1", "message": SUBJECT, "padding": ""}
    encoded = json.dumps(said, separators=(",", ":")).encode()
    return encoded[:-2] + b"0" * (PADDED_TO - len(encoded)) + encoded[-2:]


WEBHOOK = _padded()
"""The body of a pickup webhook."""
MAIL = TEXT.encode("ascii")
"""The text of a pointer by mail."""
