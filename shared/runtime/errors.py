"""What an error asks of whoever catches it: retry, park or reject. The docstring is the message."""


class Retryable(Exception):
    """It may work later: back off this subject alone and try again."""


class Permanent(Exception):
    """It will never work as it is: park this subject alone and page a person."""


class Gone(Permanent):
    """It was destroyed for good, and on purpose: say so, and ask no more."""


class Misconfigured(Exception):
    """The process cannot start safely. The text is a sentence that says what to do."""


class PortTaken(Misconfigured):
    """The port to listen on cannot be had: another process has it. Trying again helps nobody."""


class Wrong(ValueError):
    """What would be right, for the caller to read: "must not be in the future". Never the value."""
