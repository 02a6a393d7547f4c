"""What must be recognised again and must not be guessable."""

import hashlib
from pathlib import Path

import pytest

from services.intake.digests import Digests
from services.intake.receiving import random_number
from services.intake.strict_json import canonical, parse
from shared.runtime import keys
from shared.runtime.errors import Misconfigured


def make(directory: Path, *names: str) -> None:
    for name in names:
        keys.make("hmac", directory / f"{name}.key")


def test_a_digest_is_keyed_so_nobody_can_guess_what_was_sent(tmp_path: Path) -> None:
    make(tmp_path, "idempotency-1", "commitment-1")
    digests = Digests.load(tmp_path)
    (digest,) = digests.request(b"Test Child One")
    assert digest != hashlib.sha256(b"Test Child One").digest()
    assert digests.request(b"Test Child One") == (digest,)
    assert digests.commit(b"Test Child One") != digest.hex()


def test_after_a_rotation_the_older_digest_is_still_recognised(tmp_path: Path) -> None:
    make(tmp_path, "idempotency-1", "commitment-1")
    (before,) = Digests.load(tmp_path).request(b"key")
    make(tmp_path, "idempotency-2")
    current, older = Digests.load(tmp_path).request(b"key")
    assert older == before != current


def test_a_missing_key_is_refused_with_a_sentence(tmp_path: Path) -> None:
    make(tmp_path, "commitment-1")
    with pytest.raises(Misconfigured, match=r"idempotency-1\.key"):
        Digests.load(tmp_path)


def test_keys_do_not_show_when_printed(tmp_path: Path) -> None:
    make(tmp_path, "idempotency-1", "commitment-1")
    digests = Digests.load(tmp_path)
    assert repr(digests.idempotency[1]) not in repr(digests)


def test_spacing_and_order_do_not_make_another_body() -> None:
    bodies = (b'{"a": 1, "b": ["\xc3\xa9"]}', b'{"b":["\\u00e9"],"a":1}')
    assert len({canonical(parse(body)) for body in bodies}) == 1
    assert canonical(parse(b'{"a":1}')) != canonical(parse(b'{"a":"1"}'))


def test_a_number_is_random_and_easy_to_say() -> None:
    numbers = {random_number() for _ in range(1000)}
    assert len(numbers) == 1000
    assert not set("".join(numbers)) & set("ILOU") - {"L"}
    assert all(number.startswith("HL-") and "L" not in number[3:] for number in numbers)
