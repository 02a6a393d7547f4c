"""P7: whatever is done to an export is found, in words, with the first bad index; a good one is
never accused."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.machine.home import ROOT
from services.audit import verify
from services.audit.evidence import examine
from tests.support.audit import MemoryLog, leaf, line, log_of, signer
from tests.support.tampering import (
    BETWEEN,
    LOG,
    OLD,
    SIZE,
    TAMPERINGS,
    change_leaf,
    fork_signed_by_the_log,
    lines_of,
    put,
    sign_anew,
    write_rotated,
)

VKEY = signer(1).public.vkey


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return LOG.write(tmp_path / "export")


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """The one old checkpoint that the stranger kept."""
    path = tmp_path / "kept.note"
    path.write_text(LOG.note(OLD))
    return path


Said = tuple[int, str]


@pytest.fixture
def judge(folder: Path, held: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*more: str) -> Said:
        code = verify.main([str(folder), "--checkpoint", str(held), *more])
        return code, capsys.readouterr().out

    return run


# Good ones


def test_a_good_export_is_verified_and_begins_with_the_checkpoint_held(
    judge: Callable[..., Said],
) -> None:
    code, said = judge("--key", VKEY)
    assert (code, "VERIFIED: 40 entries" in said) == (0, True)
    assert "begin with the 16 entries" in said


@pytest.mark.parametrize("less", ["cryptography", "cryptography.exceptions"])
def test_without_cryptography_it_says_what_to_install(less: str, folder: Path) -> None:
    program = (
        f"import runpy, sys; sys.modules[{less!r}] = None; sys.argv[1:] = [{str(folder)!r}]; "
        "runpy.run_module('services.audit.verify', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.startswith("Not judged: cryptography")
    assert "Install the Python package cryptography." in done.stdout


def test_without_a_key_it_says_that_the_key_is_the_exports_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main([str(folder)]) == 0
    said = capsys.readouterr().out
    assert "The key is the export's own" in said
    assert VKEY in said


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(0, 130), data=st.data())
def test_no_good_export_is_ever_accused(
    size: int, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sizes = data.draw(st.sets(st.integers(0, size), max_size=5)) | {size}
    log = log_of(size, sorted(sizes))
    folder = log.write(tmp_path_factory.mktemp("good") / "export")
    if data.draw(st.booleans()):
        (folder / "leaf_hashes.bin").unlink()
    kept = log.note(data.draw(st.integers(0, size))).encode()
    report = examine(folder, kept, [signer(1).public])
    assert (report.sentences, report.entries, report.proven) == ((), size, size)


def test_a_log_that_changed_its_key_is_verified_with_either(
    tmp_path: Path, held: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = MemoryLog(LOG.leaves, LOG.signed_at, (signer(2), signer(1)))
    folder = log.write(tmp_path / "both")
    for key in (signer(1), signer(2)):
        assert verify.main([str(folder), "--key", key.public.vkey]) == 0
    assert verify.main([str(folder), "--checkpoint", str(held)]) == 0
    assert "NOT" not in capsys.readouterr().out


def test_p7_whoever_has_only_the_logs_old_key_is_told_of_the_later_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That entries were added is only one reason why a later key signed them."""
    folder = write_rotated(tmp_path / "rotated")
    assert verify.main([str(folder), "--key", signer(1).public.vkey]) == 1
    said = capsys.readouterr().out
    assert "later keys of the log" in said
    assert "they were added" not in said
    assert "Entries 0 to 32 are what was signed." in said


def test_an_export_formatted_by_another_tool_is_still_good(
    folder: Path, judge: Callable[..., Said]
) -> None:
    put(folder, [json.dumps(json.loads(each)).encode() + b"\n" for each in lines_of(folder)])
    assert judge()[0] == 0


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda each: each.__name__)
def test_tampering_is_found_and_the_first_bad_index_named(
    tamper: Callable[[Path], int | None], folder: Path, judge: Callable[..., Said]
) -> None:
    first_bad = tamper(folder)
    code, said = judge()
    assert code == 1, said
    assert said.startswith("NOT VERIFIED")
    if first_bad is None:
        assert "No entry is bad" in said
    elif tamper in BETWEEN:
        latest = BETWEEN[tamper]
        assert f"First bad index: {first_bad} at the earliest, {latest} at the latest." in said
    else:
        assert f"First bad index: {first_bad}." in said


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda each: each.__name__)
def test_the_entries_said_to_be_proven_are_never_the_changed_ones(
    tamper: Callable[[Path], int | None], folder: Path, held: Path
) -> None:
    tamper(folder)
    proven = examine(folder, held.read_bytes()).proven
    same = 0
    for number, each in enumerate(lines_of(folder)[:SIZE]):
        if each != line(number, leaf(number)):
            break
        same = number + 1
    if tamper not in (fork_signed_by_the_log, sign_anew):
        assert proven <= same


def test_random_bit_flips_in_any_file_are_all_found(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    base = LOG.write(tmp_path / "base")
    files = [path.relative_to(base) for path in sorted(base.rglob("*")) if path.is_file()]
    for number in range(400):
        folder = tmp_path / f"flip{number}"
        shutil.copytree(base, folder)
        path = folder / chance.choice(files)
        data = bytearray(path.read_bytes())
        bit = chance.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        code = verify.main([str(folder), "--key", VKEY])
        assert code == 1, (path.name, bit)
        shutil.rmtree(folder)


def test_a_changed_entry_is_named_without_the_list_of_hashes_too(
    folder: Path, judge: Callable[..., Said]
) -> None:
    (folder / "leaf_hashes.bin").unlink()
    change_leaf(folder)
    code, said = judge()
    assert (code, "First bad index: 20." in said) == (1, True)
    assert "Entries 0 to 15 are what was signed." in said
    assert "Entries 16 to 19 are not proven either way." in said


def test_an_export_signed_by_another_than_the_trusted_key_proves_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify.main([str(folder), "--key", signer(9).public.vkey]) == 1
    said = capsys.readouterr().out
    assert "none of the keys given" in said
    assert "No entry is proven." in said


# What cannot be judged accuses nobody


def cannot_be_judged(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert verify.main(arguments) == 2
    said = capsys.readouterr().out
    assert said.startswith("Not judged: ")
    return said


def test_a_folder_that_is_no_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "not an export" in cannot_be_judged([str(tmp_path)], capsys)
    assert "not an export" in cannot_be_judged([str(tmp_path / "nowhere")], capsys)


def test_a_key_that_is_no_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for key in ("", "nonsense", VKEY[:-2], VKEY.replace("+A", "+B")):
        assert "key you gave" in cannot_be_judged([str(folder), "--key", key], capsys)


def test_an_export_without_its_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "log.vkey").unlink()
    assert "--key" in cannot_be_judged([str(folder)], capsys)
    assert verify.main([str(folder), "--key", VKEY]) == 0


def test_a_held_file_that_is_no_checkpoint_is_not_the_exports_fault(
    folder: Path, held: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"", b"garbage", os.urandom(500), b"A" * 200_000, held.read_bytes()[:-9]):
        held.write_bytes(content)
        said = cannot_be_judged([str(folder), "--checkpoint", str(held)], capsys)
        assert "checkpoint you hold" in said
    arguments = [str(folder), "--checkpoint", str(held.with_name("nowhere"))]
    assert "cannot be read" in cannot_be_judged(arguments, capsys)


def test_a_held_checkpoint_of_another_key_than_the_one_given_is_not_the_exports_fault(
    folder: Path, held: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held.write_text(MemoryLog(LOG.leaves, [], (signer(4),)).note(OLD))
    arguments = [str(folder), "--checkpoint", str(held), "--key", VKEY]
    assert "checkpoint you hold" in cannot_be_judged(arguments, capsys)


def test_a_held_checkpoint_of_another_log_is_not_the_exports_fault(
    folder: Path, held: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held.write_text(MemoryLog(LOG.leaves, [], origin="log.example/other").note(OLD))
    said = cannot_be_judged([str(folder), "--checkpoint", str(held)], capsys)
    assert "log.example/other" in said


def test_nothing_a_terminal_would_obey_is_printed(
    folder: Path, held: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held.write_text(MemoryLog(LOG.leaves, [], origin="\u202eevil\u009b2J").note(OLD))
    said = cannot_be_judged([str(folder), "--checkpoint", str(held)], capsys)
    assert said.rstrip("\n").isprintable()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["entries.ndjson", "log.vkey", "leaf_hashes.bin"]), data=st.binary())
def test_garbage_in_any_file_ends_in_a_sentence(
    name: str, data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = log_of(5).write(tmp_path_factory.mktemp("garbage") / "export")
    (folder / name).write_bytes(data)
    assert verify.main([str(folder)]) == 1


def test_a_directory_where_a_file_belongs_ends_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "checkpoints" / "x.note").mkdir()
    assert "cannot be read" in cannot_be_judged([str(folder)], capsys)


def test_p7_a_pipe_where_a_file_belongs_is_not_waited_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(folder / "checkpoints" / "x.note")
    assert "no ordinary file" in cannot_be_judged([str(folder)], capsys)


def test_it_runs_years_later_with_nothing_else_of_ours(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone" / "services" / "audit"
    alone.mkdir(parents=True)
    (alone.parent / "__init__.py").touch()
    (alone / "__init__.py").touch()
    source = Path(verify.__file__).parent
    for name in verify.FILES:
        shutil.copy(source / f"{name}.py", alone)
    done = subprocess.run(
        [sys.executable, "-m", "services.audit.verify", str(folder)],
        cwd=tmp_path / "alone",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("VERIFIED: 40 entries")
