"""Hartline for the Careline's phone system: referrals, calls, code lists, and a local spool.

    with Careline("https://hartline.example", token) as careline:
        kept = careline.create(referral, key=new_key())

Every error is a HartlineError; docs/careline.md says what to do on each.
"""

from hartline_careline.answers import Call, CodeList, ListedCode, Referral
from hartline_careline.bodies import NewReferral
from hartline_careline.client import Careline, Patience, new_key
from hartline_careline.errors import (
    Conflict,
    Flaw,
    HartlineError,
    Invalid,
    NotAllowed,
    NotFound,
    Outdated,
    Refused,
    ServerFault,
    Unavailable,
)
from hartline_careline.spool import Spool, SpoolError, WrongKey
from hartline_careline.spooling import Kept, Reporting, SetAside, Waiting

__all__ = [
    "Call",
    "Careline",
    "CodeList",
    "Conflict",
    "Flaw",
    "HartlineError",
    "Invalid",
    "Kept",
    "ListedCode",
    "NewReferral",
    "NotAllowed",
    "NotFound",
    "Outdated",
    "Patience",
    "Referral",
    "Refused",
    "Reporting",
    "ServerFault",
    "SetAside",
    "Spool",
    "SpoolError",
    "Unavailable",
    "Waiting",
    "WrongKey",
    "new_key",
]
