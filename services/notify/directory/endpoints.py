"""Which URLs may be sent to at all, and read as they lead. Pure: the directory asks it at the door,
the sender before each post."""

import re
from functools import lru_cache
from ipaddress import IPv4Address
from urllib.parse import urlsplit

_PLAIN = re.compile(r"[!-\[\]-~]+")
"""Printable ASCII but for the backslash, which some take for a slash."""
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_LONGEST_NAME = 253


class EgressRefused(Exception):
    """Nothing may be sent there. Not an OSError, so that no client tries the next address."""


@lru_cache(maxsize=4096)
def check_endpoint(url: str, *, allow_http: bool) -> None:
    """Raises EgressRefused unless the URL is one that may be sent to at all.

    https only, unless `allow_http` (a development profile); no credentials in it; the scheme's
    own port or one above 1023; a host that reads as what it is. What it leads to is the socket's
    matter. A URL that passed is remembered: reading it takes 20 µs, and each letter asks.
    """
    if not _PLAIN.fullmatch(url):
        raise EgressRefused("not plain ASCII: an international name is written as xn--…")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressRefused("not a URL") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_http):
        raise EgressRefused("not https")
    if parts.username is not None or parts.password is not None:
        raise EgressRefused("credentials in the URL")
    if not parts.hostname:
        raise EgressRefused("no host")
    if port is not None and port < 1024 and port != {"https": 443, "http": 80}[parts.scheme]:
        raise EgressRefused("a port of another service")
    _check_host(parts.hostname)


def _check_host(host: str) -> None:
    """A name of DNS, or an address in its usual form: no octal, decimal or shortened one."""
    if ":" in host:
        if "%" in host:
            raise EgressRefused("an address with a zone")
        return
    labels = host.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        if not _is_usual_ipv4(host):
            raise EgressRefused("an address in an unusual form")
    elif len(host) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise EgressRefused("not a host name")


def _is_usual_ipv4(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False
