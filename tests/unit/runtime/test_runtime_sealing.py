from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime import keys
from shared.runtime.errors import Permanent
from shared.runtime.sealing import Keyring, Sealer, Unsealable

KEK = {1: b"1" * 32}
SEALER = Sealer(Keyring(KEK))
KEY = SEALER.new_key()


@given(st.binary(), st.text(), st.text())
def test_what_was_sealed_opens_only_in_its_place(content: bytes, table: str, row: str) -> None:
    sealed = SEALER.seal(KEY, table, row, content)
    assert SEALER.open(KEY, table, row, sealed) == content
    for elsewhere in ((table + "x", row), (table, row + "x"), (table + row, "")):
        if elsewhere != (table, row):
            with pytest.raises(Unsealable):
                SEALER.open(KEY, *elsewhere, sealed)


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_byte_anywhere_is_found(position: int, change: int) -> None:
    sealed = bytearray(SEALER.seal(KEY, "documents", "chd_1", b"Test Child One"))
    sealed[position % len(sealed)] ^= change
    with pytest.raises(Unsealable):
        SEALER.open(KEY, "documents", "chd_1", bytes(sealed))


@given(st.binary(max_size=40))
def test_noise_is_never_opened(noise: bytes) -> None:
    with pytest.raises(Unsealable):
        SEALER.open(KEY, "documents", "chd_1", noise)


def test_the_same_content_is_sealed_differently_each_time() -> None:
    assert SEALER.seal(KEY, "t", "r", b"x") != SEALER.seal(KEY, "t", "r", b"x")


def test_one_child_s_key_does_not_open_another_s_document() -> None:
    sealed = SEALER.seal(KEY, "t", "r", b"x")
    with pytest.raises(Unsealable):
        SEALER.open(SEALER.new_key(), "t", "r", sealed)


def test_a_new_kek_rewraps_keys_and_leaves_documents_as_they_are() -> None:
    sealed = SEALER.seal(KEY, "t", "r", b"x")
    both = Sealer(Keyring(KEK | {2: b"2" * 32}))
    rewrapped = both.rewrap(KEY)
    assert (KEY.kek_version, rewrapped.kek_version) == (1, 2)
    assert both.open(KEY, "t", "r", sealed) == both.open(rewrapped, "t", "r", sealed) == b"x"
    only_new = Sealer(Keyring({2: b"2" * 32}))
    assert only_new.open(rewrapped, "t", "r", sealed) == b"x"
    with pytest.raises(Unsealable, match=r"kek-1\.key is not in the key directory"):
        only_new.open(KEY, "t", "r", sealed)


def test_a_wrong_kek_does_not_unwrap() -> None:
    with pytest.raises(Unsealable, match="does not unwrap"):
        Sealer(Keyring({1: b"x" * 32})).seal(KEY, "t", "r", b"x")
    with pytest.raises(Unsealable, match="does not unwrap"):
        SEALER.seal(replace(KEY, wrapped=b"short"), "t", "r", b"x")


def test_what_cannot_be_opened_parks_its_subject() -> None:
    assert issubclass(Unsealable, Permanent)


def test_the_keyring_is_read_from_files_and_shows_no_key(tmp_path: Path) -> None:
    for version in (1, 2):
        keys.make("kek", tmp_path / f"kek-{version}.key")
    ring = Keyring.load(tmp_path)
    assert ring.current == Sealer(ring).new_key().kek_version == 2
    assert not any(str(kek) in repr(ring) for kek in ring.keks.values())
