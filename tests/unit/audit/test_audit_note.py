"""C2SP signed notes and checkpoints: the published examples, and what strangers may send."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.audit.note import (
    MAX_NOTE_BYTES,
    BadNote,
    Checkpoint,
    PublicKey,
    Signer,
    UnknownSigner,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    sign_note,
)
from tests.support.audit import signer

# The example of golang.org/x/mod/sumdb/note, which the C2SP specification grew from.
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNED = TEXT + (
    "\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
KEY = parse_vkey(VKEY)


def test_the_published_note_verifies_and_is_signed_again_byte_for_byte() -> None:
    note, signers = open_note(SIGNED.encode(), [KEY])
    assert (note.text, signers) == (TEXT, (KEY,))
    peter = Signer.of_seed("PeterNeumann", SEED)
    assert peter.public.vkey == VKEY
    assert sign_note(TEXT, [peter]) == SIGNED


def test_another_key_of_the_same_name_is_unknown() -> None:
    other = signer(9, "PeterNeumann").public
    with pytest.raises(UnknownSigner, match="c74f20a3"):
        open_note(SIGNED.encode(), [other])


def test_a_signature_of_a_stranger_beside_ours_is_passed_over() -> None:
    both = sign_note(TEXT, [signer(7, "stranger"), Signer.of_seed("PeterNeumann", SEED)])
    assert open_note(both.encode(), [KEY])[1] == (KEY,)


def test_two_keys_of_one_log_both_sign_while_it_changes_keys() -> None:
    old, new = signer(1), signer(2)
    both = sign_note(TEXT, [new, old])
    for key in (old.public, new.public):
        assert open_note(both.encode(), [key])[1] == (key,)
    assert open_note(both.encode(), [old.public, new.public])[1] == (new.public, old.public)


def test_a_wrong_signature_of_a_known_key_spoils_the_note_whoever_else_signed() -> None:
    wrong = sign_note(TEXT + "more\n", [Signer.of_seed("PeterNeumann", SEED)]).splitlines()[-1]
    spoiled = sign_note(TEXT, [signer(3)]) + wrong + "\n"
    with pytest.raises(BadNote, match="wrong"):
        open_note(spoiled.encode(), [KEY, signer(3).public])


@pytest.mark.parametrize("at", range(len(VKEY)))
def test_a_mangled_key_is_refused(at: int) -> None:
    with pytest.raises(BadNote):
        parse_vkey(VKEY[:at] + chr(ord(VKEY[at]) + 1) + VKEY[at + 1 :])
    with pytest.raises(BadNote):
        parse_vkey(VKEY[:at])


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\tb"])
def test_a_key_name_is_one_word_without_a_plus(name: str) -> None:
    with pytest.raises(BadNote):
        PublicKey(name, bytes(32))


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\n",
        b"\n\n",
        TEXT.encode(),
        SIGNED.encode().rstrip(b"\n"),
        SIGNED.replace("\n\n", "\n").encode(),
        SIGNED.replace("— ", "- ").encode(),
        SIGNED.replace("x08g", "x08").encode(),
        SIGNED.replace("nAM=", "nAN=").encode(),
        SIGNED.replace("PeterNeumann x", "PeterNeumann  x").encode(),
        SIGNED.replace("PeterNeumann x", "Peter+Neumann x").encode(),
        SIGNED.replace("— PeterNeumann ", "— ").encode(),
        SIGNED.replace("problem", "prob\x00lem").encode(),
        SIGNED.replace("\n", "\r\n").encode(),
        b"\xff" + SIGNED.encode(),
        SIGNED.encode("utf-16"),
        SIGNED.encode() + b"\n",
        SIGNED.encode() + SIGNED.splitlines()[-1].encode(),
        SIGNED.encode() + b"\xe2\x80\x94 x AAAA\n",
        b"x" * MAX_NOTE_BYTES + SIGNED.encode(),
        (TEXT + "\n" + SIGNED.splitlines()[-1].join(["", "\n"]) * 101).encode(),
    ],
)
def test_what_is_not_a_note_is_refused_with_a_sentence(hostile: bytes) -> None:
    with pytest.raises(BadNote) as refused:
        open_note(hostile, [KEY])
    assert len(str(refused.value)) > 10


@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="replace"))
)
def test_nothing_but_badnote_comes_of_anything(data: bytes) -> None:
    for attempt in (data, data + b"\n\n\xe2\x80\x94 " + data + b"\n"):
        try:
            parse_checkpoint(parse_note(attempt).text)
        except BadNote:
            continue


@given(st.integers(0, len(SIGNED.encode()) * 8 - 1))
def test_no_bit_of_a_note_can_be_flipped(bit: int) -> None:
    data = bytearray(SIGNED.encode())
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadNote):
        open_note(bytes(data), [KEY])


def test_the_published_checkpoint_parses_and_renders_the_same() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text == text


@pytest.mark.parametrize(
    "text",
    [
        "origin\n1\n",
        "origin\n01\n" + "A" * 43 + "=\n",
        "origin\n-1\n" + "A" * 43 + "=\n",
        "origin\n１\n" + "A" * 43 + "=\n",
        "origin\n99999999999999999999\n" + "A" * 43 + "=\n",
        "origin\n1\nAAAA\n",
        "origin\n1\n" + "A" * 42 + "B=\n",
        "\n1\n" + "A" * 43 + "=\n",
        "origin\n1\n" + "A" * 43 + "=\n\nmore\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        parse_checkpoint(text)


def test_a_checkpoint_survives_signing_with_its_extensions() -> None:
    checkpoint = Checkpoint("log.example/audit", 0, bytes(32), ("something more",))
    note = sign_note(checkpoint.text, [signer(1)])
    assert open_checkpoint(note.encode(), [signer(1).public]) == checkpoint
