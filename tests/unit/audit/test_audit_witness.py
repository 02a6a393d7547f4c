"""A witness cosigns consistent growth and nothing else, by the codes of C2SP tlog-witness."""

import base64
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.audit import tlog
from services.audit.cosignature import Cosigner, cosigned, parse_lines, parse_witness_vkey
from services.audit.note import BadNote, open_note, parse_note
from services.audit.witness import __main__ as program
from services.audit.witness.rules import Malformed, format_request, judge
from services.audit.witness.server import MAX_BODY_BYTES, Server, Witness
from services.audit.witness.state import Damaged, State
from tests.support.audit import ORIGIN, MemoryLog, leaf, log_of, signer

LOG = log_of(40)
FORKED = MemoryLog([*LOG.leaves[:10], *(leaf(index, "other") for index in range(10, 40))], [40])
KEYS = {ORIGIN: [signer(1).public]}
COSIGNER = Cosigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(bytes(31) + b"w"))
NOW = 1_790_000_000


def proof(log: MemoryLog, old: int, new: int) -> list[bytes]:
    hashes = [tlog.leaf_hash(each) for each in log.leaves]
    spans = tlog.consistency_spans(old, new)
    nodes = {(0, index): value for index, value in enumerate(hashes)}
    nodes |= {(at, index): value for at, index, value in tlog.Frontier().extend(hashes)}
    return tlog.hash_spans(spans, nodes)


def request(old: int, new: int, log: MemoryLog = LOG) -> bytes:
    return format_request(old, proof(log, old, new), log.note(new)).encode()


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    state = State(tmp_path / "w", KEYS)
    yield Witness(COSIGNER, KEYS, state, lambda: float(NOW))
    state.close()


def test_a_cosignature_is_the_published_one() -> None:
    """The example of c2sp.org/tlog-cosignature: its key id and its time."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    line = COSIGNER.line(text, 1679315147)
    raw = base64.b64decode(line.split()[2])
    assert raw[4:12] == (1679315147).to_bytes(8, "big")
    message = f"cosignature/v1\ntime 1679315147\n{text}".encode()
    COSIGNER.private.public_key().verify(raw[12:], message)
    assert parse_witness_vkey(COSIGNER.public.vkey) == COSIGNER.public


def test_growth_is_cosigned_and_the_checkpoint_with_its_cosignature_is_a_note(
    witness: Witness,
) -> None:
    for old, new in ((0, 10), (10, 10), (10, 33), (33, 40)):
        status, _, body = witness.add_checkpoint(request(old, new))
        assert status == 200, body
        whole = LOG.note(new).encode() + body
        note, _ = open_note(whole, KEYS[ORIGIN])
        assert [(each.key, each.time) for each in cosigned(note, [COSIGNER.public])] == [
            (COSIGNER.public, NOW)
        ]
        assert parse_lines(body, LOG.note(new), [COSIGNER.public]) == [body.decode()]


def test_a_rollback_is_answered_with_the_size_that_it_knows(witness: Witness) -> None:
    assert witness.add_checkpoint(request(0, 33))[0] == 200
    for old, new in ((0, 8), (8, 10), (0, 40), (32, 33)):
        status, kind, body = witness.add_checkpoint(request(old, new))
        assert (status, kind, body) == (409, "text/x.tlog.size", b"33\n")


def test_a_fork_is_never_cosigned_and_is_kept_as_evidence(
    witness: Witness, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert witness.add_checkpoint(request(0, 33))[0] == 200
    assert witness.add_checkpoint(request(33, 33, FORKED))[0] == 409
    assert witness.add_checkpoint(request(33, 40, FORKED))[0] == 422
    kept = [path.read_text() for path in (tmp_path / "w" / "evidence").iterdir()]
    assert sorted(kept) == sorted([FORKED.note(33), FORKED.note(40)])
    assert "NOT COSIGNED" in capsys.readouterr().err
    assert witness.add_checkpoint(request(33, 40))[0] == 200


def test_a_spoilt_proof_accuses_nobody(
    witness: Witness, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checkpoint is public: anybody can hand it in with a proof of garbage."""
    assert witness.add_checkpoint(request(0, 33))[0] == 200
    spoilt = format_request(33, [bytes(32)], LOG.note(40)).encode()
    assert witness.add_checkpoint(spoilt)[0] == 422
    assert "its sender may have spoilt the proof" in capsys.readouterr().err


def test_p7_a_stranger_with_spoilt_proofs_leaves_room_for_the_proof_of_a_fork(
    witness: Witness, tmp_path: Path
) -> None:
    """Under what the log signed, a stranger may write any number of signatures of nobody's: each
    made another file, until the place for evidence was full and a fork was kept nowhere."""
    assert witness.add_checkpoint(request(0, 33))[0] == 200
    note = LOG.note(40)
    text = parse_note(note.encode()).text
    for number in range(1100):
        spoilt = note + Cosigner(f"nobody.example/{number}", COSIGNER.private).line(text, NOW)
        assert witness.add_checkpoint(format_request(33, [bytes(32)], spoilt).encode())[0] == 422
    assert len(list((tmp_path / "w" / "evidence").iterdir())) == 1
    assert witness.add_checkpoint(request(33, 33, FORKED))[0] == 409
    kept = [path.read_text() for path in (tmp_path / "w" / "evidence").iterdir()]
    assert FORKED.note(33) in kept


def test_an_unknown_log_and_an_unknown_key_have_codes_of_their_own(witness: Witness) -> None:
    other = MemoryLog(LOG.leaves, [], origin="log.example/other")
    assert witness.add_checkpoint(request(0, 40, other))[0] == 404
    forged = MemoryLog(LOG.leaves, [], (signer(7),))
    assert witness.add_checkpoint(request(0, 40, forged))[0] == 403
    both = MemoryLog(LOG.leaves, [], (signer(7), signer(1)))
    assert witness.add_checkpoint(request(0, 40, both))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0",
        b"old 00\n\n" + LOG.note(4).encode(),
        b"old -1\n\n" + LOG.note(4).encode(),
        b"old 5\n\n" + LOG.note(4).encode(),
        b"old 0\nnot base64!\n\n" + LOG.note(4).encode(),
        b"old 0\n\n" + LOG.note(4).encode()[:-5],
        b"old 0\n\n\xff\xfe",
        b"old 0\n" + b"AA==\n" * 64 + b"\n" + LOG.note(4).encode(),
        b"old 0\n\nno checkpoint\n\n" + LOG.note(4).encode().split(b"\n\n")[1],
    ],
)
def test_a_request_that_is_none_is_malformed(witness: Witness, body: bytes) -> None:
    status, _, said = witness.add_checkpoint(body)
    assert (status, said.endswith(b"\n")) == (400, True)


@given(st.binary(max_size=400))
def test_no_bytes_whatever_break_it(body: bytes) -> None:
    assert isinstance(judge(body, KEYS, {}), Malformed)
    judge(b"old 0\n\n" + body, KEYS, {})


def test_it_persists_before_it_answers_and_remembers_after_a_crash(
    witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    assert witness.add_checkpoint(request(0, 10))[0] == 200
    with monkeypatch.context() as patched:
        patched.setattr(State, "remember", full)
        with pytest.raises(OSError, match="No space"):
            witness.add_checkpoint(request(10, 33))
    witness._state.close()
    again = State(tmp_path / "w", KEYS)
    assert again.last[ORIGIN].size == 10
    again.close()


def test_two_processes_never_share_what_it_remembers(witness: Witness, tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="in use"):
        State(tmp_path / "w", KEYS)


def test_a_damaged_memory_is_no_empty_memory(witness: Witness, tmp_path: Path) -> None:
    witness.add_checkpoint(request(0, 10))
    witness._state.close()
    [path] = (tmp_path / "w" / "last").glob("*.note")
    path.write_text(path.read_text().replace("\n10\n", "\n9\n"))
    with pytest.raises(Damaged, match="newest copy"):
        State(tmp_path / "w", KEYS)


def test_a_memory_signed_by_a_key_that_was_removed_names_the_way_out(tmp_path: Path) -> None:
    old, new = signer(1), signer(2)
    both, newer = {ORIGIN: [old.public, new.public]}, {ORIGIN: [new.public]}
    state = State(tmp_path / "w", both)
    stripped = request(0, 10, MemoryLog(LOG.leaves, [40], [old]))
    assert Witness(COSIGNER, both, state).add_checkpoint(stripped)[0] == 200
    state.close()
    with pytest.raises(Damaged, match="put its line back, wait until the log's next"):
        State(tmp_path / "w", newer)
    state = State(tmp_path / "w", both)
    following = request(10, 33, MemoryLog(LOG.leaves, [40], [new]))
    assert Witness(COSIGNER, both, state).add_checkpoint(following)[0] == 200
    state.close()
    state = State(tmp_path / "w", newer)
    assert state.last[ORIGIN].size == 33
    state.close()


def test_folders_that_it_makes_are_durable_in_their_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    really = os.fsync

    def fsync(opened: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{opened}"))
        really(opened)

    monkeypatch.setattr(os, "fsync", fsync)
    State(tmp_path / "w", KEYS).close()
    assert synced == [str(tmp_path / "w")]


def test_of_many_requests_at_once_the_tree_never_shrinks(witness: Witness) -> None:
    answers: list[tuple[int, int]] = []

    def submit(new: int) -> None:
        answers.append((witness.add_checkpoint(request(0, new))[0], new))

    threads = [threading.Thread(target=submit, args=(new,)) for new in range(1, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers].count(200) == 1
    assert {status for status, _ in answers} == {200, 409}


@pytest.fixture
def server(witness: Witness) -> Iterator[Server]:
    with Server(("127.0.0.1", 0), witness) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def post(server: Server, body: bytes, path: str = "/add-checkpoint") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_over_http_it_cosigns_and_refuses(server: Server) -> None:
    status, body = post(server, request(0, 10))
    assert (status, body.startswith("— witness.example/w1 ".encode())) == (200, True)
    assert post(server, request(0, 33)) == (409, b"10\n")
    assert post(server, request(10, 33), "/add-checkpoint/x")[0] == 404
    assert post(server, b"x" * (MAX_BODY_BYTES + 1))[0] == 413


@pytest.mark.parametrize(
    "beginning", [b"", b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 999\r\n\r\n"]
)
def test_whoever_drips_holds_a_connection_no_longer_than_anybody(
    beginning: bytes, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.RequestHandlerClass, "timeout", 0.5)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.server_port)) as client:
        client.sendall(beginning)
        client.settimeout(0.05)
        closed = False
        while not closed and time.monotonic() - began < 10:
            with suppress(TimeoutError):
                closed = client.recv(1) == b""
            with suppress(OSError):
                client.sendall(b"x")
    assert closed
    assert 0.4 < time.monotonic() - began < 5
    assert post(server, request(0, 10))[0] == 200


def test_one_connection_takes_many_requests_each_with_its_own_deadline(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.RequestHandlerClass, "timeout", 1.0)
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    for old, new in ((0, 10), (10, 20), (20, 33)):
        time.sleep(0.4)
        connection.request("POST", "/add-checkpoint", request(old, new))
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
    connection.close()


def test_two_cosignatures_of_one_note_and_a_wrong_one() -> None:
    text = parse_note(LOG.note(10).encode()).text
    note = LOG.note(10) + COSIGNER.line(text, NOW)
    stranger = Cosigner("witness.example/w2", Ed25519PrivateKey.generate())
    whole = parse_note((note + stranger.line(text, NOW)).encode())
    assert len(cosigned(whole, [COSIGNER.public])) == 1
    wrong = LOG.note(10) + COSIGNER.line(text + "x", NOW)
    with pytest.raises(BadNote, match="its cosignature by"):
        cosigned(parse_note(wrong.encode()), [COSIGNER.public])


def test_its_commands_make_a_key_and_say_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "made"
    assert program.main(["make", str(folder), "witness.example/w"]) == 0
    made = parse_witness_vkey(capsys.readouterr().out)
    assert program.main(["key", str(folder)]) == 0
    assert parse_witness_vkey(capsys.readouterr().out) == made
    assert (folder / "witness.key").stat().st_mode & 0o077 == 0
    assert program.main(["run", str(folder)]) == 2
    assert "is empty" in capsys.readouterr().err
    (folder / "logs.vkey").write_text("garbage\n")
    assert program.main(["run", str(folder)]) == 2
    assert program.main(["make", str(folder), "witness.example/w"]) == 2
    assert program.main(["make", str(tmp_path / "b"), "a b"]) == 2
    assert program.main(["key", str(tmp_path / "nowhere")]) == 2


def test_it_needs_nothing_of_ours_but_its_own_files(tmp_path: Path) -> None:
    audit = tmp_path / "services" / "audit"
    (audit / "witness").mkdir(parents=True)
    source = Path(program.__file__).parents[1]
    for name in ("cosignature", "note", "tlog"):
        (audit / f"{name}.py").write_bytes((source / f"{name}.py").read_bytes())
    for path in (source / "witness").glob("*.py"):
        (audit / "witness" / path.name).write_bytes(path.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "services.audit.witness", "make", "w", "witness.example/w"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
